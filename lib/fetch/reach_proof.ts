/** Proves that an exchange has nothing older of a series, before that history is written off. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { Priority } from "../exchange/pace.ts";
import { MalformedPageError } from "../market/answer.ts";
import type { Series } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";

interface ProofOptions {
  /** The window that was answered with newer candles, or refused as too old. */
  readonly window: Window;
  /** The oldest candle that came, or the end of what was refused. Milliseconds. */
  readonly reachFromMs: number;
  readonly priority: Priority;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Candles of the second window. Less than the shortest page limit of any exchange: one that sends as many of its newest
 * rows as were asked for sends no more than these, and so shows that the request was the limit, not its history.
 */
const CANDLES_FEW = 50;

/**
 * - `proved`: the exchange has nothing older.
 * - `unproved`: it may have. The time before stays owed.
 * - `end_needed`: it has, and gives it where a request names its end. That is learned: the window can be asked for again.
 */
type ReachProof = "proved" | "unproved" | "end_needed";

/**
 * Asks whether other answers agree that the exchange has nothing older than `reachFromMs` of a series. One answer is not
 * enough, nor is the same one again: an exchange may count its rows back from now, need an end beside `since`, or be in
 * trouble. None of these may give an older candle:
 *
 * - the window right before `reachFromMs`, with its end named. If it does, ends are named from now on;
 * - a window of another length, a page further back, which must be answered as the first one was;
 * - the same window of another archived symbol.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError when one of them is not answered.
 */
export async function proveReach(
  exchange: ArchivedExchange,
  series: Series,
  options: ProofOptions,
): Promise<ReachProof> {
  const { timeframe } = series;
  const wasUntilNeeded = exchange.capabilities.of(timeframe.text).isUntilNeeded;
  const { window, reachFromMs } = options;
  const rowsMax = exchange.pageRowsMax(timeframe);
  const before = {
    sinceMs: addCandles(timeframe, reachFromMs, -rowsMax),
    untilMs: reachFromMs,
  };
  const isUntilSent = true;
  if (await askOlder(exchange, series, { ...options, window: before, isUntilSent }) === "older") {
    return wasUntilNeeded ? "unproved" : "end_needed";
  }
  const untilMs = addCandles(timeframe, window.sinceMs, -rowsMax);
  const second = { sinceMs: addCandles(timeframe, untilMs, -CANDLES_FEW), untilMs };
  if (await askOlder(exchange, series, { ...options, window: second }) !== "nothing") {
    return "unproved";
  }
  const other = exchange.series.find((one) =>
    one.timeframe.text === timeframe.text && one.symbol !== series.symbol
  );
  const isProved = other === undefined || await askOlder(exchange, other, options) !== "older";
  return isProved ? "proved" : "unproved";
}

/**
 * - `older`: candles of the window came.
 * - `nothing`: none older than `reachFromMs` came, but the newest ones, or the window was refused as too old.
 * - `unclear`: anything else, such as an empty answer or a refusal of the request.
 */
type OlderAnswer = "older" | "nothing" | "unclear";

/** Asks for a window before `reachFromMs`. */
export async function askOlder(
  exchange: ArchivedExchange,
  series: Series,
  { window, reachFromMs, ...options }: ProofOptions & { readonly isUntilSent?: boolean },
): Promise<OlderAnswer> {
  try {
    const { candles, reachFromMs: oldestMs } = await exchange.askPage(series, window, options);
    if (candles.length > 0) return "older";
    return oldestMs !== undefined && oldestMs >= reachFromMs ? "nothing" : "unclear";
  } catch (error) {
    if (error instanceof MalformedPageError) return "unclear";
    if (!(error instanceof FetchError)) throw error;
    if (error.kind === "retention") return "nothing";
    if (error.kind === "permanent" || error.isUnknown) return "unclear";
    throw error;
  }
}
