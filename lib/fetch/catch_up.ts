/** The job `catch_up`: what a pause leaves owed that was too long for a poll's one page. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Job } from "../archive/job.ts";
import { ExchangeBackfill } from "./backfill.ts";
import { BackfillCompression } from "./backfill_compression.ts";
import { type BackfillCounts, sumReports } from "./backfill_report.ts";

/** Late enough that the polls of most series have ended, which ask for the newest page themselves. */
const CATCH_UP_CRON = "*/2 * * * *";

interface CatchUpOptions {
  /** Told at the end of an exchange's when candles were written. */
  readonly onWritten: () => void;
}

/** One under way. */
interface Running {
  readonly sinceMs: number;
  readonly stopping: AbortController;
}

/**
 * A short backfill of each exchange that answers again, of the time since it stopped answering. It runs beside the
 * scheduled backfill, which may be busy with years of history, or wait for another exchange for days. Where both want
 * the same page it is asked for twice, which costs a request.
 */
export class CatchUp {
  readonly #archive: Archive;
  readonly #options: CatchUpOptions;
  /** Since when something is owed, by exchange. Milliseconds. */
  readonly #owingSinceMs = new Map<string, number>();
  readonly #running = new Map<string, Running>();

  constructor(archive: Archive, options: CatchUpOptions) {
    this.#archive = archive;
    this.#options = options;
  }

  /** Says that an exchange answers again, and that no poll asks for all it owes since `sinceMs`. */
  note(exchange: string, sinceMs: number): void {
    const knownMs = this.#owingSinceMs.get(exchange) ?? Infinity;
    this.#owingSinceMs.set(exchange, Math.min(sinceMs, knownMs));
  }

  get job(): Job {
    return {
      name: "catch_up",
      cron: CATCH_UP_CRON,
      // A run waits for its exchanges, which may be away again for days.
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
    // One under way knows only of what was owed when it began: this one takes its place.
    const before = this.#running.get(id);
    before?.stopping.abort();
    const sinceMs = Math.min(
      this.#owingSinceMs.get(id) ?? Infinity,
      before?.sinceMs ?? Infinity,
    );
    this.#owingSinceMs.delete(id);
    const running: Running = { sinceMs, stopping: new AbortController() };
    this.#running.set(id, running);
    const report = await new ExchangeBackfill(this.#archive, exchange, {
      signal: AbortSignal.any([signal, running.stopping.signal]),
      patient: true,
      sinceMs,
      // Not begun: what is as young as this is not compressed yet.
      compression: new BackfillCompression(this.#archive, { signal }),
    }).run();
    if (this.#running.get(id) === running) this.#running.delete(id);
    if (report.added + report.revised > 0) this.#options.onWritten();
    return report;
  }
}
