/** Handles the error of a page or an exchange: logs it, stores it for `status`, and says when to try again. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { type Series, seriesName } from "../market/series.ts";
import { BreakerOpenError } from "../policy/breaker.ts";
import { noteSeriesError } from "../store/ledger.ts";
import { writeExchangeError } from "../store/exchange_state.ts";
import { StoreError } from "../store/connection/store_error.ts";
import type { Archive } from "./archive.ts";
import { failureKind } from "./failure_kind.ts";

/** Whether the program itself cancelled the request. */
export function isCancelled(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || (error instanceof FetchError && error.kind === "cancelled");
}

/** How long to wait before the next try when an exchange or the database is down and no better time is known. */
export const PAUSE_MS = 10_000;

/** How long to wait for another call's half-open trial before trying again. */
const TRIAL_MS = 1_000;

/** When a failed step may be tried again, in milliseconds; undefined when waiting does not help. */
export function resumeAtMs(error: unknown, nowMs: number): number | undefined {
  if (error instanceof FetchError && error.kind === "rate_limited") {
    return error.untilMs ?? nowMs + PAUSE_MS;
  }
  // While the trial runs, `untilMs` is in the past.
  if (error instanceof BreakerOpenError) return Math.max(error.untilMs, nowMs + TRIAL_MS);
  if (error instanceof StoreError && error.kind === "unavailable") return nowMs + PAUSE_MS;
  return undefined;
}

/** Why the program waits after such an error, in a few words. */
export function pauseReason(error: unknown): string {
  if (error instanceof FetchError) return "banned or rate limited";
  if (error instanceof BreakerOpenError) return "breaker open";
  return "the database is unavailable";
}

/** Logs why a page of a series was not stored, and stores the reason for `status`. Never throws. */
export async function reportSeriesFailure(
  archive: Archive,
  series: Series,
  error: unknown,
): Promise<void> {
  const message = messageOf(error);
  // An open breaker concerns the exchange, so it is not reported for each of its series.
  if (error instanceof BreakerOpenError) return;
  // An outage of the database shows in many ways, one after the other.
  const isAway = error instanceof StoreError && error.kind === "unavailable";
  if (!archive.failures.isNews(seriesName(series), isAway ? error.kind : message)) return;
  archive.log.warn("a page of candles was not fetched or not stored", {
    series: seriesName(series),
    kind: error instanceof StoreError ? `store_${error.kind}` : failureKind(error),
    error,
  });
  if (error instanceof StoreError) return;
  await storeNote(archive, async () => {
    await writeExchangeError(archive.database, series.exchange, archive.redact(message));
    if (error instanceof FetchError && (error.kind === "permanent" || error.isUnknown)) {
      await noteSeriesError(archive.database, series, archive.redact(message));
    }
  });
}

/** Logs why no request to an exchange was possible, and stores the reason for `status`. Never throws. */
export async function reportExchangeFailure(
  archive: Archive,
  exchange: string,
  error: unknown,
): Promise<void> {
  const message = messageOf(error);
  if (error instanceof BreakerOpenError || !archive.failures.isNews(exchange, message)) return;
  archive.log.warn("requests to an exchange failed", { exchange, error });
  if (error instanceof StoreError) return;
  const text = archive.redact(message);
  await storeNote(archive, () => writeExchangeError(archive.database, exchange, text));
}

/** Stores a note for `status`. Its failure is logged only as debug: the caller reports a database that is down. */
async function storeNote(archive: Archive, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    archive.log.debug("a note for status was not stored", { error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
