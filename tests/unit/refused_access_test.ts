/** What is told of an access that Deno refused. @module */
import assert from "node:assert/strict";
import { withoutAdvice } from "../../lib/text/refused_access.ts";
import { redact, redactError } from "../../lib/text/redact.ts";

const ADVICE = /--allow|run again|deno compile|Requires/;

Deno.test("an access that Deno refuses is told without its advice, from the sources and as an executable", () => {
  for (
    const advice of [
      "run again with the --allow-all flag",
      "specify the required permissions during compilation using `deno compile --allow-all`",
    ]
  ) {
    assert.equal(
      withoutAdvice(
        `Cannot create /dev/a.csv: Requires all access to "/dev/.a.csv, b", ${advice}: twice`,
      ),
      'Cannot create /dev/a.csv: "/dev/.a.csv, b" is in a folder of the system, and titan10 opens nothing in ' +
        "/dev, /proc and /sys. Use another path: twice",
    );
  }
});

Deno.test("a permission that nobody has is named, and nothing is advised", async () => {
  const refusals: readonly (() => unknown)[] = [
    () => new Deno.Command("true").output(),
    () => Deno.hostname(),
    () => Deno.dlopen("/lib/none.so", {}),
    () => Deno.readTextFile("/etc/hostname"),
    () => Deno.env.get("HOME"),
    () => Deno.env.toObject(),
    () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
  ];
  for (const refusal of refusals) {
    const error: unknown = await Promise.try(refusal).then(() => undefined, (error) => error);
    assert(error instanceof Deno.errors.NotCapable, String(refusal));
    assert.match(error.message, ADVICE);
    for (const text of [redact(error.message), redactError(error).message]) {
      assert.match(
        text,
        /^titan10 has no permission for this \([a-z]+( [^)]+)?\), and no flag gives it$/,
      );
    }
  }
});

Deno.test("other messages stay as they are", () => {
  for (
    const text of [
      "Requires a newer server, run it again",
      "Run again with the --allow-all flag",
      'Requires all access to "/dev/null"',
    ]
  ) assert.equal(withoutAdvice(text), text);
});
