/** Candles of every kind and price as Bybit pages them. @module */
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
import type { LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import {
  type Ask,
  type DialectRequest,
  type PageRow,
  plain,
  type PlainAsk,
} from "../local_exchange/dialect.ts";

/** Where an answer belongs, and what it is wrapped in. */
export interface BybitAnswer {
  readonly endpoint: string;
  readonly category: string;
  envelope(result: unknown): unknown;
}

/** How the candles of one endpoint are found and written. */
export interface BybitCandles extends BybitAnswer {
  idOf(symbol: LocalSymbol): string;
  /** The market of another price. @default the market itself */
  priced?(symbol: LocalSymbol): LocalSymbol;
  row(row: PageRow, symbol: LocalSymbol): unknown[];
}

const ROWS_DEFAULT = 200;
const ROWS_MAX = 1_000;

const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["1", "1m"],
  ["3", "3m"],
  ["5", "5m"],
  ["15", "15m"],
  ["30", "30m"],
  ["60", "1h"],
  ["120", "2h"],
  ["240", "4h"],
  ["360", "6h"],
  ["720", "12h"],
  ["D", "1d"],
  ["W", "1w"],
  ["M", "1M"],
]);

/** A request for candles among the listed markets of a category. */
export function readBybitCandles(
  { query, symbols }: DialectRequest,
  { idOf, priced = (market) => market, row, ...answer }: BybitCandles,
): Ask {
  const id = query.get("symbol");
  const market = symbols.find((entry) => idOf(entry) === id);
  if (market === undefined) return bybitProblem(answer, "Not supported symbols");
  const text = INTERVALS.get(query.get("interval") ?? "");
  if (text === undefined) return bybitProblem(answer, "Invalid period!");
  const start = query.get("start");
  const end = query.get("end");
  const { endpoint, category, envelope } = answer;
  return {
    about: "candles",
    endpoint,
    symbol: priced(market),
    timeframe: parseTimeframe(text),
    page: {
      sinceMs: start === null ? undefined : Number(start),
      // Inclusive.
      untilMs: end === null ? undefined : Number(end) + 1,
      rowsMax: Math.min(Number(query.get("limit") ?? ROWS_DEFAULT), ROWS_MAX),
      // A start alone counts forward from it; an end counts back, and wins.
      keep: start !== null && end === null ? "oldest" : "newest",
      order: "descending",
    },
    render: (rows) => envelope({ category, symbol: id, list: rows.map((one) => row(one, market)) }),
  };
}

/** What is wrong with a request; errors come with status 200. */
export function bybitProblem(
  { endpoint }: Pick<BybitAnswer, "endpoint">,
  retMsg: string,
): PlainAsk {
  return plain("other", endpoint, {
    retCode: 10001,
    retMsg,
    result: {},
    retExtInfo: {},
    time: 0,
  });
}
