/** What a command gets from the process around it: arguments, environment, terminal, time. @module */
import type { Clock } from "../clock.ts";
import type { GivenUp } from "../daemon/open_archive.ts";

/** The process, as seen by a command. Only main.ts touches the real one. */
export interface Shell {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Writes data, for people or for the next program. */
  readonly print: (text: string) => void;
  /** Writes data as they are, such as a file. @throws Deno.errors.BrokenPipe when nobody reads on. */
  readonly write: (bytes: Uint8Array) => void;
  /** What is given on standard input. */
  readonly input: ReadableStream<Uint8Array>;
  /** Writes progress and errors. */
  readonly tell: (text: string) => void;
  /** Replaces the lines that the terminal of standard error shows last; what is told appears above them. */
  readonly draw: (lines: readonly string[]) => void;
  /** Whether standard error goes to a terminal. */
  readonly isTerminal: boolean;
  /** Whether lines on standard error may be replaced: somebody at a terminal that can. */
  readonly canRedraw: boolean;
  /** Size of the terminal; 80 columns and 24 rows where there is none. */
  readonly columns: number;
  readonly rows: number;
  /** Whether what is told may be coloured. */
  readonly hasColor: boolean;
  /** The terminal that standard output goes to, where somebody watches it. */
  readonly screen: Screen | undefined;
  /** Whether what is printed may be coloured. */
  readonly hasPrintColor: boolean;
  /** Gives permissions of the process up for good. */
  readonly giveUp: (permissions: readonly GivenUp[]) => Promise<void>;
}

/** A terminal on standard output that a command may take for itself. */
export interface Screen {
  /** Its present size. */
  readonly columns: number;
  readonly rows: number;
  /** Writes as it is, escape sequences included. */
  readonly write: (text: string) => void;
}

/** What a command ends with. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Is given what a command does, to do it and keep its exit code. */
export type Perform = (run: () => Promise<ExitCode>) => Promise<void>;
