/** The workflows, the Debian package and the documents of a release agree, and take no more rights than they need. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { VARIABLES } from "../../lib/config/variables.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string): Promise<string> => Deno.readTextFile(new URL(path, ROOT));

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: unknown;
  readonly jobs: Readonly<
    Record<string, {
      readonly uses?: string;
      readonly permissions?: Readonly<Record<string, string>>;
      readonly strategy?: {
        readonly matrix: { readonly include: readonly { platform?: string }[] };
      };
      readonly steps?: readonly Step[];
      readonly "timeout-minutes"?: number;
    }>
  >;
}

const WORKFLOWS = new Map<string, { readonly text: string; readonly workflow: Workflow }>();
for await (const { name } of Deno.readDir(new URL(".github/workflows", ROOT))) {
  const text = await read(`.github/workflows/${name}`);
  WORKFLOWS.set(name, { text, workflow: parse(text) });
}

const jobs = [...WORKFLOWS].flatMap(([name, { workflow }]) =>
  Object.entries(workflow.jobs).map(([job, of]) => ({ ...of, name: `${name} ${job}` }))
);

Deno.test("every action is named by the digest of its commit, and by its version for people", () => {
  let found = 0;
  for (const [name, { text }] of WORKFLOWS) {
    for (const [line, used = ""] of text.matchAll(/^ *(?:- )?uses: (\S+).*$/gm)) {
      if (used.startsWith("./")) continue;
      assert.match(line, /uses: [\w.-]+\/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, name);
      found++;
    }
  }
  assert(found >= 5, `${found}`);
});

Deno.test("a workflow may read, and only the jobs that publish may write", () => {
  for (const [name, { workflow, text }] of WORKFLOWS) {
    assert.deepEqual(workflow.permissions, { contents: "read" }, name);
    // By these, a stranger's change would run with the repository's rights.
    assert.doesNotMatch(text, /pull_request_target|workflow_run:|write-all|secrets: inherit/, name);
  }
  const writing = jobs.filter(({ permissions = {} }) =>
    Object.values(permissions).includes("write")
  );
  assert.deepEqual(writing.map(({ name }) => name), ["release.yml image", "release.yml publish"]);
  assert.deepEqual(Object.keys(WORKFLOWS.get("release.yml")!.workflow.on), ["push"]);
  for (const { name, uses, steps = [], ...job } of jobs) {
    assert(uses !== undefined || job["timeout-minutes"]! <= 60, `${name} has no end`);
    for (const { uses: action = "", with: options } of steps) {
      if (!action.startsWith("actions/checkout@")) continue;
      assert.equal(options?.["persist-credentials"], false, `${name} leaves its token on the disk`);
    }
  }
});

Deno.test("no text from outside becomes a part of a script", () => {
  for (const { name, steps = [] } of jobs) {
    for (const { run = "" } of steps) assert.doesNotMatch(run, /\$\{\{/, `${name}: ${run}`);
  }
});

Deno.test("Deno's version is the same in the workflows, in .ci/run, in the image and for people", async () => {
  const [, version = ""] = /^readonly DENO=(deno@[\d.]+)$/m.exec(await read(".ci/run")) ?? [];
  assert.notEqual(version, "");
  const [, inImage] = /^FROM denoland\/deno:([\d.]+)@/m.exec(await read("Dockerfile")) ?? [];
  assert.equal(`deno@${inImage}`, version);
  const texts = [...WORKFLOWS.values()].map(({ text }) => text);
  for (const text of [...texts, await read("CONTRIBUTING.md"), await read("README.md")]) {
    for (const [named] of text.matchAll(/\bdeno@\d[\d.]*\d/g)) assert.equal(named, version);
  }
});

Deno.test("the script that installs and the packages look for files that the workflows make", async () => {
  const { jobs } = WORKFLOWS.get("build.yml")!.workflow;
  const made = jobs["executable"]!.strategy!.matrix.include.map(({ platform }) => platform);
  const script = await read("deploy/install.sh");
  const names = (of: string): readonly string[] =>
    [...script.matchAll(new RegExp(`\\b${of}=(\\w+) ;;`, "g"))].map(([, name = ""]) => name);
  const wanted = names("system").flatMap((system) =>
    names("processor").map((processor) => `${system}-${processor}`)
  );
  assert.equal(wanted.length, 4);
  for (const platform of wanted) assert(made.includes(platform), platform);
  const { text } = WORKFLOWS.get("release.yml")!;
  assert.match(text, /sed "s#@REPOSITORY@#\$GITHUB_REPOSITORY#" deploy\/install\.sh/);
  assert.match(script, /^repository='@REPOSITORY@'$/m);
});

Deno.test("the notes of a release are the version's section of the changelog", async () => {
  const notes = async (tag: string): Promise<Deno.CommandOutput> =>
    await new Deno.Command(fileURLToPath(new URL(".ci/release_notes", ROOT)), { args: [tag] })
      .output();
  const changelog = await read("CHANGELOG.md");
  const { version } = JSON.parse(await read("deno.json"));
  if (changelog.includes(`\n## [${version}]`)) {
    const { code, stdout } = await notes(`v${version}`);
    assert.equal(code, 0);
    const text = new TextDecoder().decode(stdout);
    assert.match(text, /^### /m);
    assert.doesNotMatch(text, /^## /m);
  }
  const { code, stderr } = await notes("v0.0.0");
  assert.equal(code, 1);
  assert.match(new TextDecoder().decode(stderr), /^CHANGELOG\.md has no section ## \[0\.0\.0\]/);
});

const isDpkgHere = await output("dpkg-deb", "--version") !== undefined;

Deno.test({
  name: `the Debian package has the unit, the user, the settings and the documents${
    isDpkgHere ? "" : ", but dpkg-deb is not installed here"
  }`,
  ignore: !isDpkgHere,
  async fn(): Promise<void> {
    const root = await Deno.makeTempDir({ prefix: "titan10-test-" });
    try {
      await Deno.writeTextFile(`${root}/titan10`, "#!/bin/sh\necho packed\n");
      const build = fileURLToPath(new URL("deploy/deb/build.sh", ROOT));
      const built = await output(build, `${root}/titan10`, "arm64", `${root}/out`);
      const { version } = JSON.parse(await read("deno.json"));
      const path = `${root}/out/titan10_${version.replaceAll("-", "~")}_arm64.deb`;
      assert.equal(built?.trim(), path);
      await output("dpkg-deb", "--raw-extract", path, `${root}/tree`);
      const inside = (name: string): Promise<string> => Deno.readTextFile(`${root}/tree/${name}`);
      assert.match(
        await inside("DEBIAN/control"),
        /^Architecture: arm64\n(?:.*\n)+Depends: libc6/m,
      );
      const unit = await inside("usr/lib/systemd/system/titan10.service");
      assert.match(unit, /^ExecStart=\/usr\/bin\/titan10 run$/m);
      assert.doesNotMatch(unit, /\/usr\/local/);
      const [, user = ""] = /^User=(\w+)$/m.exec(unit) ?? [];
      assert.match(
        await inside("DEBIAN/postinst"),
        new RegExp(`adduser --system .* ${user}$`, "m"),
      );
      // Settings that are nothing yet, in the file that the unit reads, which an upgrade leaves as it is.
      const [, settings = ""] = /^EnvironmentFile=-(\S+)$/m.exec(unit) ?? [];
      assert.equal(await inside("DEBIAN/conffiles"), `${settings}\n`);
      assert.equal((await Deno.stat(`${root}/tree${settings}`)).mode! & 0o777, 0o600);
      const text = await inside(settings.slice(1));
      assert.doesNotMatch(text, /^[^#\n]/m);
      for (const { name } of VARIABLES) assert(text.includes(`# ${name}`), name);
      const listed = await output("dpkg-deb", "--contents", path) ?? "";
      for (
        const name of [
          "usr/bin/titan10",
          "usr/share/doc/titan10/copyright",
          "usr/share/doc/titan10/docs/guarantees.md",
          "usr/share/doc/titan10/licences.txt",
          "usr/share/doc/titan10/node.conf",
          "usr/share/doc/titan10/secrets.conf",
        ]
      ) assert.match(listed, new RegExp(` root/root .*\\./${name}$`, "m"));
      const refused = new Deno.Command(build, { args: [`${root}/titan10`, "i386", root] });
      assert.equal((await refused.output()).code, 2);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
});

const isShellcheckHere = await output("shellcheck", "--version") !== undefined;

Deno.test({
  name: `shellcheck finds nothing in the scripts${
    isShellcheckHere ? "" : ", but it is not installed here"
  }`,
  ignore: !isShellcheckHere,
  async fn(): Promise<void> {
    const scripts = [
      "run",
      "smoke",
      "release_notes",
    ].map((name) => `.ci/${name}`).concat([
      "install.sh",
      "pin_images.sh",
      "timescaledb/10_roles.sh",
      "deb/build.sh",
      "deb/postinst",
      "deb/prerm",
      "deb/postrm",
    ].map((name) => `deploy/${name}`));
    const { code, stdout } = await new Deno.Command("shellcheck", {
      args: scripts,
      cwd: fileURLToPath(ROOT),
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stdout));
  },
});

const isActionlintHere = await output("actionlint", "--version") !== undefined;

Deno.test({
  name: `actionlint finds nothing in the workflows${
    isActionlintHere ? "" : ", but it is not installed here"
  }`,
  ignore: !isActionlintHere,
  async fn(): Promise<void> {
    const { code, stdout } = await new Deno.Command("actionlint", { cwd: fileURLToPath(ROOT) })
      .output();
    assert.equal(code, 0, new TextDecoder().decode(stdout));
  },
});

/** What a program prints; undefined where it is not installed. */
async function output(program: string, ...args: readonly string[]): Promise<string | undefined> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
