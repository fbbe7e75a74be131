/** Which exchanges publish files of their candles. @module */
import { BINANCE_FILES } from "./binance_files.ts";
import type { PublishedFormat } from "./published_file.ts";

/** By class alone: a class that inherits from one of these belongs to another exchange, or has a row of its own. */
const FORMATS: Readonly<Record<string, PublishedFormat>> = {
  ...{ binance: BINANCE_FILES, binanceusdm: BINANCE_FILES, binancecoinm: BINANCE_FILES },
};

/** How an exchange publishes files; undefined if none are known. */
export function publishedFormat(exchange: string): PublishedFormat | undefined {
  return Object.hasOwn(FORMATS, exchange) ? FORMATS[exchange] : undefined;
}

/** A file that only people can fetch: a page asks for a browser. */
interface ManualFile {
  readonly name: string;
  /** Where it is told how to get it. */
  readonly page: string;
}

/**
 * - kraken: its API gives the newest 720 candles, its files have all of them since 2013, a new one each quarter.
 */
const MANUAL: Readonly<Record<string, ManualFile>> = {
  kraken: {
    name: "Kraken_OHLCVT.zip",
    page: "https://support.kraken.com/articles/360047124832",
  },
};

/** The file that has the candles that an exchange's API does not give any more; undefined if none is known. */
export function manualFile(exchange: string): ManualFile | undefined {
  return Object.hasOwn(MANUAL, exchange) ? MANUAL[exchange] : undefined;
}
