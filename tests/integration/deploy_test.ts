/** The systemd unit and the compose file say of the program what is true of it. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { EXIT } from "../../lib/cli/shell.ts";
import { VARIABLES } from "../../lib/config/variables.ts";
import { runInProcess } from "../support/shell.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string): Promise<string> => Deno.readTextFile(new URL(path, ROOT));

const UNIT = await read("deploy/titan10.service");
const COMPOSE = await read("deploy/compose.yaml");
const PROMETHEUS = await read("deploy/prometheus/prometheus.yml");

const isSystemdHere = await systemdVerify("--version") !== undefined;

Deno.test("the unit runs a command of the program, with variables that it has", async () => {
  const [, command = ""] = /^ExecStart=\/usr\/local\/bin\/titan10 ([\w-]+)$/m.exec(UNIT) ?? [];
  const { stdout } = await runInProcess(["--help"]);
  assert.match(stdout, new RegExp(`^ {2}${command}\\b`, "m"));
  const names = [...UNIT.matchAll(/^Environment=(.+)$/gm)]
    .flatMap(([, line = ""]) => line.split(" ").map((pair) => pair.split("=")[0] ?? ""));
  assert(names.includes("DATA_DIR"), UNIT);
  for (const name of names) assert(isVariable(name), `the unit sets ${name}, which nothing reads`);
});

Deno.test("the unit starts the program again unless its configuration is wrong", () => {
  assert.match(UNIT, /^Restart=always$/m);
  assert.equal(setting("RestartPreventExitStatus"), String(EXIT.usage));
});

Deno.test("the unit and the compose file wait longer for the end than the program takes", async () => {
  const [, bound = ""] = /SHUTDOWN_MS_MAX = ([\d_]+);/.exec(await read("main.ts")) ?? [];
  const seconds = Number(bound.replaceAll("_", "")) / 1000;
  assert(seconds > 0);
  assert(Number(setting("TimeoutStopSec")) > seconds);
  const [, grace] = /stop_grace_period: (\d+)s/.exec(composed("titan10")) ?? [];
  assert(Number(grace) > seconds);
});

Deno.test("the unit leaves V8 what it cannot do without", () => {
  assert.doesNotMatch(UNIT, /^MemoryDenyWriteExecute=/m);
  assert.match(setting("RestrictAddressFamilies"), /^(?=.*AF_UNIX)(?=.*AF_INET\b)(?=.*AF_INET6)/);
});

Deno.test({
  name: `systemd accepts the unit${isSystemdHere ? "" : ", but it is not installed here"}`,
  ignore: !isSystemdHere,
  async fn(): Promise<void> {
    const directory = await Deno.makeTempDir();
    try {
      const path = `${directory}/titan10.service`;
      // It looks for the file that is started.
      await Deno.writeTextFile(path, UNIT.replace("/usr/local/bin/titan10", "/bin/sh"));
      const output = await systemdVerify(path);
      // Two settings are newer than the systemd of some: those are ignored, as the unit says.
      const complaints = (output ?? "").split("\n").filter((line) =>
        line.includes("titan10.service") &&
        !/Unknown key(?: name)? 'Restart(?:Steps|MaxDelaySec)'/.test(line)
      );
      assert.deepEqual(complaints, []);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test("the compose file sets variables that the program has", () => {
  const names = [...composed("titan10").matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name = ""]) => name);
  assert(names.includes("DATABASE_URL") && names.includes("HTTP_TOKEN"), names.join());
  for (const name of names) assert(isVariable(name), `compose.yaml sets ${name}`);
});

Deno.test("the compose file mounts and builds from what is there", async () => {
  const paths = [...COMPOSE.matchAll(/^ +(?:- (\.\/[^:]+):\/|build: (\S+)$)/gm)]
    .map(([, mounted, built]) => mounted ?? built ?? "");
  assert(paths.length >= 5, paths.join());
  for (const path of paths) {
    assert(
      await Deno.stat(new URL(path, new URL("deploy/", ROOT))).catch(() => undefined),
      `compose.yaml names ${path}, which is not there`,
    );
  }
});

Deno.test("the compose file asks for the secrets that deploy/README.md makes, and for no others", async () => {
  const [, made = ""] = /^for name in (.+); do$/m.exec(await read("deploy/README.md")) ?? [];
  const asked = [...COMPOSE.matchAll(/\$\{(\w+)|\{ environment: (\w+) \}/g)]
    .map(([, written, handed]) => written ?? handed);
  assert.deepEqual([...new Set(asked)].toSorted(), made.split(" ").toSorted());
});

Deno.test("the compose file names a version of every image, and publishes to this machine alone", () => {
  const images = [...COMPOSE.matchAll(/^ {4}image: (\S+)$/gm)].map(([, image = ""]) => image);
  for (const image of images.filter((image) => image !== "titan10")) {
    assert.match(image, /^[\w./-]+:v?\d+\.\d+\.\d+[\w-]*$/);
  }
  const ports = [...COMPOSE.matchAll(/^ {4}ports: \["(.+)"\]$/gm)].map(([, port = ""]) => port);
  assert(ports.length > 0 && ports.length === COMPOSE.match(/\bports:/g)?.length);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
});

Deno.test("Prometheus scrapes containers that the compose file has", () => {
  const targets = [...PROMETHEUS.matchAll(/targets: \[([\w-]+):(\d+)\]/g)];
  assert.equal(targets.length, 2);
  for (const [, name = ""] of targets) composed(name);
  assert.equal(targets[0]?.[2], /HTTP_PORT: "(\d+)"/.exec(composed("titan10"))?.[1]);
});

/** The value of a line of the unit. */
function setting(name: string): string {
  const [, value] = new RegExp(`^${name}=(.+)$`, "m").exec(UNIT) ?? [];
  assert(value !== undefined, `the unit does not set ${name}`);
  return value;
}

/** One container's lines of the compose file. */
function composed(name: string): string {
  const [text] = new RegExp(`^ {2}${name}:\\n(?:(?: {4}.*)?\\n)+`, "m").exec(COMPOSE) ?? [];
  assert(text !== undefined, `compose.yaml has no ${name}`);
  return text;
}

/** A variable of the program, or one that Deno itself reads. */
function isVariable(name: string): boolean {
  return name === "DENO_TLS_CA_STORE" || VARIABLES.some((variable) => variable.name === name);
}

/** What `systemd-analyze verify` complains of; undefined where it is not installed. */
async function systemdVerify(path: string): Promise<string | undefined> {
  try {
    const command = new Deno.Command("systemd-analyze", {
      args: ["verify", path],
      cwd: fileURLToPath(ROOT),
    });
    return new TextDecoder().decode((await command.output()).stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
