/** Says that a command was stopped by a signal before its end, and how to go on. @module */

/** Why the shell's signal is aborted when a user or a supervisor ends the program. */
export class Stopped extends Error {
  override readonly name = "Stopped";
  /** As people call it. */
  readonly by: string;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`stopped by ${signal}`);
    this.by = signal === "SIGINT" ? "Ctrl-C" : signal;
  }
}

/** Why it is aborted when the reader of standard output has read enough, as `head` does. */
export class Unread extends Error {
  override readonly name = "Unread";
}

/** How each command goes on. Those that only show something are run again. */
const GOING_ON: Readonly<Record<string, string>> = {
  run: "titan10 run continues where it stopped",
  backfill: "What was fetched is stored. titan10 backfill fetches the rest",
  gaps: "What was found and filled is stored. Run titan10 gaps again for the whole list",
  import: "No row is stored twice: run the same titan10 import again to go on",
  export: "No file of -o was written: run titan10 export again",
  report: "No file of --html was written: run titan10 report again",
  copy: "Run titan10 copy again to go on. No daemon starts on the copy until it is complete",
  migrate: "Each migration is applied as a whole or not at all: run titan10 migrate again to go on",
  demo: "The demo's archive is removed",
  add: "Run titan10 add again to be sure: what is done already is not done twice",
  forget: "Run titan10 forget again to be sure: what is done already is not done twice",
};

/** Commands that end at a signal with what they have so far, instead of an error. */
const ENDS_EARLY: ReadonlySet<string> = new Set(["backfill", "gaps", "demo"]);

/**
 * The sentence for a command that was stopped. Undefined where it was not stopped by a signal, or has done all it had to.
 *
 * @param options.isBroken Whether it ended with an error.
 */
export function stoppedText(
  command: string,
  { signal, isBroken }: { readonly signal: AbortSignal; readonly isBroken: boolean },
): string | undefined {
  const { reason } = signal;
  if (!(reason instanceof Stopped) || !(isBroken || ENDS_EARLY.has(command))) return undefined;
  const goingOn = GOING_ON[command] ?? `Run titan10 ${command} again for all of it`;
  return `Stopped by ${reason.by}. ${goingOn}.`;
}

/** The same for the daemon, whose end by a signal is the usual one. */
export function daemonStoppedText(signal: AbortSignal): string | undefined {
  return stoppedText("run", { signal, isBroken: true });
}
