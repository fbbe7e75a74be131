/** Keeps compression out of a backfill's way, and compresses each chunk once when it is written. @module */
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable } from "../store/candle_table.ts";
import { compressChunks, pauseCompression, resumeCompression } from "../store/compression.ts";
import { timescaleVersion } from "../store/connection/migrations.ts";
import type { Archive } from "../archive/archive.ts";

/**
 * An exchange that has written nothing for this long is away, and compression waits for it no longer: a daemon
 * may wait for an exchange for weeks, and what the others write would fill the disk meanwhile.
 */
const IDLE_MS = 60 * 60_000;

/**
 * What one backfill and the compression policies have to do with each other. A policy that runs while history is
 * written would compress chunks that are half full, and every later page would have to open them again. So the
 * policy of a table is paused from the first page that is written behind `COMPRESS_AFTER` until no exchange of
 * this backfill writes there any more; then what is finished is compressed and the policy resumed.
 *
 * Nothing is lost if the process dies in between: whoever opens the archive next, or begins the next backfill,
 * resumes what it finds paused. That may be a second process on the same server, beside a backfill that still
 * runs. The chunks it then compresses early can still be written, only more slowly, which is cheaper than
 * keeping locks or counts that a killed process would leave behind.
 */
export class BackfillCompression {
  readonly #archive: Archive;
  readonly #signal: AbortSignal | undefined;
  /** The exchanges that write to a timeframe's table, by its text. Its policy is paused while there is one. */
  readonly #writers = new Map<string, Set<string>>();
  readonly #lastWriteMs = new Map<string, number>();
  #isAtWork = false;

  constructor(archive: Archive, { signal }: { readonly signal?: AbortSignal | undefined }) {
    this.#archive = archive;
    this.#signal = signal;
  }

  /** Resumes what a backfill before this one left paused. Never throws. */
  async start(): Promise<void> {
    const { config, database } = this.#archive;
    if (config.compressAfterMs === undefined) return;
    await this.#attempt("compression policies were not resumed", async () => {
      this.#isAtWork = await timescaleVersion(database) !== null;
      if (this.#isAtWork) await resumeCompression(database);
    });
  }

  /** To be told of every page that brought candles. Never throws. */
  async noteWritten(
    exchange: string,
    { timeframe, window }: { readonly timeframe: Timeframe; readonly window: Window },
  ): Promise<void> {
    const { clock, database } = this.#archive;
    if (!this.#isAtWork || window.sinceMs >= this.#compressBeforeMs()) return;
    this.#lastWriteMs.set(exchange, clock.now());
    const writers = this.#writers.get(timeframe.text);
    writers?.add(exchange);
    if (writers !== undefined) return;
    this.#writers.set(timeframe.text, new Set([exchange]));
    await this.#attempt(
      "a compression policy was not paused",
      () => pauseCompression(database, timeframe),
    );
  }

  /** To be told when an exchange has to be waited for. Never throws. */
  async noteWaiting(exchange: string): Promise<void> {
    const lastMs = this.#lastWriteMs.get(exchange);
    if (lastMs === undefined || this.#archive.clock.now() < lastMs + IDLE_MS) return;
    await this.end(exchange);
  }

  /** Compresses what only this exchange was still writing, and resumes the policies. Never throws. */
  async end(exchange: string): Promise<void> {
    this.#lastWriteMs.delete(exchange);
    for (const [text, writers] of [...this.#writers]) {
      if (!writers.delete(exchange) || writers.size > 0) continue;
      this.#writers.delete(text);
      await this.#settle(parseTimeframe(text));
    }
  }

  async #settle(timeframe: Timeframe): Promise<void> {
    const { log, database } = this.#archive;
    await this.#attempt("what a backfill wrote was not compressed", async () => {
      const report = await compressChunks(database, {
        hypertable: candleTable(timeframe),
        beforeMs: this.#compressBeforeMs(),
        signal: this.#signal,
        log,
      });
      log.info("compressed what a backfill wrote", { timeframe: timeframe.text, ...report });
    });
    // Another exchange may have begun to write there while chunks were compressed.
    if (this.#writers.has(timeframe.text)) return;
    await this.#attempt(
      "a compression policy was not resumed",
      () => resumeCompression(database, timeframe),
    );
  }

  #compressBeforeMs(): number {
    const { config, clock } = this.#archive;
    return clock.now() - (config.compressAfterMs ?? Infinity);
  }

  /** Compression that goes wrong costs disk or time, and is no reason to stop fetching. */
  async #attempt(failure: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#archive.log.warn(failure, { error });
    }
  }
}
