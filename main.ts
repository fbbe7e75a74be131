/** The program's only contact with the process: arguments, environment, terminal, signals. @module */
import { endOnCrash } from "./lib/cli/crash.ts";
import { runCommand } from "./lib/cli/program.ts";
import { systemClock } from "./lib/clock.ts";

/** A shutdown that takes longer is ended: supervisors kill after ten seconds. */
const SHUTDOWN_MS_MAX = 9_000;

const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

if (import.meta.main) {
  const stopping = new AbortController();
  let signalCode: number | undefined;
  for (const [name, code] of Object.entries(SIGNAL_EXIT_CODES)) {
    Deno.addSignalListener(name as Deno.Signal, () => {
      // A second signal means: now.
      if (signalCode !== undefined) Deno.exit(code);
      signalCode = code;
      stopping.abort(new Error(`stopped by ${name}`));
      systemClock.sleep(SHUTDOWN_MS_MAX).then(() => Deno.exit(code));
    });
  }
  const isTerminal = Deno.stderr.isTerminal();
  const encoder = new TextEncoder();
  const writeBytes = (stream: typeof Deno.stdout, bytes: Uint8Array): void => {
    for (let written = 0; written < bytes.length;) {
      written += stream.writeSync(bytes.subarray(written));
    }
  };
  const write = (stream: typeof Deno.stdout, text: string): void =>
    writeBytes(stream, encoder.encode(text));
  endOnCrash((text) => write(Deno.stderr, `${text}\n`));
  const exitCode = await runCommand({
    giveUp: async (permissions) => {
      for (const name of permissions) await Deno.permissions.revoke({ name });
    },
    args: Deno.args,
    env: Deno.env.toObject(),
    clock: systemClock,
    random: Math.random,
    signal: stopping.signal,
    print: (text) => write(Deno.stdout, `${text}\n`),
    write: (bytes) => writeBytes(Deno.stdout, bytes),
    get input(): ReadableStream<Uint8Array> {
      return Deno.stdin.readable;
    },
    tell: (text) => write(Deno.stderr, `${text}\n`),
    draw: (text) => write(Deno.stderr, `\r\x1b[2K${text}`),
    isTerminal,
    columns: isTerminal ? Deno.consoleSize().columns : 80,
    hasColor: isTerminal && !Deno.noColor,
  });
  Deno.exit(signalCode ?? exitCode);
}
