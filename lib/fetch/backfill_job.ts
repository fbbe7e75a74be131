/** The job `backfill`: fetches all owed candles of all exchanges, however long that takes. @module */
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";
import { backfill } from "./backfill.ts";
import { type BackfillProgress, sumReports } from "./backfill_report.ts";

interface BackfillJobOptions {
  /** Called after every page. */
  readonly onProgress?: ((progress: BackfillProgress) => void) | undefined;
  /** Called when the backfill of all exchanges has ended, unless it was aborted. */
  readonly onEnd?: (() => void) | undefined;
  /** Called at the end of a run that wrote candles. */
  readonly onWritten: () => void;
  /** Called when a run is due; it must begin at once. */
  readonly onDue: () => void;
}

/** The job, and how to let it begin with other ranges. */
interface BackfillJob extends Job {
  /** Call when other candles of an exchange are owed. A run that is busy with it ends first. */
  readonly startOver: (exchange: string) => void;
}

export function backfillJob(archive: Archive, options: BackfillJobOptions): BackfillJob {
  /** Exchanges whose backfill is running. One that is down may be waited for until it comes back. */
  const busy = new Set<string>();
  /** Those of them of which other candles are owed now. */
  const again = new Set<string>();
  /** The only exchange of the next run. @default all of them */
  let due: string | undefined;
  const startOver = (exchange: string): void => {
    if (busy.has(exchange)) return void again.add(exchange);
    due = exchange;
    options.onDue();
  };
  return {
    name: "backfill",
    get cron() {
      return archive.config.backfillCron;
    },
    // Each run takes the exchanges that no earlier run is still busy with.
    mayOverlap: true,
    startOver,
    runOnce: async (signal) => {
      const chosen = due;
      due = undefined;
      const exchanges = archive.exchanges.filter(({ id }) =>
        !busy.has(id) && (chosen ?? id) === id
      );
      // A run may take days: it sees the settings that are in force by then.
      const own: Archive = {
        ...archive,
        exchanges,
        get config() {
          return archive.config;
        },
      };
      const wants = new Map(exchanges.map(({ id, work }) => [id, work.wants]));
      for (const { id } of exchanges) busy.add(id);
      const counts = sumReports(
        await backfill(own, {
          signal,
          patient: true,
          onProgress: (progress) => options.onProgress?.(progress),
          onExchangeEnd: (id) => {
            busy.delete(id);
            // It may have ended before its time, because other ranges are wanted.
            const isOwing = again.delete(id) || wants.get(id)?.aborted === true;
            if (isOwing && !signal.aborted) startOver(id);
          },
        }),
      );
      if (!signal.aborted) options.onEnd?.();
      if (counts.added + counts.revised > 0) options.onWritten();
      return counts;
    },
  };
}
