/** What the program may not do, tried from outside with the permissions that it is given. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { assertCode, run, withDirectory } from "../support/program.ts";

const PROJECT = new URL("../../", import.meta.url);
const PROBE = fileURLToPath(new URL("../support/permission_probe.ts", import.meta.url));

const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", PROJECT)));
const FLAGS = (tasks.titan10.command as string).split(" ").filter((word) => word.startsWith("--"));

const binary = Deno.env.get("TITAN10_BINARY") || undefined;

Deno.test("with the program's flags nothing is run, no library loaded, no device opened, no code of a host imported", async () => {
  assert.deepEqual(await probe(FLAGS), {});
});

Deno.test("each of these attempts succeeds, or fails otherwise, with more permissions", async () => {
  const more = Object.keys(await probe(["--frozen", "--allow-all", "--cached-only"]));
  assert(more.length > 15, more.join());
  assert.deepEqual(more.filter((name) => name.startsWith("asks for")).length, 4);
});

Deno.test({
  name: `the executable carries the permissions of the task titan10${
    binary === undefined ? ", but TITAN10_BINARY names none" : ""
  }`,
  ignore: binary === undefined,
  async fn(): Promise<void> {
    // As `deno compile` packs it: one object of JSON behind this mark.
    const bytes = await Deno.readFile(binary!);
    const packed = Buffer.from(bytes.buffer);
    const at = packed.indexOf('"permissions":{', packed.indexOf("d3n0l4nd"));
    const [, text = ""] = /^"permissions":(\{[^{}]*\})/.exec(
      packed.subarray(at, at + 10_000).toString(),
    ) ?? [];
    const { prompt, ...permissions } = JSON.parse(text) as Record<string, unknown>;
    assert.equal(prompt, false);
    const given = Object.entries(permissions).filter(([, value]) => value !== null)
      // The hosts of this list are Deno's own: the denial of all beats it.
      .filter(([name]) => name !== "allow_import");
    const wanted = FLAGS.flatMap((flag) => {
      const [, name, values] = /^--((?:allow|deny)-\w+)(?:=(.+))?$/.exec(flag) ?? [];
      return name === undefined ? [] : [[name.replace("-", "_"), values?.split(",") ?? []]];
    });
    assert.deepEqual(new Map(given as []), new Map(wanted as []));
  },
});

Deno.test("a file that may not be opened is refused in one sentence", () =>
  withDirectory(async (cwd) => {
    const result = await run(["import", "/proc/version"], { cwd });
    assertCode(result, 1);
    assert.match(
      result.stderr,
      /^Cannot \S[^\n]* titan10 opens nothing in \/dev, \/proc and \/sys\. Use another path\n$/,
    );
  }));

/** What of its attempts was not refused, by name. */
async function probe(flags: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--config",
      fileURLToPath(new URL("deno.json", PROJECT)),
      ...flags,
      PROBE,
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout));
}
