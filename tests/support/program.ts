/** The program as a process of its own: started, read, killed. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { copyTemplate } from "./embedded_template.ts";

/** A running `titan10`. */
export interface Running {
  readonly pid: number;
  /** Everything written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when a line on either stream matches; rejects when the program ends first. */
  waitFor(pattern: RegExp): Promise<RegExpMatchArray>;
  kill(signal: Deno.Signal): void;
  /** How it ended. */
  readonly ended: Promise<Deno.CommandStatus>;
}

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

type CommandLine = readonly [string, readonly string[]];

/** The compiled program where TITAN10_BINARY names one, else the sources. */
async function findCommandLine(): Promise<CommandLine> {
  const binary = Deno.env.get("TITAN10_BINARY");
  return binary !== undefined && binary !== "" ? [binary, []] : await sourcesLine(PROJECT);
}

/** Sources as the task `titan10` runs them. */
async function sourcesLine(project: string): Promise<CommandLine> {
  const config = `${project}deno.json`;
  const { tasks } = JSON.parse(await Deno.readTextFile(config));
  const words = (tasks.titan10.command as string).split(" ");
  const flags = words.filter((word) => word.startsWith("--"));
  return [Deno.execPath(), ["run", "--quiet", "--config", config, ...flags, `${project}main.ts`]];
}

const COMMAND_LINE = await findCommandLine();

/** Whether it is the sources that run: of these alone there can be another version. */
export const RUNS_SOURCES = COMMAND_LINE[1].length > 0;

/** The program with further migrations: what a later version is to this one. */
export interface NewerProgram {
  readonly commandLine: CommandLine;
  remove(): Promise<void>;
}

/**
 * Makes a later version of the sources.
 *
 * @param migrations texts by file name, `0099_more.sql`, each later than those that there are
 */
export async function makeNewerProgram(
  migrations: Readonly<Record<string, string>>,
): Promise<NewerProgram> {
  const folder = `${await Deno.makeTempDir({ prefix: "titan10-newer-" })}/`;
  for (const name of ["main.ts", "deno.json", "deno.lock", "lib", "node_modules"]) {
    await Deno.symlink(`${PROJECT}${name}`, `${folder}${name}`);
  }
  await Deno.mkdir(`${folder}sql`);
  for await (const { name } of Deno.readDir(`${PROJECT}sql`)) {
    await Deno.symlink(`${PROJECT}sql/${name}`, `${folder}sql/${name}`);
  }
  for (const [name, text] of Object.entries(migrations)) {
    await Deno.writeTextFile(`${folder}sql/${name}`, text);
  }
  return {
    commandLine: await sourcesLine(folder),
    remove: () => Deno.remove(folder, { recursive: true }),
  };
}

/** What starts the program, without its own arguments. */
export function commandLine(): readonly string[] {
  const [command, first] = COMMAND_LINE;
  return [command, ...first];
}

/** By which a program under `faketime` sees the same time as what it was started by. */
export const FAKED_TIME: readonly string[] = ["LD_PRELOAD", "FAKETIME", "FAKETIME_SHARED"];

/** Starts the program with nothing in its environment but what it is given. */
export function start(args: readonly string[], options: StartOptions): Running {
  const [command, first] = options.program?.commandLine ?? COMMAND_LINE;
  return startProcess([command, ...first, ...args], options);
}

interface StartOptions {
  /** @default the program that is tested */
  readonly program?: NewerProgram | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Starts a line as a shell of its own does; a signal goes to all its processes, as a terminal's Ctrl-C does. */
export function startLine(line: string, options: StartOptions): Running {
  return startProcess(["sh", "-c", line], { ...options, isGroup: true });
}

function startProcess(
  [command, ...args]: readonly [string, ...string[]],
  options: StartOptions & { readonly isGroup?: boolean },
): Running {
  const inherited: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "DENO_DIR", "TMPDIR", ...FAKED_TIME]) {
    const value = Deno.env.get(name);
    if (value !== undefined) inherited[name] = value;
  }
  const child = new Deno.Command(command, {
    args,
    cwd: options.cwd,
    env: { ...inherited, NO_COLOR: "1", ...options.env },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: options.isGroup ?? false,
  }).spawn();
  const streams = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  const read = async (name: "stdout" | "stderr"): Promise<void> => {
    for await (const text of child[name].pipeThrough(new TextDecoderStream())) {
      streams[name] += text;
      for (const look of waiting) look();
    }
  };
  const drained = Promise.all([read("stdout"), read("stderr")]);
  const ended = child.status.then(async (status) => {
    await drained;
    return status;
  });
  return {
    pid: child.pid,
    stdout: () => streams.stdout,
    stderr: () => streams.stderr,
    ended,
    kill: (signal) => {
      try {
        Deno.kill(options.isGroup === true ? -child.pid : child.pid, signal);
      } catch {
        // It has ended by itself meanwhile.
      }
    },
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = streams.stdout.match(pattern) ?? streams.stderr.match(pattern);
          if (match === null) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        look();
        ended.then(() => {
          look();
          reject(new Error(`ended before ${pattern}:\n${streams.stdout}\n${streams.stderr}`));
        });
      }),
  };
}

/** Runs the program to its end. */
export async function run(
  args: readonly string[],
  options: StartOptions,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const program = start(args, options);
  const { code } = await program.ended;
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}

/** A directory for one test, removed afterwards. */
export async function withDirectory<T>(use: (cwd: string) => Promise<T>): Promise<T> {
  const cwd = await Deno.makeTempDir({ prefix: "titan10-e2e-" });
  try {
    return await use(cwd);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** The same, with an embedded database in it that is made already: the first start need not make one. */
export async function withArchiveDirectory<T>(use: (cwd: string) => Promise<T>): Promise<T> {
  return await withDirectory(async (cwd) => {
    await copyTemplate(`${cwd}/titan10-data`);
    return await use(cwd);
  });
}

/** Asserts on the exit code with everything the program said in the message. */
export function assertCode(
  result: { readonly code: number; readonly stdout: string; readonly stderr: string },
  code: number,
): void {
  assert.equal(result.code, code, `${result.stdout}\n${result.stderr}`);
}
