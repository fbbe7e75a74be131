/** Connects the program to its process: arguments, environment, terminal, signals. @module */
import process from "node:process";
import { endOnCrash } from "./lib/cli/crash.ts";
import { runCommand } from "./lib/cli/program.ts";
import { Stopped, Unread } from "./lib/cli/stopped.ts";
import { type Abilities, abilitiesOf, DrawnLines } from "./lib/cli/terminal.ts";
import { systemClock } from "./lib/clock.ts";

/** A shutdown that takes longer is cut off, because supervisors kill the process after ten seconds. */
const SHUTDOWN_MS_MAX = 9_000;

/**
 * Under `deno task` one Ctrl-C arrives several times: from the terminal, and from each task around the program. Signals
 * within this time count as one. The wait is split into pieces because a busy thread receives signals late.
 */
const SIGNAL_ECHO = { pieces: 10, pieceMs: 100 } as const;

const UNREAD = "nobody reads standard output";

const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

interface Stream extends Abilities {
  readonly isTerminal: boolean;
  /** Writes all bytes. Returns false when the reader has closed the stream. */
  readonly write: (bytes: Uint8Array) => boolean;
}

if (import.meta.main) {
  const stopping = new AbortController();
  let signalCode: number | undefined;
  let isEcho = false;
  const ignoreEchoes = async (): Promise<void> => {
    isEcho = true;
    for (let piece = 0; piece < SIGNAL_ECHO.pieces; piece++) {
      await systemClock.sleep(SIGNAL_ECHO.pieceMs);
    }
    isEcho = false;
  };
  for (const [name, code] of Object.entries(SIGNAL_EXIT_CODES)) {
    Deno.addSignalListener(name as Deno.Signal, () => {
      if (isEcho && signalCode === code) return;
      // A second signal ends the process at once.
      if (signalCode !== undefined) Deno.exit(code);
      signalCode = code;
      ignoreEchoes();
      stopping.abort(new Stopped(name as keyof typeof SIGNAL_EXIT_CODES));
      systemClock.sleep(SHUTDOWN_MS_MAX).then(() => Deno.exit(code));
    });
  }
  const hangups = new Set<() => void>();
  // Without a listener this signal would end the process.
  Deno.addSignalListener("SIGHUP", () => {
    for (const listener of hangups) listener();
  });
  const env = Deno.env.toObject();
  const [out, err] = [Deno.stdout, Deno.stderr].map((stream) => {
    const isTerminal = stream.isTerminal();
    return { isTerminal, write: writer(stream), ...abilitiesOf(isTerminal, env) };
  }) as [Stream, Stream];
  const size = (): { readonly columns: number; readonly rows: number } => {
    const { columns, rows } = out.isTerminal || err.isTerminal
      ? Deno.consoleSize()
      : { columns: 0, rows: 0 };
    // Some terminals report a size of 0.
    return { columns: columns || 80, rows: rows || 24 };
  };
  const encoder = new TextEncoder();
  const print = (bytes: Uint8Array): void => {
    // The reader closed the pipe, as `head` does. Stop, because no more output can be written.
    if (!out.write(bytes)) stopping.abort(new Unread(UNREAD));
  };
  const below = new DrawnLines((text) => err.write(encoder.encode(text)));
  endOnCrash((text) => below.tell(text));
  const exitCode = await runCommand({
    giveUp: async (permissions) => {
      for (const name of permissions) await Deno.permissions.revoke({ name });
      // Libraries that look up a variable then find none, instead of an error.
      if (permissions.includes("env")) process.env = {};
    },
    args: Deno.args,
    env,
    clock: systemClock,
    random: Math.random,
    signal: stopping.signal,
    onHangup: (listener) => void hangups.add(listener),
    print: (text) => below.above(() => print(encoder.encode(`${text}\n`))),
    write: (bytes) => {
      if (!out.write(bytes)) throw new Deno.errors.BrokenPipe(UNREAD);
    },
    get input(): ReadableStream<Uint8Array> {
      return Deno.stdin.readable;
    },
    ask: Deno.stdin.isTerminal() && err.isTerminal
      ? (question) => ask(question, { write: err.write, signal: stopping.signal })
      : undefined,
    tell: (text) => below.tell(text),
    draw: (lines) => below.draw(lines),
    isTerminal: err.isTerminal,
    canRedraw: err.canRedraw,
    ...size(),
    hasColor: err.hasColor,
    screen: out.canRedraw
      ? {
        get columns() {
          return size().columns;
        },
        get rows() {
          return size().rows;
        },
        write: (text) => out.write(encoder.encode(text)),
      }
      : undefined,
    hasPrintColor: out.hasColor,
  });
  Deno.exit(signalCode ?? exitCode);
}

/** A terminal hands over whole lines. */
async function ask(
  question: string,
  { write, signal }: Pick<Stream, "write"> & { readonly signal: AbortSignal },
): Promise<string> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  write(new TextEncoder().encode(question));
  const line = new Uint8Array(1024);
  const bytes = await Promise.race([Deno.stdin.read(line), aborted]);
  return new TextDecoder().decode(line.subarray(0, bytes ?? 0)).trim();
}

function writer(stream: typeof Deno.stdout): (bytes: Uint8Array) => boolean {
  return (bytes) => {
    try {
      for (let written = 0; written < bytes.length;) {
        written += stream.writeSync(bytes.subarray(written));
      }
      return true;
    } catch (error) {
      // The log may fail (reader gone, disk full) without stopping the archive. A failed write of data must be reported.
      if (stream === Deno.stdout && !(error instanceof Deno.errors.BrokenPipe)) throw error;
      return false;
    }
  };
}
