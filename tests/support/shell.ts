/** A command run inside the test's own process, with all that it says. @module */
import { runCommand } from "../../lib/cli/program.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  /** What was told, and the log as far as it goes the same way. */
  readonly stderr: string;
}

/** Runs `titan10` with nothing in its environment but what it is given. */
export async function runInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  signal: AbortSignal = new AbortController().signal,
  input = "",
  clock: Clock = systemClock,
  ask?: (question: string) => Promise<string>,
): Promise<CommandResult> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const decoder = new TextDecoder();
  const code = await runCommand({
    args,
    env,
    clock,
    random: Math.random,
    signal,
    onHangup: () => {},
    print: (text) => void stdout.push(`${text}\n`),
    write: (bytes) => void stdout.push(decoder.decode(bytes, { stream: true })),
    input: new Blob([input]).stream(),
    ask,
    tell: (text) => void stderr.push(text),
    draw: () => {},
    isTerminal: false,
    canRedraw: false,
    columns: 80,
    rows: 24,
    hasColor: false,
    screen: undefined,
    hasPrintColor: false,
    giveUp: () => Promise.resolve(),
  });
  return { code, stdout: stdout.join("").replace(/\n$/, ""), stderr: stderr.join("\n") };
}
