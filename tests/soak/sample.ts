/** What the daemon takes of the machine, again and again, and whether that stays the same. @module */
import type postgres from "postgres";

export interface Sample {
  readonly rssBytes: number;
  readonly openFiles: number;
  readonly threads: number;
  /** To the database. */
  readonly connections: number;
}

type Measure = keyof Sample;

/**
 * How much more may be taken late in the run than early: a share, and so much beside it. Connections to exchanges that
 * wait for a next request are among the files, and come and go with the faults: one for each of twenty exchanges.
 */
const GROWTH_MAX: Readonly<Record<Measure, { readonly share: number; readonly beside: number }>> = {
  rssBytes: { share: 0.1, beside: 16e6 },
  openFiles: { share: 0, beside: 20 },
  threads: { share: 0, beside: 2 },
  connections: { share: 0, beside: 2 },
};

/** Fewer tell nothing: what a process takes in its first minutes is its start. */
export const SAMPLES_MIN = 40;

/** One look at the process, as Linux tells, and at its connections. */
export async function takeSample(pid: number, sql: postgres.Sql): Promise<Sample> {
  // Deno itself lets nobody read /proc who may not do everything.
  const [status, files, rows] = await Promise.all([
    outputOf("cat", [`/proc/${pid}/status`]),
    outputOf("ls", [`/proc/${pid}/fd`]),
    sql`select count(*)::int as connections from pg_stat_activity
        where application_name = 'titan10' and datname = current_database()`,
  ]);
  return {
    rssBytes: 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN),
    openFiles: files.split("\n").filter((line) => line !== "").length,
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? NaN),
    connections: rows[0]?.["connections"] ?? NaN,
  };
}

export interface Trend {
  readonly measure: Measure;
  /** Median of the second quarter of the run; the first is warming up. */
  readonly early: number;
  /** Median of the last quarter. */
  readonly late: number;
  readonly most: number;
  readonly isFlat: boolean;
}

/** How each measure has moved in the course of a run. */
export function trendsOf(samples: readonly Sample[]): readonly Trend[] {
  const quarter = Math.floor(samples.length / 4);
  return (Object.keys(GROWTH_MAX) as Measure[]).map((measure) => {
    const values = samples.map((sample) => sample[measure]);
    const early = median(values.slice(quarter, 2 * quarter));
    const late = median(values.slice(-quarter));
    const { share, beside } = GROWTH_MAX[measure];
    return {
      measure,
      early,
      late,
      most: Math.max(...values),
      isFlat: late <= early * (1 + share) + beside,
    };
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args: [...args], stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}
