import assert from "node:assert/strict";
import { ConfigError } from "../../lib/config/config.ts";
import { refuseGone } from "../../lib/config/gone_settings.ts";

const paths = (...all: readonly string[]): readonly { readonly path: string }[] =>
  all.map((path) => ({ path }));

Deno.test("files of settings that are gone are named, all of them; another name for one, and files of secrets, are no fault", () => {
  const before = paths(".env", "titan10.yaml", "/run/secrets/okx");
  const names = [".env", "titan10.yaml"];
  assert.throws(() => refuseGone(before, [], { names }), (error) => {
    assert(error instanceof ConfigError);
    assert.deepEqual(error.problems.map(({ place }) => place), names);
    assert.match(error.message, /\n {2}\.env: expected the settings .* or not there now\. .*\n/);
    return true;
  });
  refuseGone(before, paths(".env", "titan10.yaml"), { names });
  refuseGone(before, paths(".env", "other.yaml"), { names: [".env", "other.yaml"] });
  refuseGone([], [], { names });
});
