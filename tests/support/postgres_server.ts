/** A throwaway PostgreSQL server on loopback, for tests that kill what they talk to. @module */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { canFollow, findPrograms, isPackageWanted } from "./postgres_programs.ts";

export { findPrograms };

export interface PostgresServer {
  /** `postgres://…`, the same for the server's whole life, restarts included. */
  readonly url: string;
  /** The directory of its unix socket, which it has when it was asked for. */
  readonly socketDir: string;
  /**
   * Kills the server and everything it started, without a warning. Resolves when all of them are gone,
   * so nothing of the old server meets the new one.
   */
  kill9(): Promise<void>;
  /** Stops the server and everything it started in their tracks: connections stay open, and nobody answers. */
  freeze(): Promise<void>;
  /** Lets a frozen server go on. */
  thaw(): Promise<void>;
  /**
   * Starts the server again on the same data and port, ending it first when it runs. Resolves when it answers.
   *
   * @param options.isStandby it answers reads alone, as after a failover to another server, until `pg_promote()`.
   */
  restart(options?: { readonly isStandby?: boolean }): Promise<void>;
  /** Ends the server, if it runs, and removes its data. */
  stop(): Promise<void>;
}

/** What a server proves itself with, as PEM. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** Not in the range that systems take the ports of outgoing connections from: while the server is down nobody else gets its port. */
const PORTS = { first: 10_000, last: 32_767 };
const PORT_TRIES_MAX = 20;

/** Recovery after a kill is what takes long. */
const READY_MS_MAX = 60_000;
const READY_EVERY_MS = 10;

/** Enough of the end of the server's log to say why it did not start. */
const LOG_CHARS_MAX = 4_000;

export interface PostgresOptions {
  /** Directory that the server's data are kept below. @default the system's for temporary files */
  readonly within?: string | undefined;
  /** Has the server speak TLS. */
  readonly tls?: ServerCertificate | undefined;
  /** Leaves it the machine's time under `faketime`, by which a server's timeouts do not pass. */
  readonly hasRealTime?: boolean | undefined;
  /** Has the server listen on a unix socket, too. */
  readonly hasSocket?: boolean | undefined;
  /** URL of the server that it follows, as a hot standby with all of its data. */
  readonly standbyOf?: string | undefined;
}

/**
 * Starts a PostgreSQL without durability, which nobody but this machine reaches and where everybody is
 * trusted.
 *
 * @returns undefined, with the reason printed, when PostgreSQL is not installed.
 * @throws when it is installed but does not start.
 */
export async function startPostgres(
  { within, tls, hasRealTime = false, hasSocket = false, standbyOf }: PostgresOptions = {},
): Promise<PostgresServer | undefined> {
  const programs = await findPrograms();
  if (programs === undefined) {
    console.log(
      `no PostgreSQL server: it is neither on PATH nor in /usr/lib/postgresql, and the package that tests bring is not for ${Deno.build.target}`,
    );
    return undefined;
  }
  const folder = await Deno.makeTempDir({
    prefix: "titan10-postgres-",
    ...(within === undefined ? {} : { dir: within }),
  });
  try {
    const user = await serverUser(folder);
    if (user !== undefined) await Deno.chown(folder, user.uid, user.gid);
    const cluster = new Cluster({
      programs,
      user,
      folder,
      tls,
      hasRealTime,
      hasSocket,
      standbyOf,
    });
    await again(() => cluster.create());
    await cluster.start();
    return cluster;
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** Starts one that standbys can follow; undefined, with the reason printed, where that cannot be. */
export async function startPrimary(): Promise<PostgresServer | undefined> {
  if (await canFollow()) return await startPostgres();
  console.log("no standby: pg_basebackup, which copies a server, is not installed");
  return undefined;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whom the server runs as, undefined for the user who runs the tests and so owns `folder`. PostgreSQL
 * refuses to run as root.
 */
export async function serverUser(folder: string): Promise<User | undefined> {
  if ((await Deno.stat(folder)).uid !== 0) return undefined;
  const accounts = (await Deno.readTextFile("/etc/passwd")).split("\n").map((line) =>
    line.split(":")
  );
  for (const wanted of ["postgres", "nobody"]) {
    const [, , uid, gid] = accounts.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    "Cannot start PostgreSQL as root: there is neither a user postgres nor a user nobody",
  );
}

interface ClusterOptions {
  readonly programs: string;
  readonly user: User | undefined;
  readonly folder: string;
  /** Without it the server does not support TLS. */
  readonly tls: ServerCertificate | undefined;
  readonly hasRealTime: boolean;
  readonly hasSocket: boolean;
  readonly standbyOf: string | undefined;
}

interface Running {
  readonly process: Deno.ChildProcess;
  /** Resolves with the end of the log when the server and everything it started are gone. */
  readonly log: Promise<string>;
}

class Cluster implements PostgresServer {
  readonly #options: ClusterOptions;
  readonly #data: string;
  #port = 0;
  #running: Running | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#data = join(options.folder, "data");
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/postgres`;
  }

  get socketDir(): string {
    return this.#options.folder;
  }

  async create(): Promise<void> {
    const { standbyOf } = this.#options;
    const copies = ["--write-recovery-conf", "--checkpoint=fast", `--dbname=${standbyOf}`];
    const makes = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"];
    // Text in another order than the order of its bytes, as most servers have it.
    if (isPackageWanted()) makes.push("--locale-provider=icu", "--icu-locale=en-US");
    const [program, flags] = standbyOf === undefined
      ? ["initdb", makes] as const
      : ["pg_basebackup", copies] as const;
    const { code, stdout, stderr } = await this.#command(program, [
      `--pgdata=${this.#data}`,
      "--no-sync",
      ...flags,
    ]).output();
    if (code !== 0) {
      throw new Error(`Cannot create a PostgreSQL cluster: ${text(stdout)}${text(stderr)}`);
    }
    await Deno.writeTextFile(
      join(this.#data, "pg_hba.conf"),
      ["local all all trust", "host all,replication all 127.0.0.1/32 trust", ""].join("\n"),
    );
    const { tls, user } = this.#options;
    if (tls === undefined) return;
    for (const [name, pem] of [["server.crt", tls.certificate], ["server.key", tls.key]] as const) {
      const path = join(this.#data, name);
      await Deno.writeTextFile(path, pem, { mode: 0o600 });
      if (user !== undefined) await Deno.chown(path, user.uid, user.gid);
    }
  }

  async start(): Promise<void> {
    const isNew = this.#port === 0;
    await again(async () => {
      if (isNew) this.#port = freePort();
      await this.#startOnce();
    });
  }

  async #startOnce(): Promise<void> {
    const settings = {
      listen_addresses: "127.0.0.1",
      port: this.#port,
      unix_socket_directories: this.#options.hasSocket ? this.socketDir : "",
      max_connections: 50,
      fsync: "off",
      logging_collector: "off",
      ssl: this.#options.tls === undefined ? "off" : "on",
    };
    const process = this.#command("postgres", [
      "-D",
      this.#data,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ]).spawn();
    this.#running = { process, log: tail(process.stderr) };
    await this.#ready(this.#running);
  }

  async kill9(): Promise<void> {
    if (this.#running === undefined) return;
    const { process } = this.#running;
    // Its children outlive it by a statement, and would go on writing what no client waits for.
    const children = await childrenOf(process.pid);
    signal(() => process.kill("SIGKILL"));
    for (const pid of children) signal(() => Deno.kill(pid, "SIGKILL"));
    await this.#ended();
  }

  freeze(): Promise<void> {
    return this.#signalAll("SIGSTOP");
  }

  thaw(): Promise<void> {
    return this.#signalAll("SIGCONT");
  }

  async #signalAll(name: Deno.Signal): Promise<void> {
    if (this.#running === undefined) return;
    const { pid } = this.#running.process;
    for (const one of [pid, ...await childrenOf(pid)]) signal(() => Deno.kill(one, name));
  }

  async restart({ isStandby = false }: { readonly isStandby?: boolean } = {}): Promise<void> {
    await this.#shutDown();
    if (isStandby) await Deno.writeTextFile(join(this.#data, "standby.signal"), "");
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#shutDown();
    await Deno.remove(this.#options.folder, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  /** SIGINT is PostgreSQL's fast shutdown: clients are disconnected, data is written. */
  async #shutDown(): Promise<void> {
    if (this.#running === undefined) return;
    const { process } = this.#running;
    signal(() => process.kill("SIGINT"));
    await this.#ended();
  }

  async #ended(): Promise<string> {
    const running = this.#running;
    this.#running = undefined;
    await running?.process.status;
    return await running?.log ?? "";
  }

  async #ready({ process }: Running): Promise<void> {
    const deadlineMs = Date.now() + READY_MS_MAX;
    let hasEnded = false;
    process.status.then(() => hasEnded = true);
    for (;;) {
      const isReady = await answers(this.#port);
      // Asked after the answer: another server on this port must not be taken for ours.
      if (hasEnded) throw new Error(`Cannot start PostgreSQL: ${await this.#ended()}`);
      if (isReady) return;
      if (Date.now() > deadlineMs) {
        await this.kill9();
        throw new Error(`Cannot start PostgreSQL: no answer within ${READY_MS_MAX / 1000} s`);
      }
      await setTimeout(READY_EVERY_MS);
    }
  }

  #command(name: string, args: readonly string[]): Deno.Command {
    const { programs, user, folder, hasRealTime } = this.#options;
    const program = join(programs, name);
    const env: Record<string, string> = hasRealTime ? { LD_PRELOAD: "" } : {};
    const options = { cwd: folder, env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
    // The server's log is read from stderr; its stdout stays empty, and an unread pipe would be a leak.
    const stdout = name === "postgres" ? "null" : "piped";
    if (user === undefined) {
      return new Deno.Command(program, { ...options, stdout, args: [...args] });
    }
    return new Deno.Command("setpriv", {
      ...options,
      stdout,
      args: [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", program, ...args],
    });
  }
}

/**
 * What ends the programs of a server by chance: another process took the port, or has left memory behind, by `faketime` and
 * under the same process number, that the server's user may not open.
 */
const CHANCE = /Address already in use|libfaketime/;

const TRIES_MAX = 5;

/** Tries once more what failed by chance. */
async function again(act: () => Promise<void>): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await act();
    } catch (error) {
      if (tries === TRIES_MAX || !CHANCE.test(String(error))) throw error;
    }
  }
}

/** Whether a server lets a login in. One that is starting or recovering answers with an error. */
async function answers(port: number): Promise<boolean> {
  const names = new TextEncoder().encode("user\0postgres\0database\0postgres\0\0");
  const hello = new Uint8Array(8 + names.length);
  new DataView(hello.buffer).setUint32(0, hello.length);
  new DataView(hello.buffer).setUint32(4, 3 << 16);
  hello.set(names, 8);
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(hello);
    const answer = new Uint8Array(1);
    await connection.read(answer);
    return answer[0] === "R".charCodeAt(0);
  } catch {
    return false;
  }
}

/** Tried by taking it: only the system knows which ports are free. */
function freePort(): number {
  for (let tries = 0;; tries++) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first + 1));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (tries === PORT_TRIES_MAX) throw error;
    }
  }
}

/** The processes that a process started, where the system tells; elsewhere they end by themselves. */
async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/task/${pid}/children`],
    stderr: "null",
  }).output();
  return text(stdout).split(/\s+/).filter((word) => word !== "").map(Number);
}

/** Sends a signal, to a process that may be gone by now. */
function signal(send: () => void): void {
  try {
    send();
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound || error instanceof TypeError;
    if (!isGone) throw error;
  }
}

/** Every process of the server holds the pipe's other end, so it ends with the last of them. */
async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let end = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    end = (end + part).slice(-LOG_CHARS_MAX);
  }
  return end;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
