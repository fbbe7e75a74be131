/** Pauses compression policies while a backfill writes old chunks, then compresses these chunks once. @module */
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable } from "../store/candle_table.ts";
import { compressChunks, pauseCompression, resumeCompression } from "../store/compression.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import { readTimescale } from "../store/connection/timescale.ts";
import type { Archive } from "../archive/archive.ts";

/**
 * After this long without a write, compression no longer waits for an exchange. The daemon may wait weeks for an
 * exchange that is down, and the uncompressed candles of the others would fill the disk meanwhile.
 */
const IDLE_MS = 60 * 60_000;

/**
 * A compression policy that runs during a backfill would compress half-full chunks, and every later page would have to
 * decompress them again. So the policy of a table is paused from the first page older than `COMPRESS_AFTER` until no
 * exchange of this backfill writes to that table any more. Then the finished chunks are compressed and the policy is
 * resumed.
 *
 * If the process is killed in between, the next process that opens the archive or begins a backfill resumes the paused
 * policies. It may do so while a backfill of another process still runs. Chunks that are then compressed early can
 * still be written, only more slowly. Locks or counters would be worse: a killed process would leave them behind.
 */
export class BackfillCompression {
  readonly #archive: Archive;
  readonly #signal: AbortSignal | undefined;
  /** The exchanges that write to the table of a timeframe, by its text. Its policy is paused while there are any. */
  readonly #writers = new Map<string, Set<string>>();
  readonly #lastWriteMs = new Map<string, number>();
  #isAtWork = false;

  constructor(archive: Archive, { signal }: { readonly signal?: AbortSignal | undefined }) {
    this.#archive = archive;
    this.#signal = signal;
  }

  /** Resumes policies that an earlier backfill left paused. Never throws. */
  async start(): Promise<void> {
    const { config, database } = this.#archive;
    if (config.compressAfterMs === undefined) return;
    await this.#attempt("compression policies were not resumed", async () => {
      this.#isAtWork = (await readTimescale(database))?.isLicensed === true;
      if (this.#isAtWork) await resumeCompression(database);
    });
  }

  /** Call after every page that brought candles. Never throws. */
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
      "a compression policy could not be paused",
      () => pauseCompression(database, timeframe),
    );
  }

  /** Call whenever the backfill must wait for an exchange. Never throws. */
  async noteWaiting(exchange: string): Promise<void> {
    const lastMs = this.#lastWriteMs.get(exchange);
    if (lastMs === undefined || this.#archive.clock.now() < lastMs + IDLE_MS) return;
    await this.end(exchange);
  }

  /**
   * Call when the backfill of an exchange has ended. Compresses the tables that no other exchange writes to, and
   * resumes their policies.
   */
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
    await this.#attempt("chunks written by a backfill were not compressed", async () => {
      const report = await compressChunks(database, {
        hypertable: candleTable(timeframe),
        beforeMs: this.#compressBeforeMs(),
        signal: this.#signal,
        log,
      });
      log.info("compressed the chunks written by a backfill", {
        timeframe: timeframe.text,
        ...report,
      });
    });
    // Another exchange may have begun to write to this table while its chunks were compressed.
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

  /** Logs a failure and goes on: failed compression costs disk space or time, but must not stop the backfill. */
  async #attempt(failure: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#archive.log[isServerAway(error) ? "debug" : "warn"](failure, { error });
    }
  }
}
