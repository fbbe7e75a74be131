/** What the program and the tasks are permitted, and that nobody permits them more elsewhere. @module */
import assert from "node:assert/strict";

const read = (path: string): Promise<string> =>
  Deno.readTextFile(new URL(`../../${path}`, import.meta.url));

const { tasks, imports } = JSON.parse(await read("deno.json")) as {
  readonly tasks: Readonly<Record<string, { readonly command: string }>>;
  readonly imports: Readonly<Record<string, string>>;
};
const words = tasks["titan10"]!.command.split(" ");

/** Subcommands that load code. */
const LOADS = /\bdeno (?:run|test|check|bench|install|compile|cache|eval)\b[^&]*/g;

Deno.test("the program may use network, environment and files, and is not asked about more", () => {
  assert.deepEqual(
    words.filter((word) => /^-(?:-allow|-deny|-no-prompt|A|[RWNEISRP]$)/.test(word)).sort(),
    [
      "--allow-env",
      "--allow-net",
      "--allow-read",
      "--allow-sys=statfs,uid,hostname",
      "--allow-write",
      "--deny-import",
      "--no-prompt",
    ],
  );
});

Deno.test("executable and image take their permissions from the task, and name none of their own", async () => {
  const paths = [
    ".ci/compile.ts",
    ".ci/left_out.ts",
    "Dockerfile",
    "tests/support/program.ts",
  ];
  for (const path of paths) {
    const text = await read(path);
    assert.doesNotMatch(text, /--allow-(?!\|)[a-z]|--allow-all|"-A"|-A\b.*main\.ts/, path);
  }
  assert.match(await read("Dockerfile"), /^RUN .*deno task compile/m);
});

Deno.test("no task, image or CI loads code from a host, or other packages than deno.lock names", async () => {
  const sources = new Map(
    Object.entries(tasks).map(([name, { command }]) => [`task ${name}`, command]),
  );
  sources.set("Dockerfile", await read("Dockerfile"));
  for (const path of [".ci/run", ...await workflows()]) {
    const text = (await read(path)).replaceAll(/#.*/g, "").replaceAll('npx --yes "$DENO"', "deno");
    sources.set(path, text);
  }
  const commands = [...sources].flatMap(([where, text]) =>
    [...text.matchAll(LOADS)].map(([command]) => ({ where, command: command.split("\n")[0]! }))
  );
  assert(commands.some(({ where }) => where === ".github/workflows/build.yml"));
  assert(commands.length > 12, commands.map(({ command }) => command).join("\n"));
  for (const { where, command } of commands) {
    for (const flag of ["--frozen", "--no-remote", "--deny-import"]) {
      assert(`${command} `.includes(` ${flag} `), `${where} lacks ${flag}: ${command}`);
    }
  }
  assert.match(await read(".ci/compile.ts"), /"--frozen",\n.*\n.*"--include"/);
});

Deno.test("every dependency is a package of one version, and the lock file has its checksum", async () => {
  for (const [name, specifier] of Object.entries(imports)) {
    assert.match(specifier, /^npm:@?[^@]+@\d+\.\d+\.\d+(?:-[\w.]+)?$/, name);
  }
  const { version, specifiers, npm, workspace, ...others } = JSON.parse(await read("deno.lock"));
  assert.equal(version, "5");
  assert.deepEqual(others, {}, "the lock file has more than packages of npm");
  assert.deepEqual(workspace.dependencies.toSorted(), Object.keys(specifiers).toSorted());
  const unchecked = Object.entries(npm as Record<string, { integrity?: string }>)
    .filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ""));
  assert.deepEqual(unchecked, []);
});

async function workflows(): Promise<readonly string[]> {
  const folder = ".github/workflows/";
  const files = await Array.fromAsync(Deno.readDir(new URL(`../../${folder}`, import.meta.url)));
  return files.map(({ name }) => folder + name);
}
