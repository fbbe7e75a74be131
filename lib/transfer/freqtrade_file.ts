/**
 * Where freqtrade looks for what: files below the folder of an exchange, as in freqtrade 2026.9's
 * `data/history/datahandlers/idatahandler.py`. The names are those of earlier versions, too.
 * @module
 */
import { isContract } from "../market/symbol.ts";
import { marketSymbol, type Price, priceOf } from "../market/price.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";

/** Mark prices and funding rates are read from files of this timeframe, whatever a strategy trades by. */
export const FUNDING_TIMEFRAME: Timeframe = parseTimeframe("1h");

/** What freqtrade calls a price. */
const CANDLE_TYPES: Readonly<Record<Price, string>> = {
  trade: "futures",
  mark: "mark",
  index: "index",
  premium: "premiumIndex",
};

interface FileOf {
  readonly exchange: string;
  /** Of a series, `BTC/USDT:USDT@mark`. */
  readonly symbol: string;
  readonly timeframe: Timeframe;
}

/** `binance/BTC_USDT-1m.feather`, `binance/futures/BTC_USDT_USDT-1h-mark.feather`. */
export function candleFile(series: FileOf): string {
  const { symbol } = series;
  return fileOf(series, isContract(symbol) ? CANDLE_TYPES[priceOf(symbol)] : undefined);
}

/** `binance/futures/BTC_USDT_USDT-1h-funding_rate.feather`. */
export function fundingFile(market: Omit<FileOf, "timeframe">): string {
  return fileOf({ ...market, timeframe: FUNDING_TIMEFRAME }, "funding_rate");
}

function fileOf({ exchange, symbol, timeframe }: FileOf, type: string | undefined): string {
  const name = marketSymbol(symbol).replace(/[/ .@$+:]/g, "_");
  // Months, on file systems that do not distinguish `M` from `m`.
  const width = timeframe.text.replace("M", "Mo");
  // No name of an archive leads out of the folder.
  const id = exchange.replace(/[^\w-]/g, "_");
  const folder = type === undefined ? id : `${id}/futures`;
  return `${folder}/${name}-${width}${type === undefined ? "" : `-${type}`}.feather`;
}

/**
 * The files whose names are the same, or are so where a file system does not distinguish upper and lower case: one would
 * replace the other. Undefined when there are none.
 */
export function sharedFile<T extends { readonly file: string }>(
  files: readonly T[],
): readonly [T, T] | undefined {
  const known = new Map<string, T>();
  for (const one of files) {
    const name = one.file.toLowerCase();
    const other = known.get(name);
    if (other !== undefined) return [other, one];
    known.set(name, one);
  }
  return undefined;
}
