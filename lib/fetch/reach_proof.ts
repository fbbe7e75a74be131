/** Proves that an exchange has nothing older of a series, before that history is written off. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { Priority } from "../exchange/pace.ts";
import { MalformedPageError } from "../market/answer.ts";
import { marketClassOf } from "../market/market_class.ts";
import type { Series } from "../market/series.ts";
import { addCandles, floorTime } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";

interface ProofOptions {
  /** The window that was answered with newer candles, or refused as too old. */
  readonly window: Window;
  /** The oldest candle that came, or the end of what was refused. Milliseconds. */
  readonly reachFromMs: number;
  readonly nowMs: number;
  readonly priority: Priority;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Candles of the short window. One that sends as many of its newest rows as were asked for sends no more than these, and
 * so shows that the request was the limit, not its history.
 */
const CANDLES_FEW = 50;

/** A market may be silent for some time before a window; ten times as long ago it was not, or was not listed yet. */
const AGO_TIMES = 10;

/** No market is older. */
const OLDEST_MS = Date.UTC(2010, 0);

/**
 * - `proved`: the exchange has nothing older.
 * - `unproved`: it may have. The time before stays owed.
 * - `ask_again`: so does the window, but the answers have shown how the exchange reads `since`: ask for it again.
 */
type ReachProof = "proved" | "unproved" | "ask_again";

/**
 * Asks whether other answers agree that the exchange has nothing older than `reachFromMs` of a series. One answer is not
 * enough, nor is the same one again: an exchange may count its rows back from now, need an end beside `since`, or be in
 * trouble. None of these may give an older candle:
 *
 * - the window itself, with its end. If it does, ends are named from now on;
 * - the window right before `reachFromMs`, without its end and with it, likewise;
 * - a short window ten times as long ago, which must be answered as the first one was;
 * - the same window of another archived symbol, spot or a contract as this one: they have servers of their own.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError when one of them is not answered.
 */
export async function proveReach(
  exchange: ArchivedExchange,
  series: Series,
  options: ProofOptions,
): Promise<ReachProof> {
  const known = (): string => {
    const { isUntilNeeded, isSinceHonoured } = exchange.capabilities.of(series);
    return `${isUntilNeeded} ${isSinceHonoured?.value}`;
  };
  const knownBefore = known();
  if (await agree(exchange, series, options)) return "proved";
  return known() === knownBefore ? "unproved" : "ask_again";
}

async function agree(
  exchange: ArchivedExchange,
  series: Series,
  options: ProofOptions,
): Promise<boolean> {
  const { timeframe } = series;
  const { window, reachFromMs, nowMs } = options;
  if (await askOlder(exchange, series, { ...options, isUntilSent: true }) === "older") return false;
  // As long as the first window: of an exchange that counts its rows back from now, no more come than came.
  const candles = Math.max(windowCandles(timeframe, window), CANDLES_FEW);
  const before = { sinceMs: addCandles(timeframe, reachFromMs, -candles), untilMs: reachFromMs };
  for (const isUntilSent of [false, true]) {
    const ask = { ...options, window: before, isUntilSent };
    if (await askOlder(exchange, series, ask) === "older") return false;
  }
  const longAgoMs = Math.max(OLDEST_MS, nowMs - AGO_TIMES * (nowMs - window.sinceMs));
  const untilMs = floorTime(timeframe, longAgoMs);
  const short = { sinceMs: addCandles(timeframe, untilMs, -CANDLES_FEW), untilMs };
  if (await askOlder(exchange, series, { ...options, window: short }) !== "nothing") return false;
  // Only compared, so it may be one that another node asks for.
  const other = exchange.markets.series.find((one) =>
    one.timeframe.text === timeframe.text && one.symbol !== series.symbol &&
    marketClassOf(one.symbol) === marketClassOf(series.symbol)
  );
  const isBeyondShare = true;
  return other === undefined ||
    await askOlder(exchange, other, { ...options, isBeyondShare }) !== "older";
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
  { window, reachFromMs, ...options }: Omit<ProofOptions, "nowMs"> & {
    readonly isUntilSent?: boolean;
    readonly isBeyondShare?: boolean;
  },
): Promise<OlderAnswer> {
  try {
    const verdict = await exchange.askPage(series, window, options);
    if (verdict.candles.length > 0) return "older";
    const isNothing = (verdict.reachFromMs ?? -Infinity) >= reachFromMs;
    return isNothing && verdict.isCutAsAsked !== true ? "nothing" : "unclear";
  } catch (error) {
    if (error instanceof MalformedPageError) return "unclear";
    if (!(error instanceof FetchError)) throw error;
    if (error.kind === "retention") return "nothing";
    if (error.kind === "permanent" || error.isUnknown) return "unclear";
    throw error;
  }
}
