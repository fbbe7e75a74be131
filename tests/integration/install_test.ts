/** deploy/install.sh installs what has the release's checksum, and nothing else. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../deploy/install.sh", import.meta.url));
const SYSTEM = Deno.build.os === "darwin" ? "macos" : "linux";
const NAME = `titan10-${SYSTEM}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}.tar.gz`;

interface Installed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A release as its files, served on this machine, and an empty home. */
interface Scene {
  readonly files: Map<string, Uint8Array | string>;
  /** The right text of SHA256SUMS. */
  readonly sums: string;
  readonly home: string;
  install(options?: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly script?: string;
  }): Promise<Installed>;
  /** What is in ~/.local/bin, by name. */
  installed(): Promise<Readonly<Record<string, string>>>;
}

async function withRelease(use: (scene: Scene) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "titan10-test-" });
  const home = `${root}/home`;
  const files = new Map<string, Uint8Array | string>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    ({ url }) => {
      const file = files.get(new URL(url).pathname.replace("/v/", ""));
      return new Response(file as BodyInit ?? "none", { status: file === undefined ? 404 : 200 });
    },
  );
  try {
    await Deno.mkdir(`${root}/packed`);
    await Deno.mkdir(home);
    await Deno.writeTextFile(`${root}/packed/titan10`, "#!/bin/sh\necho 1.2.3 for tests\n");
    await Deno.writeTextFile(`${root}/packed/LICENSE`, "as it is\n");
    const { code } = await new Deno.Command("tar", {
      args: ["-czf", `${root}/${NAME}`, "-C", `${root}/packed`, "titan10", "LICENSE"],
    }).output();
    assert.equal(code, 0);
    const archive = await Deno.readFile(`${root}/${NAME}`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", archive));
    const sums = `${"0".repeat(64)}  titan10_1.2.3_amd64.deb\n${digest.toHex()}  ${NAME}\n`;
    files.set(NAME, archive).set("SHA256SUMS", sums);
    await use({
      files,
      sums,
      home,
      async install({ args = [], env = {}, script = SCRIPT } = {}): Promise<Installed> {
        const { code, stdout, stderr } = await new Deno.Command("sh", {
          args: [script, ...args],
          clearEnv: true,
          env: {
            PATH: Deno.env.get("PATH") ?? "",
            HOME: home,
            TITAN10_RELEASES: `http://127.0.0.1:${server.addr.port}/v/`,
            ...env,
          },
        }).output();
        const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
        return { code, stdout: text(stdout), stderr: text(stderr) };
      },
      async installed(): Promise<Readonly<Record<string, string>>> {
        const folder = `${home}/.local/bin`;
        const found: Record<string, string> = {};
        try {
          for await (const { name } of Deno.readDir(folder)) {
            found[name] = await Deno.readTextFile(`${folder}/${name}`);
          }
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
        return found;
      },
    });
  } finally {
    await server.shutdown();
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("a release with the right checksum is installed for its user, and runs", () =>
  withRelease(async ({ home, install, installed, files }) => {
    const { code, stdout, stderr } = await install();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Installed titan10 1\.2\.3 for tests as .*\/\.local\/bin\/titan10$/m);
    assert.match(stdout, /is not in PATH\. Try it: .*\/titan10 demo$/m);
    assert.deepEqual(Object.keys(await installed()), ["titan10"]);
    const { mode } = await Deno.stat(`${home}/.local/bin/titan10`);
    assert.equal(mode! & 0o777, 0o755);
    // Elsewhere, by a list of checksums of binary files, and over an old one.
    files.set("SHA256SUMS", String(files.get("SHA256SUMS")).replaceAll("  ", " *"));
    await Deno.mkdir(`${home}/bin`);
    await Deno.writeTextFile(`${home}/bin/titan10`, "old");
    const other = await install({ args: ["--version", "v1.2.3", "--to", `${home}/bin`] });
    assert.equal(other.code, 0, other.stderr);
    assert.match(await Deno.readTextFile(`${home}/bin/titan10`), /1\.2\.3/);
  }));

/** What is wrong, how the release is spoilt, and what is said. */
const SPOILT: Readonly<Record<string, readonly [(scene: Scene) => void, RegExp]>> = {
  "another archive than the checksum's": [
    ({ files }) => void files.set(NAME, new Uint8Array([...files.get(NAME) as Uint8Array, 0])),
    /the checksum of titan10-\S+ is [0-9a-f]{64}, and the release says [0-9a-f]{64}\. Nothing was/,
  ],
  "a wrong checksum": [
    ({ files, sums }) =>
      void files.set("SHA256SUMS", sums.replace(/[0-9a-f](?= {2}titan10-)/, "g")),
    /SHA256SUMS of the release has no checksum of titan10-/,
  ],
  "a checksum that is too short": [
    ({ files, sums }) => void files.set("SHA256SUMS", sums.replace(/[0-9a-f](?= {2}titan10-)/, "")),
    /SHA256SUMS of the release has no checksum of titan10-/,
  ],
  "no checksum of the archive": [
    ({ files, sums }) => void files.set("SHA256SUMS", sums.split("\n")[0]!),
    /has no checksum of titan10-/,
  ],
  "two checksums of the archive": [
    ({ files, sums }) => void files.set("SHA256SUMS", `${sums}${"a".repeat(64)}  ${NAME}\n`),
    /has no checksum of titan10-/,
  ],
  "no checksums": [({ files }) => void files.delete("SHA256SUMS"), /SHA256SUMS could not be downl/],
  "no archive": [({ files }) => void files.delete(NAME), /titan10-\S+ could not be downloaded/],
};

Deno.test("a release that cannot be verified is not installed, and an older one stays", async (t) => {
  for (const [what, [spoil, says]] of Object.entries(SPOILT)) {
    await t.step(what, () =>
      withRelease(async (scene) => {
        spoil(scene);
        await Deno.mkdir(`${scene.home}/.local/bin`, { recursive: true });
        await Deno.writeTextFile(`${scene.home}/.local/bin/titan10`, "old");
        const { code, stderr } = await scene.install();
        assert.equal(code, 1);
        assert.match(stderr, /^(?:curl: .*\n)?Cannot install titan10: /);
        assert.match(stderr, says);
        assert.deepEqual(await scene.installed(), { titan10: "old" });
      }));
  }
});

Deno.test("without a program that makes checksums nothing is installed", () =>
  withRelease(async ({ home, install, installed }) => {
    await Deno.mkdir(`${home}/tools`);
    const tools = "sh uname ls getconf mktemp rm curl awk cut tar mkdir chmod cp mv".split(" ");
    for (const tool of tools) {
      const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${tool}`] })
        .output();
      const path = new TextDecoder().decode(stdout).trim();
      if (path !== "") await Deno.symlink(path, `${home}/tools/${tool}`);
    }
    const { code, stderr } = await install({ env: { PATH: `${home}/tools` } });
    assert.equal(code, 1);
    assert.match(stderr, /it needs sha256sum, shasum or openssl to verify the download/);
    assert.deepEqual(await installed(), {});
  }));

Deno.test("what is not encrypted, names no release or no place is refused", () =>
  withRelease(async ({ install, installed }) => {
    const says = async (
      options: Parameters<typeof install>[0],
      code: number,
      text: RegExp,
    ): Promise<void> => {
      const result = await install(options);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, text);
    };
    await says({ env: { TITAN10_RELEASES: "http://example.com/v1" } }, 1, /is not encrypted/);
    await says({ env: { TITAN10_RELEASES: "" } }, 1, /this copy names no repository\. Take/);
    await says({ args: ["--version", "../../x"] }, 1, /a version is written as in v1\.0\.0/);
    await says({ args: ["--version"] }, 2, /^Usage: /);
    await says({ args: ["--root", "x"] }, 2, /^Usage: /);
    await says({ env: { HOME: "" } }, 1, /HOME is not set\. Name a directory with --to/);
    assert.deepEqual(await installed(), {});
  }));

Deno.test("of a script that was cut short on its way nothing runs", () =>
  withRelease(async ({ home, install, installed }) => {
    const text = await Deno.readTextFile(SCRIPT);
    const script = `${home}/cut.sh`;
    for (const part of [0.3, 0.6, 0.9, 1]) {
      await Deno.writeTextFile(script, text.slice(0, part * (text.lastIndexOf('main "$@"'))));
      await install({ script });
      assert.deepEqual(await installed(), {});
    }
  }));
