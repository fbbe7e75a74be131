/** Which candles a request of Gate asks for, of spot markets and of contracts. @module */
import type { PageAsk } from "../../../lib/local_exchange/history.ts";
import {
  addCandles,
  closedUntil,
  floorTime,
  nominalMs,
  type Timeframe,
} from "../../../lib/market/timeframe.ts";

/** The message says 10,000; a search for the oldest `from` that is answered ends at this many lengths. */
const POINTS_MAX = 9_998;

interface GateRange {
  readonly timeframe: Timeframe;
  readonly nowMs: number;
  readonly rowsDefault: number;
  readonly rowsMax: number;
  /** How it says that the candles are older than what it keeps. */
  readonly tooOld: string;
}

interface GatePage {
  readonly page: PageAsk;
  readonly problem?: undefined;
}

interface GateProblem {
  readonly problem: Readonly<Record<"label" | "message", string>>;
}

/** The range of `from`, `to` and `limit`, or the body of the refusal. */
export function gateRange(
  query: URLSearchParams,
  { timeframe, nowMs, rowsDefault, rowsMax, tooOld }: GateRange,
): GatePage | GateProblem {
  const problem = (message: string): GateProblem => ({
    problem: { label: "INVALID_PARAM_VALUE", message },
  });
  const limitText = query.get("limit");
  const limit = Number(limitText ?? rowsDefault);
  const from = secondsOf(query.get("from"));
  const to = secondsOf(query.get("to"));
  if (!(limit >= 1 && limit <= rowsMax)) {
    return problem(`Invalid request parameter \`limit\` value: ${limitText}`);
  }
  const untilMs = Math.min(to ?? Infinity, nowMs);
  if (
    from !== undefined && from < addCandles(timeframe, closedUntil(timeframe, nowMs), -POINTS_MAX)
  ) {
    return problem(tooOld);
  }
  if (from !== undefined && to !== undefined && points(timeframe, from, untilMs) > rowsMax) {
    return problem(
      `Candlestick range too broad. Maximum ${rowsMax} data points are allowed per request`,
    );
  }
  return {
    page: {
      // The candle that contains `from` belongs to the range.
      sinceMs: from === undefined ? undefined : floorTime(timeframe, from),
      // Inclusive.
      untilMs: to === undefined ? undefined : to + 1,
      rowsMax: from === undefined || to === undefined ? limit : rowsMax,
      keep: from === undefined ? "newest" : "oldest",
      order: "ascending",
    },
  };
}

/** Seconds of the query as milliseconds. */
function secondsOf(text: string | null): number | undefined {
  return text === null ? undefined : Number(text) * 1_000;
}

/** A range of N lengths is N + 1 candles: both ends count. */
function points(timeframe: Timeframe, sinceMs: number, untilMs: number): number {
  return Math.floor((untilMs - sinceMs) / nominalMs(timeframe)) + 1;
}
