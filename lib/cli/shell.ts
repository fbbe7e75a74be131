/** What a command gets from the process around it: arguments, environment, terminal, time. @module */
import type { Clock } from "../clock.ts";
import type { GivenUp } from "../open_archive.ts";

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
  /** Replaces the line that the terminal shows last. Only for terminals. */
  readonly draw: (text: string) => void;
  /** Whether progress is shown to a person at a terminal, who can be shown a bar. */
  readonly isTerminal: boolean;
  /** Width of the terminal; 80 where there is none. */
  readonly columns: number;
  readonly hasColor: boolean;
  /** Gives permissions of the process up for good. */
  readonly giveUp: (permissions: readonly GivenUp[]) => Promise<void>;
}

/** What a command ends with. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
