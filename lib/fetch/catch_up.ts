/** The job `catch_up`: after a pause too long for one page of a poll, fetches the candles owed since then. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Job } from "../archive/job.ts";
import { ExchangeBackfill } from "./backfill.ts";
import { BackfillCompression } from "./backfill_compression.ts";
import { type BackfillCounts, sumReports } from "./backfill_report.ts";

/** Every two minutes: by then most polls have ended, and those have fetched the newest page already. */
const CATCH_UP_CRON = "*/2 * * * *";

interface CatchUpOptions {
  /** Called when the catch-up of an exchange has ended and candles were written. */
  readonly onWritten: () => void;
}

/** A catch-up in progress. */
interface Running {
  readonly sinceMs: number;
  readonly stopping: AbortController;
}

/**
 * When an exchange answers again after a pause, backfills the time since the pause began. This runs concurrently with
 * the scheduled backfill, which may fetch years of history or wait days for another exchange. If both need the same
 * page, it is requested twice, which costs one request.
 */
export class CatchUp {
  readonly #archive: Archive;
  readonly #options: CatchUpOptions;
  /** Since when candles are owed, by exchange. Milliseconds. */
  readonly #owingSinceMs = new Map<string, number>();
  readonly #running = new Map<string, Running>();

  constructor(archive: Archive, options: CatchUpOptions) {
    this.#archive = archive;
    this.#options = options;
  }

  /** Call when an exchange answers again, but polls do not fetch all candles owed since `sinceMs`. */
  note(exchange: string, sinceMs: number): void {
    const knownMs = this.#owingSinceMs.get(exchange) ?? Infinity;
    this.#owingSinceMs.set(exchange, Math.min(sinceMs, knownMs));
  }

  get job(): Job {
    return {
      name: "catch_up",
      cron: CATCH_UP_CRON,
      // A run waits for its exchanges, and these may be down again for days.
      mayOverlap: true,
      isQuiet: true,
      runOnce: async (signal) => {
        const owing = this.#archive.exchanges.filter(({ id }) => this.#owingSinceMs.has(id));
        return sumReports(await Promise.all(owing.map((one) => this.#catchUp(one, signal))));
      },
    };
  }

  async #catchUp(exchange: ArchivedExchange, signal: AbortSignal): Promise<BackfillCounts> {
    const { id } = exchange;
    // A catch-up in progress fetches only what was owed when it began, so the new one replaces it.
    const before = this.#running.get(id);
    before?.stopping.abort();
    const sinceMs = Math.min(
      this.#owingSinceMs.get(id) ?? Infinity,
      before?.sinceMs ?? Infinity,
    );
    this.#owingSinceMs.delete(id);
    const running: Running = { sinceMs, stopping: new AbortController() };
    this.#running.set(id, running);
    let left: number | undefined;
    const { wants } = exchange.work;
    try {
      const report = await new ExchangeBackfill(this.#archive, exchange, {
        signal: AbortSignal.any([signal, running.stopping.signal]),
        patient: true,
        sinceMs,
        // Not started, so it does nothing: candles this recent are not compressed yet.
        compression: new BackfillCompression(this.#archive, { signal }),
      }).run();
      left = report.left;
      if (report.added + report.revised > 0) this.#options.onWritten();
      return report;
    } finally {
      const isNewest = this.#running.get(id) === running;
      if (isNewest) this.#running.delete(id);
      // The polls have moved on, so without this nothing would ask for the rest before the next backfill.
      if (isNewest && (left === undefined || wants.aborted)) this.note(id, sinceMs);
    }
  }
}
