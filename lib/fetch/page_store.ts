/** Stores a page that was fetched, tells metrics and log, and says what it brought. @module */
import type { Archive } from "../archive/archive.ts";
import { storeByLease } from "../archive/asked_lease.ts";
import { retryStore } from "../archive/store_retry.ts";
import type { PageVerdict } from "../market/answer.ts";
import { subtract } from "../market/coverage.ts";
import { rejectedRows, rowsOf } from "../market/kept_rejections.ts";
import { type Series, seriesName } from "../market/series.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import type { LeaseStamp } from "../store/lease_stamp.ts";
import { type PreparedPage, writePreparedPage } from "../store/page_write.ts";
import type { PageOutcome } from "./page_outcome.ts";

interface StoreOptions {
  /** The lease by which it was asked for, and with which it was prepared. */
  readonly stamp: LeaseStamp | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStored?: ((part: PageOutcome) => void) | undefined;
}

/** @throws StoreError when the page could not be stored; while the database is away it is tried again for a while. */
export async function storePage(
  archive: Archive,
  verdict: Omit<PageVerdict, "candles">,
  prepared: PreparedPage,
  { stamp, signal, onStored }: StoreOptions,
): Promise<PageOutcome> {
  const { config, database, clock, random, metrics, log } = archive;
  const { series } = prepared;
  const { exchange, symbol } = series;
  const startMs = clock.now();
  const store = (): ReturnType<typeof writePreparedPage> =>
    retryStore(() => writePreparedPage(database, prepared), {
      ...{ config, clock, random, signal },
      onRetry: ({ attempt, delayMs, error }) => {
        log[isServerAway(error) ? "debug" : "warn"]("storing a page failed; trying again", {
          series: seriesName(series),
          attempt,
          delayMs,
          error,
        });
      },
    });
  const written = await storeByLease(archive, { exchange, symbol, stamp }, store);
  metrics.dbWriteDurationSeconds.observe({ exchange }, (clock.now() - startMs) / 1000);
  countWritten(metrics, series, written);
  for (const row of verdict.rejected) {
    metrics.candlesRejected.inc({ exchange, reason: row.reason }, rowsOf(row));
  }
  const rejected = rejectedRows(verdict.rejected);
  noteOddCandles(archive, series, {
    revised: written.revised,
    rejected,
    why: verdict.rejected[0]?.reason,
  });
  if (verdict.rejected.length > 0) {
    const [example] = verdict.rejected;
    log.warn("rejected candles", {
      series: seriesName(series),
      candles: rejected,
      reason: example?.reason,
      row: example?.row,
    });
  }
  const outcome: PageOutcome = {
    answered: verdict.answered === undefined ? [] : subtract([verdict.answered], [{
      sinceMs: written.unprovedFromMs ?? Infinity,
      untilMs: Infinity,
    }]),
    reachFromMs: undefined,
    isReachProved: false,
    earlyMs: verdict.earlyMs,
    added: written.added,
    revised: written.revised,
    streamed: written.streamed.confirmed + written.streamed.revised,
    revisedFromMs: written.revisedFromMs,
    addedFromMs: written.addedFromMs,
    rejected,
  };
  onStored?.(outcome);
  return outcome;
}

function countWritten(
  metrics: Archive["metrics"],
  { exchange, symbol, timeframe }: Series,
  { added, revised, streamed, lastMs }: Awaited<ReturnType<typeof writePreparedPage>>,
): void {
  metrics.candlesWritten.inc({ exchange }, added);
  metrics.candlesRevised.inc({ exchange }, revised);
  for (const [outcome, candles] of Object.entries(streamed)) {
    if (candles > 0) metrics.streamCandles.inc({ exchange, outcome }, candles);
  }
  if (lastMs === undefined) return;
  const labels = { exchange, symbol, timeframe: timeframe.text };
  metrics.lastClosedCandleSeconds.set(labels, lastMs / 1000);
}

/** One event for an exchange, whatever series it is about. */
function noteOddCandles(
  { events }: Archive,
  { exchange, symbol, timeframe: { text: timeframe } }: Series,
  { revised, rejected, why }: {
    readonly revised: number;
    readonly rejected: number;
    readonly why: string | undefined;
  },
): void {
  if (revised > 0) {
    const text = `${exchange}: stored candles came with other values, the last of ${symbol} ` +
      `${timeframe}. The older values are in candle_revisions`;
    events.note({ kind: "candles_revised", exchange, candles: revised, text });
  }
  if (rejected > 0) {
    const text = `${exchange}: rows failed a check and were not stored, the last of ${symbol} ` +
      `${timeframe} (${why}). They are in rejected_candles`;
    events.note({ kind: "candles_rejected", exchange, candles: rejected, text });
  }
}
