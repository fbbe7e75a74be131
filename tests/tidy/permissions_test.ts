/** What the program is permitted, and that nobody permits it more elsewhere. @module */
import assert from "node:assert/strict";

const read = (path: string): Promise<string> =>
  Deno.readTextFile(new URL(`../../${path}`, import.meta.url));

const { tasks } = JSON.parse(await read("deno.json"));
const words = (tasks.titan10.command as string).split(" ");

Deno.test("the program may use network, environment and files, and is not asked about more", () => {
  assert.deepEqual(
    words.filter((word) => /^-(?:-allow|-deny|-no-prompt|A|[RWNEISRP]$)/.test(word)).sort(),
    [
      "--allow-env",
      "--allow-net",
      "--allow-read",
      "--allow-sys=statfs,uid",
      "--allow-write",
      "--no-prompt",
    ],
  );
});

Deno.test("executable and image take their permissions from the task, and name none of their own", async () => {
  for (const path of [".ci/compile.ts", "Dockerfile", "tests/support/program.ts"]) {
    const text = await read(path);
    assert.doesNotMatch(text, /--allow-(?!\|)[a-z]|--allow-all|"-A"|-A\b.*main\.ts/, path);
  }
  assert.match(await read("Dockerfile"), /^RUN .*deno task compile/m);
});
