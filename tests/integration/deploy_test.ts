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
const SECRETS = await read("deploy/secrets.conf");
const NODE = await read("deploy/node.conf");
const DOCKERFILE = await read("Dockerfile");
const PROMETHEUS = await read("deploy/prometheus/prometheus.yml");

const SERVICES = ["titan10", "timescaledb", "prometheus", "node-exporter", "grafana"] as const;

/** What a daemon that is attacked keeps to, with and without a server. */
const MEMORY_MB = { server: 450, embedded: 700 } as const;

/** Of 10. deploy/README.md says what systemd 252 finds; other versions know other settings. */
const EXPOSURE_MAX = 1.5;

/** A tag for people, and a digest that no registry can give to another image. */
const PINNED = /^[\w./-]+:v?[\w.-]+@sha256:[0-9a-f]{64}$/;

const isSystemdHere = await systemdAnalyze("--version") !== undefined;
const ratesFiles = (await systemdAnalyze("--help"))?.includes("--offline") === true;

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

Deno.test("the unit takes secrets as files, for variables that may be secret", () => {
  const loaded = [...SECRETS.matchAll(/^LoadCredential=(\w+):\/etc\/titan10\/\1$/gm)];
  assert(loaded.length >= 2);
  for (const [, credential = ""] of loaded) {
    const [, name = ""] = new RegExp(`^Environment=(\\w+)=%d/${credential}$`, "m").exec(SECRETS) ??
      [];
    assert(isSecretFile(name), `secrets.conf sets ${name}`);
  }
});

Deno.test("a node of several on one machine has its own settings, behind those that all share", async () => {
  const [shared = "", own = ""] = [UNIT, NODE].map((text) =>
    /^EnvironmentFile=-?(\S+)$/m.exec(text)?.[1]
  );
  assert.match(shared, /\.env$/);
  assert.match(own, /%i\.env$/);
  // With directories of their own and no server, each would keep an archive of its own.
  assert.doesNotMatch(NODE, /DATA_DIR/);
  // What the commands of the README write is what the units read.
  const readme = await read("deploy/README.md");
  assert(readme.includes(shared));
  assert(readme.includes(own.replace("%i", "$node")), own);
  for (const variable of ["EGRESS", "HTTP_PORT"]) {
    assert(readme.includes(`${variable}=`) && isVariable(variable), variable);
  }
});

Deno.test("limits of memory are above what a daemon that is attacked needs", () => {
  const [, composedMb] = /memory: (\d+)M\b/.exec(composed("titan10")) ?? [];
  assert(Number(composedMb) > 1.3 * MEMORY_MB.server, composedMb);
  const [, unitMb] = /^(\d+)M$/.exec(setting("MemoryHigh")) ?? [];
  assert(Number(unitMb) > 1.3 * MEMORY_MB.embedded, unitMb);
});

Deno.test({
  name: `systemd accepts the unit${isSystemdHere ? "" : ", but it is not installed here"}`,
  ignore: !isSystemdHere,
  async fn(): Promise<void> {
    const directory = await Deno.makeTempDir();
    try {
      for (
        const [unit, asked, dropIns] of [
          ["titan10.service", "titan10.service", { "secrets.conf": SECRETS }],
          ["titan10@.service", "titan10@1.service", { "secrets.conf": SECRETS, "node.conf": NODE }],
        ] as const
      ) {
        const path = `${directory}/${unit}`;
        // It looks for the file that is started.
        await Deno.writeTextFile(path, UNIT.replace("/usr/local/bin/titan10", "/bin/sh"));
        await Deno.mkdir(`${path}.d`);
        for (const [name, text] of Object.entries(dropIns)) {
          await Deno.writeTextFile(`${path}.d/${name}`, text);
        }
        const output = await systemdAnalyze("verify", `${directory}/${asked}`);
        // Two settings are newer than the systemd of some: those are ignored, as the unit says.
        const complaints = (output ?? "").split("\n").filter((line) =>
          /titan10(?:@1?)?\.service|secrets\.conf|node\.conf/.test(line) &&
          !/Unknown key(?: name)? 'Restart(?:Steps|MaxDelaySec)'/.test(line)
        );
        assert.deepEqual(complaints, [], asked);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: `systemd finds the unit hardly exposed${
    ratesFiles ? "" : ", but version 250 is not installed here"
  }`,
  ignore: !ratesFiles,
  async fn(): Promise<void> {
    const output = await systemdAnalyze("security", "--offline=yes", "deploy/titan10.service");
    const [, exposure] =
      /Overall exposure level for titan10\.service: ([\d.]+)/.exec(output ?? "") ?? [];
    assert(Number(exposure) <= EXPOSURE_MAX, output);
  },
});

Deno.test("the compose file sets variables that the program has", () => {
  const names = [...composed("titan10").matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name = ""]) => name);
  const secrets = names.filter(isSecretFile);
  assert.deepEqual(secrets.toSorted(), ["DATABASE_URL_FILE", "HTTP_TOKEN_FILE"]);
  for (const name of names) {
    assert(isVariable(name) || secrets.includes(name), `compose.yaml sets ${name}`);
  }
});

Deno.test("no secret is in the compose file, nor in a variable of a container", () => {
  assert.doesNotMatch(COMPOSE, /\$\{|environment: [A-Z]|:\/\/[^/\s]*@/);
  for (
    const [, name = "", value = ""] of COMPOSE.matchAll(
      /^ {6}(\w*(?:PASSWORD|TOKEN|SECRET|URL)\w*): (.+)$/gm,
    )
  ) {
    assert.match(name, /_FILE$/);
    assert.match(value, /^\/run\/secrets\/\w+$/);
  }
});

Deno.test("no container is root, has a capability, gains rights or writes outside its volumes", async () => {
  const blocks = SERVICES.map((name) => [name, composed(name)] as const);
  assert.equal(blocks.length, 5);
  for (const [name, block] of blocks) {
    for (
      const line of [
        "read_only: true",
        "cap_drop: [ALL]",
        'security_opt: ["no-new-privileges:true"]',
      ]
    ) assert(block.includes(`\n    ${line}\n`), `${name} lacks ${line}`);
    assert.match(block, /^ {8}limits: \{ memory: \d+M, pids: \d+ \}$/m, name);
    assert.doesNotMatch(block, /privileged|cap_add|network_mode|pid: host|docker\.sock/, name);
  }
  // The images of the others have a user of their own.
  assert.match(composed("timescaledb"), /^ {4}user: "70:70"$/m);
  assert.match(await read("Dockerfile"), /^USER 65532:65532$/m);
});

Deno.test("the second node of the compose file is the first one with another name and port", () => {
  const [name, merged, ...own] = composed("titan10-2").trimEnd().split("\n");
  assert.deepEqual([name, merged], ["  titan10-2:", "    <<: *titan10"]);
  // Whatever else it said would hold of one node alone: rights, limits, secrets, the address by which it asks.
  assert.deepEqual(own.map((line) => line.split(":")[0]?.trim()), [
    "profiles",
    "hostname",
    "ports",
  ]);
  const [one, other] = ["titan10", "titan10-2"].map((service) => {
    const [, hostname] = /^ {4}hostname: (\S+)$/m.exec(composed(service)) ?? [];
    const [, port] = /^ {4}ports: \["(\S+):9464"\]$/m.exec(composed(service)) ?? [];
    return { hostname, port };
  });
  assert.deepEqual([one?.hostname, other?.hostname], ["titan10", "titan10-2"]);
  assert(other?.port !== undefined && one?.port !== other.port);
  assert.match(composed("titan10"), /^ {6}EGRESS: \S+$/m);
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
  const readme = await read("deploy/README.md");
  const [, made = ""] = /^for name in (.+); do$/m.exec(readme) ?? [];
  const written = [...readme.matchAll(/ >secrets\/(\w+)$/gm)].map(([, name = ""]) => name);
  const declared = [...COMPOSE.matchAll(/^ {2}(\w+): \{ file: \.\/secrets\/\1 \}$/gm)]
    .map(([, name = ""]) => name).toSorted();
  assert.deepEqual(declared, [...made.split(" "), ...written].toSorted());
  const used = [...COMPOSE.matchAll(/^ {4}secrets: \[(.+)\]$/gm)]
    .flatMap(([, names = ""]) => names.split(", "));
  assert.deepEqual([...new Set(used)].toSorted(), declared);
  for (const [, name = ""] of `${COMPOSE}${PROMETHEUS}`.matchAll(/\/run\/secrets\/(\w+)/g)) {
    assert(declared.includes(name), name);
  }
});

Deno.test("git and the image are kept from the secrets", async () => {
  assert.match(await read(".gitignore"), /^\/deploy\/secrets\/$/m);
  const [, ...kept] = (await read(".dockerignore")).trim().split("\n");
  assert.equal(kept[0], "*");
  assert(kept.slice(1).every((line) => line.startsWith("!") && !line.includes("deploy")));
});

Deno.test("the image's build gets all that it reads", async () => {
  const { tasks } = JSON.parse(await read("deno.json"));
  const needed = new Set<string>();
  for (const [, paths = ""] of DOCKERFILE.matchAll(/^COPY ((?:--from=build )?.+) \S+$/gm)) {
    for (const path of paths.split(" ").filter((path) => /^(?:\/build\/)?\w/.test(path))) {
      if (path !== ".") needed.add(path.replace("/build/", ""));
    }
  }
  for (const [, task = ""] of DOCKERFILE.matchAll(/deno task (\w+)/g)) {
    const [script = ""] = /\.ci\/\w+\.ts/.exec(tasks[task].command) ?? [];
    needed.add(script);
    const imported = (await read(script)).matchAll(/ from "\.\/(\w+\.ts)"/g);
    for (const [, file = ""] of imported) needed.add(`.ci/${file}`);
  }
  assert(needed.has(".ci/left_out.ts") && needed.has("deno.lock"), [...needed].join());
  const given = (await read(".dockerignore")).split("\n").flatMap((line) =>
    /^!(.+)$/.exec(line)?.[1] ?? []
  );
  const missing = [...needed].filter((path) =>
    !path.startsWith("dist/") && !given.some((one) => path === one || path.startsWith(`${one}/`))
  );
  assert.deepEqual(missing, []);
});

Deno.test("every image is named by a version and its digest", () => {
  const images = [...COMPOSE.matchAll(/^ {4}image: (\S+)$/gm)].map(([, image = ""]) => image);
  assert.deepEqual(images.splice(images.indexOf("titan10"), 1), ["titan10"]);
  const bases = [...DOCKERFILE.matchAll(/^FROM (\S+)/gm)].map(([, image = ""]) => image);
  assert.deepEqual([images.length, bases.length], [4, 2]);
  for (const image of [...images, ...bases]) assert.match(image, PINNED);
});

Deno.test("the digests are written anew from what the registries say", async () => {
  const root = await Deno.makeTempDir();
  try {
    for (const folder of ["bin", "deploy"]) await Deno.mkdir(`${root}/${folder}`);
    const paths = ["deploy/pin_images.sh", "deploy/compose.yaml", "Dockerfile"] as const;
    for (const path of paths) await Deno.copyFile(new URL(path, ROOT), `${root}/${path}`);
    const pin = async (answer: string): Promise<Deno.CommandOutput> => {
      await Deno.writeTextFile(`${root}/bin/docker`, `#!/bin/sh\n${answer}\n`, { mode: 0o755 });
      const env = { PATH: `${root}/bin:${Deno.env.get("PATH")}` };
      return await new Deno.Command(`${root}/deploy/pin_images.sh`, { env }).output();
    };
    const digests = (text: string): string => text.replaceAll(/@sha256:\w+/g, "@");
    const digest = "sha256:" + "0123456789abcdef".repeat(4);
    assert.equal((await pin(`echo ${digest}`)).code, 0);
    for (const path of paths.slice(1)) {
      const text = await Deno.readTextFile(`${root}/${path}`);
      assert.equal(digests(text), digests(await read(path)));
      const found = text.match(/@sha256:\w+/g) ?? [];
      assert(found.length >= 2 && found.every((one) => one === `@${digest}`), found.join());
    }
    const { code, stderr } = await pin("echo unauthorized");
    assert.equal(code, 1);
    assert.match(new TextDecoder().decode(stderr), /^Cannot pin \S+: .*which is no digest/);
    assert((await Deno.readTextFile(`${root}/Dockerfile`)).includes(digest));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("the compose file publishes to this machine alone", () => {
  const ports = [...COMPOSE.matchAll(/^ {4}ports: \["(.+)"\]$/gm)].map(([, port = ""]) => port);
  assert(ports.length > 0 && ports.length === COMPOSE.match(/\bports:/g)?.length);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
});

Deno.test("Prometheus scrapes containers that the compose file has", () => {
  const targets = [
    ...PROMETHEUS.matchAll(/targets: \[([\w-]+):(\d+)\]/g),
    ...PROMETHEUS.matchAll(/names: \[([\w-]+)\], type: A, port: (\d+)/g),
  ];
  assert.deepEqual(targets.map(([, name]) => name), ["titan10", "node-exporter", "titan10-2"]);
  for (const [, name = ""] of targets) composed(name);
  const [, port] = /HTTP_PORT: "(\d+)"/.exec(composed("titan10")) ?? [];
  assert.deepEqual([targets[0]?.[2], targets[2]?.[2]], [port, port]);
});

/** The value of a line of the unit. */
function setting(name: string): string {
  const [, value] = new RegExp(`^${name}=(.+)$`, "m").exec(UNIT) ?? [];
  assert(value !== undefined, `the unit does not set ${name}`);
  return value;
}

/** One container's lines of the compose file. */
function composed(name: string): string {
  const [text] = new RegExp(`^ {2}${name}:(?: &\\w+)?\\n(?:(?: {4}.*)?\\n)+`, "m").exec(COMPOSE) ??
    [];
  assert(text !== undefined, `compose.yaml has no ${name}`);
  return text;
}

/** A variable that names the file of a secret. */
function isSecretFile(name: string): boolean {
  return VARIABLES.some(({ name: of, secret }) => secret === true && `${of}_FILE` === name);
}

/** A variable of the program, or one that Deno itself reads. */
function isVariable(name: string): boolean {
  return ["DENO_TLS_CA_STORE", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_"].includes(name) ||
    VARIABLES.some((variable) => variable.name === name);
}

/** What systemd-analyze writes; undefined where it is not installed. */
async function systemdAnalyze(...args: readonly string[]): Promise<string | undefined> {
  try {
    const command = new Deno.Command("systemd-analyze", {
      args: [...args],
      cwd: fileURLToPath(ROOT),
    });
    const { stdout, stderr } = await command.output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
