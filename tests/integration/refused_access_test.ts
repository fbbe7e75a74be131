/** Paths that Deno opens for no program which lacks all permissions: what the user is told. @module */
import assert from "node:assert/strict";
import { EXIT } from "../../lib/cli/shell.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { runInProcess } from "../support/shell.ts";

const URL_OF_NOBODY = "postgres://titan10@127.0.0.1:9/titan10";

/** What a user might name, by the arguments and the environment. */
const CASES: Readonly<
  Record<string, readonly [args: readonly string[], env: Readonly<Record<string, string>>]>
> = {
  "an export into a device": [["export", "--output", "/dev/titan10.csv"], {}],
  "an export into a kernel's file": [["export", "--output", "/proc/self/titan10.csv"], {}],
  "an import of a kernel's file": [["import", "/proc/version"], {}],
  "an import of standard input by its path": [["import", "/dev/stdin"], {}],
  "a certificate among devices": [
    ["status"],
    { DATABASE_URL: `${URL_OF_NOBODY}?sslmode=verify-full&sslrootcert=/dev/mem` },
  ],
  "passwords among devices": [["status"], { DATABASE_URL: `${URL_OF_NOBODY}?passfile=/dev/mem` }],
  "passwords among devices, before doctor": [
    ["doctor"],
    { DATABASE_URL: `${URL_OF_NOBODY}?passfile=/dev/mem` },
  ],
};

Deno.test("a path that may not be opened is refused in a sentence, without advice for programmers", (t) =>
  withAnyArchivePlace(async ({ env }) => {
    const memory = `/dev/shm/titan10-${crypto.randomUUID()}`;
    const cases = {
      ...CASES,
      "an archive in /dev/shm": [["migrate"], { DATABASE_URL: "", DATA_DIR: memory }],
    } as const;
    for (const [name, [args, more]] of Object.entries(cases)) {
      await t.step(name, async () => {
        const { code, stdout, stderr } = await runInProcess(args, { ...env, ...more });
        // The doctor breaks its lines.
        const said = (stdout + stderr).replaceAll(/\s+/g, " ");
        assert.equal(code, EXIT.failed, said);
        assert.match(said, /titan10 opens nothing in \/dev, \/proc and \/sys\. Use another path/);
        assert.doesNotMatch(said, /--allow|run again|deno compile|Requires /);
      });
    }
    await Deno.remove(memory, { recursive: true }).catch(() => {});
  }));
