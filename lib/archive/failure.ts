/** Handles the error of a page or an exchange: logs it, stores it for `status`, and says when to try again. @module */
import { egressOf } from "../config/egress_setting.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import { type Series, seriesName } from "../market/series.ts";
import { BreakerOpenError } from "../policy/breaker.ts";
import { noteSeriesError } from "../store/ledger.ts";
import { type EgressPlace, writeExchangeError } from "../store/exchange_state.ts";
import { isFenced, isServerAway, StoreError } from "../store/connection/store_error.ts";
import type { Archive } from "./archive.ts";
import { failureKind } from "./failure_kind.ts";
import { errorText } from "../text/redact.ts";

/** Whether the program itself cancelled the request, or the symbol is another node's by now. No failure, and not to be repeated. */
export function isCancelled(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || isLost(error);
}

/** Whether only what the error is about is not this process' any more: the rest goes on. */
export function isLost(error: unknown): boolean {
  return isFenced(error) || (error instanceof FetchError && error.kind === "cancelled");
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

/** A page that was not stored, and why. */
export interface PageFailure {
  readonly series: Series;
  readonly error: unknown;
}

/** Kinds of failures that meet all series of an exchange alike. */
const OF_EXCHANGE: ReadonlySet<string> = new Set([
  "transient",
  "timeout",
  "rate_limited",
  "denied",
]);

/** How many series a line of the log names. */
const SERIES_NAMED_MAX = 3;

/**
 * Logs why pages of one exchange were not stored, and stores the reason for `status`. A failure that meets all of its
 * series alike is one line with their number. Never throws.
 */
export async function reportPageFailures(
  archive: Archive,
  exchange: string,
  failures: readonly PageFailure[],
): Promise<void> {
  const { yes: common = [], no: single = [] } = Object.groupBy(
    failures,
    ({ error }) => isOfExchange(error) ? "yes" : "no",
  );
  for (const { series, error } of single) await reportSeriesFailure(archive, series, error);
  const [first] = common;
  if (first === undefined) return;
  if (common.length === 1) return await reportSeriesFailure(archive, first.series, first.error);
  const kinds = [...new Set(common.map(({ error }) => failureKind(error)))].sort().join(", ");
  if (!archive.failures.isNews(`${exchange} pages`, kinds)) return;
  const message = errorText(first.error);
  archive.log.warn("pages of candles were not fetched or not stored", {
    exchange,
    pages: common.length,
    series: common.slice(0, SERIES_NAMED_MAX).map(({ series }) => seriesName(series)),
    kind: kinds,
    error: first.error,
  });
  await storeNote(
    archive,
    () => writeExchangeError(archive.database, placeOf(archive, exchange), message),
  );
}

/** Logs why a page of a series was not stored, and stores the reason for `status`. Never throws. */
export async function reportSeriesFailure(
  archive: Archive,
  series: Series,
  error: unknown,
): Promise<void> {
  const message = errorText(error);
  // An open breaker concerns the exchange, so it is not reported for each of its series.
  if (error instanceof BreakerOpenError || isServerAway(error)) return;
  // The database may refuse a page for a time in many ways, one after the other.
  const { failures, log } = archive;
  if (isOfExchange(error)) {
    // That pages of this exchange fail was told, with their number or by one of them.
    if (failures.has(`${series.exchange} pages`)) return;
    if (!failures.isNews(`${series.exchange} page`, failureKind(error))) return;
  }
  const isPassing = error instanceof StoreError && error.kind === "unavailable";
  if (!failures.isNews(seriesName(series), isPassing ? error.kind : message)) return;
  log.warn("a page of candles was not fetched or not stored", {
    series: seriesName(series),
    kind: error instanceof StoreError ? `store_${error.kind}` : failureKind(error),
    error,
  });
  if (error instanceof StoreError) return;
  await storeNote(archive, async () => {
    await writeExchangeError(archive.database, placeOf(archive, series.exchange), message);
    if (error instanceof FetchError && (error.kind === "permanent" || error.isUnknown)) {
      await noteSeriesError(archive.database, series, message);
    }
  });
}

function placeOf({ config }: Archive, exchange: string): EgressPlace {
  return { exchange, egress: egressOf(config, exchange) };
}

/** Whether a failure meets all series of an exchange alike. */
function isOfExchange(error: unknown): boolean {
  if (error instanceof StoreError || error instanceof BreakerOpenError) return false;
  return !(error instanceof FetchError && error.isUnknown) && OF_EXCHANGE.has(failureKind(error));
}

/** A page of a series was stored: its next failure is news again. */
export function forgetSeriesFailure({ failures }: Archive, series: Series): void {
  failures.clear(seriesName(series));
  failures.clear(`${series.exchange} page`);
}

/** No page of an exchange has failed: their next failure is news again. */
export function forgetPageFailures({ failures }: Archive, exchange: string): void {
  failures.clear(`${exchange} pages`);
}

/** Logs why no request to an exchange was possible, and stores the reason for `status`. Never throws. */
export async function reportExchangeFailure(
  archive: Archive,
  exchange: string,
  error: unknown,
): Promise<void> {
  const message = errorText(error);
  if (error instanceof BreakerOpenError || isServerAway(error)) return;
  if (!archive.failures.isNews(exchange, message)) return;
  archive.log.warn("requests to an exchange failed", { exchange, error });
  if (error instanceof StoreError) return;
  await storeNote(
    archive,
    () => writeExchangeError(archive.database, placeOf(archive, exchange), message),
  );
}

/**
 * Logs once that a configured symbol is listed by no exchange, and stores that for `status` as the last error of each. Never
 * throws.
 */
export async function reportLostSymbol(archive: Archive, text: string): Promise<void> {
  if (!archive.failures.isNews(`lost ${text}`, text)) return;
  archive.log.error("a configured symbol is listed nowhere", { problem: text });
  for (const { id } of archive.exchanges) {
    await storeNote(
      archive,
      () => writeExchangeError(archive.database, placeOf(archive, id), text),
    );
  }
}

/** Stores a note for `status`. Its failure is logged only as debug: the caller reports a database that is down. */
export async function storeNote(archive: Archive, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    archive.log.debug("a note for status was not stored", { error });
  }
}
