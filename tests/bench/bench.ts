/** What a benchmark is given and what it returns. @module */
import { systemClock } from "../../lib/clock.ts";
import type { TestDatabase } from "../support/test_database.ts";

export interface Bench {
  /** Its letter in the table of docs/measured.md, and what is measured: `b page write`. */
  readonly name: string;
  run(context: BenchContext): Promise<readonly Result[]>;
}

export interface BenchContext {
  /** An empty database with the schema in place; a fresh one for each benchmark. */
  readonly opened: TestDatabase;
  /** How large the benchmark is made, 1 for the figures in docs/measured.md; less for a quick look. */
  readonly scale: number;
  /** A file of 1m candles to use instead of invented ones, where a benchmark can. */
  readonly data?: string | undefined;
}

export interface Result {
  readonly bench: string;
  readonly value: number;
  readonly unit: string;
  /** The value in proportion to what it is compared with, measured in the same run. */
  readonly ratio: number;
  /** What the ratio compares with. */
  readonly against: string;
}

/** How long something takes. Milliseconds, at least one. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startMs = systemClock.now();
  await work();
  return Math.max(1, systemClock.now() - startMs);
}
