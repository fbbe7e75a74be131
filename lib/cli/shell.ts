/** What a command gets from its process: arguments, environment, terminal, time. @module */
import type { Clock } from "../clock.ts";
import type { GivenUp } from "../daemon/open_archive.ts";

/** The process, as a command sees it. Only main.ts uses the real one. */
export interface Shell {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Calls `listener` at each SIGHUP, which ends no command. */
  readonly onHangup: (listener: () => void) => void;
  /** Writes results to standard output, for people or for the next program. */
  readonly print: (text: string) => void;
  /** Writes bytes to standard output unchanged. @throws Deno.errors.BrokenPipe when the reader has closed it. */
  readonly write: (bytes: Uint8Array) => void;
  /** Standard input. */
  readonly input: ReadableStream<Uint8Array>;
  /** Asks the user at the terminal for one line; undefined where nobody can answer. @throws the signal's reason */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Writes progress and errors to standard error. */
  readonly tell: (text: string) => void;
  /** Replaces the last lines on the terminal of standard error. Later messages appear above them. */
  readonly draw: (lines: readonly string[]) => void;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Whether lines on standard error can be replaced: it is a terminal that supports it, and a user watches. */
  readonly canRedraw: boolean;
  /** Size of the terminal; 80 columns and 24 rows when there is none. */
  readonly columns: number;
  readonly rows: number;
  /** Whether standard error may have colours. */
  readonly hasColor: boolean;
  /** The terminal of standard output, if a user watches it. */
  readonly screen: Screen | undefined;
  /** Whether standard output may have colours. */
  readonly hasPrintColor: boolean;
  /** Gives up permissions of the process. They cannot be regained. */
  readonly giveUp: (permissions: readonly GivenUp[]) => Promise<void>;
}

/** A terminal on standard output that a command may use as a full screen. */
export interface Screen {
  /** The current size. */
  readonly columns: number;
  readonly rows: number;
  /** Writes text unchanged, including escape sequences. */
  readonly write: (text: string) => void;
}

/** The exit codes of commands. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Runs a command's action and keeps its exit code. */
export type Perform = (run: () => Promise<ExitCode>) => Promise<void>;
