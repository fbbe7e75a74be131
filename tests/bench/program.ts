/** Processes of a benchmark: the fast exchange, and the program itself as a user starts it. @module */
import { commandLine } from "../support/program.ts";

export interface Process {
  readonly pid: number;
  /** Ends it and waits for that. */
  stop(): Promise<void>;
}

export interface FastExchange extends Process {
  readonly url: string;
}

/** The program's own settings for the fast exchange. */
export function fastSettings({ url }: FastExchange): Readonly<Record<string, string>> {
  return {
    EXCHANGES: "binance",
    SYMBOLS: "COIN0/USDT,COIN1/USDT,COIN2/USDT,COIN3/USDT",
    TIMEFRAMES: "1m",
    EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1, urls: { api: { public: `${url}/api/v3` } } }),
    FETCH_TIMEOUT: "30s",
  };
}

/** Series that {@linkcode fastSettings} name. */
export const FAST_SERIES = 4;

/** Starts the fast exchange and waits until it listens. */
export async function startFastExchange(): Promise<FastExchange> {
  const { firstLine, ...process } = await startServer("fast_exchange.ts", []);
  return { ...process, url: firstLine };
}

/** Starts a server of this folder and waits for its first line, which says where it listens. */
export async function startServer(
  file: string,
  args: readonly string[],
): Promise<Process & { readonly firstLine: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-net", fileOf(file), ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const { pid, stop } = processOf(child);
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  let text = "";
  for await (const part of lines.values({ preventCancel: true })) {
    text += part;
    if (text.includes("\n")) break;
  }
  return {
    pid,
    firstLine: text.split("\n")[0] ?? "",
    async stop(): Promise<void> {
      await lines.cancel();
      await stop();
    },
  };
}

/** Starts the program with its task's flags, or the executable that TITAN10_BINARY names. */
export function startProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Process & { readonly ended: Promise<boolean> } {
  const [command = "", ...first] = commandLine();
  const child = new Deno.Command(command, {
    args: [...first, ...args],
    env: { ...env, LOG_LEVEL: "error" },
    stdout: "null",
    stderr: "null",
  }).spawn();
  return { ...processOf(child), ended: child.status.then(({ success }) => success) };
}

/** The most memory that a process has had resident so far, as Linux tells; 0 when it has ended. Bytes. */
export async function peakBytes(pid: number): Promise<number> {
  // Deno itself lets nobody read /proc who may not do everything.
  const { stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/status`],
    stderr: "null",
  }).output();
  return 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(new TextDecoder().decode(stdout))?.[1] ?? 0);
}

export interface Usage {
  /** Of processors, since the process began. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/** What a process has taken, as Linux tells. */
export async function usageOf(pid: number): Promise<Usage> {
  const { stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/stat`, `/proc/${pid}/status`],
  }).output();
  const text = new TextDecoder().decode(stdout);
  // The program's name is in parentheses, and may have spaces. Times are hundredths of seconds.
  const fields = text.slice(text.indexOf(") ") + 2).split(" ");
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
    residentBytes: 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? NaN),
  };
}

function processOf(child: Deno.ChildProcess): Process {
  return {
    pid: child.pid,
    async stop(): Promise<void> {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended by itself.
      }
      await child.status;
    },
  };
}

function fileOf(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
