/** Reads what freqtrade wants to have in files, file by file, for `titan10 export --format freqtrade`. @module */
import { factOf } from "../exchange/ancestry.ts";
import { marketSymbol, pricedSymbol, priceOf } from "../market/price.ts";
import { isContract, isDated, isOption, kindOf } from "../market/symbol.ts";
import { floorTime, nominalMs, parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import { readBasePage, readStoredSeries, type StoredSeries } from "../store/candle_pages.ts";
import { type FundingSeries, readFundingSeries } from "../store/funding_rates.ts";
import type { Database } from "../store/connection/database.ts";
import { unknownNames } from "../text/unknown_names.ts";
import { type ExportRequest, isWanted, pagesOf } from "./candle_export.ts";
import type { FeatherRow } from "./feather.ts";
import { candleFile, FUNDING_TIMEFRAME, fundingFile, sharedFile } from "./freqtrade_file.ts";
import { CoarserCandles } from "./coarser_candles.ts";
import { ratePages } from "./funding_export.ts";

/** Which of the archive to export. An empty list means all. */
export interface FreqtradeRequest extends
  Pick<
    ExportRequest,
    "exchanges" | "symbols" | "timeframes" | "sinceMs" | "untilMs" | "isFinalOnly"
  > {
  readonly layout: "freqtrade";
}

/** Rows of a file, or what cannot be in a file. All pages of a file come one after the other. */
export type FreqtradePage =
  | { readonly file: string; readonly rows: readonly FeatherRow[] }
  | Lack;

/** What is not there, and whose. */
export interface Lack {
  /**
   * `volume`: its file is left out, because its volume in the base currency is not known. The others are wanted for futures:
   * mark prices, hours of its own candles in their place, funding rates.
   */
  readonly lacks: "volume" | "mark" | "hours" | "funding";
  readonly file: string;
  /** `binance BTC/USDT:USDT`, with the timeframe where a file is left out. */
  readonly of: string;
}

/** A file, and where its rows come from. */
interface CandleFile {
  readonly file: string;
  readonly stored: StoredSeries;
  /** What its candles are made into; undefined where they are taken as they are. */
  readonly into?: Timeframe;
}

const MINUTE = parseTimeframe("1m");

/** Classes of which freqtrade takes trades' candles for mark prices: `mark_ohlcv_price` in its `exchange/*.py`. */
const MARKED_BY_TRADES: Readonly<Record<string, true>> = { hyperliquid: true };

/**
 * The rows of all files.
 *
 * @throws Error when the archive has no such series, or two of them have one file name.
 */
export async function* freqtradePages(
  database: Database,
  request: FreqtradeRequest,
): AsyncGenerator<FreqtradePage, void> {
  const stored = await readStoredSeries(database);
  const files = planFiles(stored, request);
  const shared = sharedFile(files);
  if (shared !== undefined) {
    const [one, other] = shared.map(({ stored: { series } }) => series.symbol);
    throw new Error(
      `Cannot export. freqtrade has one file name, ${
        shared[0].file
      }, for ${one} and ${other}: export one of them with --symbol`,
    );
  }
  const rates = (await readFundingSeries(database)).filter((one) => isChosen(one, request));
  for (const file of files) yield* rowsOf(database, file, request);
  for (const one of rates) yield* ratesOf(database, one, request);
  yield* lacksOf(files, new Set(rates.map(fundingFile)));
}

/** The chosen series, and of chosen markets the mark prices by the hour, made of finer ones where they are not archived. */
function planFiles(
  stored: readonly StoredSeries[],
  request: FreqtradeRequest,
): readonly CandleFile[] {
  const { exchanges, symbols, timeframes } = request;
  // The symbol of a market stands for all its prices.
  const names = stored.flatMap(({ series: { exchange, symbol, timeframe } }) =>
    [symbol, marketSymbol(symbol)].map((name) => ({
      exchange,
      symbol: name,
      timeframe: timeframe.text,
    }))
  );
  const problem = stored.length === 0
    ? "The archive has no candles yet"
    : unknownNames(names, { exchange: exchanges, symbol: symbols, timeframe: timeframes });
  if (problem !== undefined) throw new Error(`Cannot export. ${problem}`);
  const ofMarkets = stored.filter(({ series }) => isChosen(series, request));
  const chosen = ofMarkets.filter(({ series }) => isWanted(timeframes, series.timeframe.text));
  const files = chosen.map((one): CandleFile => ({ file: candleFile(one.series), stored: one }));
  const known = new Set(files.map(({ file }) => file));
  const hours = [...Map.groupBy(ofMarkets.filter(isMark), candleFileByHour)]
    .flatMap(([file, sources]) => known.has(file) ? [] : hoursFrom(file, sources));
  return [...files, ...hours];
}

function isChosen(
  { exchange, symbol }: { readonly exchange: string; readonly symbol: string },
  { exchanges, symbols }: FreqtradeRequest,
): boolean {
  return isWanted(exchanges, exchange) &&
    (isWanted(symbols, symbol) || symbols.includes(marketSymbol(symbol)));
}

function isMark({ series: { symbol } }: StoredSeries): boolean {
  return priceOf(symbol) === "mark";
}

function candleFileByHour({ series }: StoredSeries): string {
  return candleFile({ ...series, timeframe: FUNDING_TIMEFRAME });
}

/** The file of hours: as they are archived, or made of the series with candles of the most time, of two of the coarser. */
function hoursFrom(file: string, sources: readonly StoredSeries[]): readonly CandleFile[] {
  const hourMs = nominalMs(FUNDING_TIMEFRAME);
  const partsOf = ({ series }: StoredSeries): number => hourMs / nominalMs(series.timeframe);
  const hours = sources.find((one) => partsOf(one) === 1);
  if (hours !== undefined) return [{ file, stored: hours }];
  const timeMs = ({ series, candles }: StoredSeries): number =>
    candles * nominalMs(series.timeframe);
  const [stored] = sources.filter((one) => Number.isInteger(partsOf(one)))
    .sort((a, b) => timeMs(b) - timeMs(a) || partsOf(a) - partsOf(b));
  return stored === undefined ? [] : [{ file, stored, into: FUNDING_TIMEFRAME }];
}

async function* rowsOf(
  database: Database,
  { file, stored, into }: CandleFile,
  request: FreqtradeRequest,
): AsyncGenerator<FreqtradePage, void> {
  const { series } = stored;
  const { exchange, symbol, timeframe } = series;
  // Mark prices, index and premium have no volume; freqtrade's own files have 0 there.
  const absent = priceOf(symbol) === "trade" ? undefined : 0;
  const whole = into === undefined ? undefined : new CoarserCandles({ from: timeframe, to: into });
  const isFinalOnly = request.isFinalOnly;
  for (const window of pagesOf(timeframe, request, [stored])) {
    const rows: FeatherRow[] = [];
    for (const row of await readBasePage(database, series, { ...window, isFinalOnly })) {
      const [timeMs, open, high, low, close, , base = null] = row;
      const volume = base === null ? absent : Number(base);
      if (volume === undefined) {
        yield { lacks: "volume", file, of: `${exchange} ${symbol} ${timeframe.text}` };
        return;
      }
      rows.push([timeMs, Number(open), Number(high), Number(low), Number(close), volume]);
    }
    const made = whole === undefined ? rows : [...whole.take(rows)];
    if (made.length > 0) yield { file, rows: made };
  }
}

/**
 * Funding rates as candles whose open is the rate, which all versions of freqtrade read; those of 2026 write two columns,
 * and read both. freqtrade looks for a rate at the very time of a mark price: exchanges tell of it some milliseconds late.
 */
async function* ratesOf(
  database: Database,
  series: FundingSeries,
  request: FreqtradeRequest,
): AsyncGenerator<FreqtradePage, void> {
  const file = fundingFile(series);
  for await (const rates of ratePages(database, series, request)) {
    yield {
      file,
      rows: rates.map(({ timeMs, rate }) =>
        [floorTime(MINUTE, timeMs), Number(rate), 0, 0, 0, 0] as const
      ),
    };
  }
}

/** What freqtrade reads for backtests of perpetuals besides their candles, and is not there. */
function* lacksOf(
  files: readonly CandleFile[],
  rates: ReadonlySet<string>,
): Generator<Lack, void> {
  const there = new Set(files.map(({ file }) => file));
  const markets = new Map(
    files.filter(({ stored: { series } }) => isTradedByFreqtrade(series.symbol))
      .map(({ stored: { series } }) => [`${series.exchange} ${series.symbol}`, series]),
  );
  for (const [of, { exchange, symbol }] of markets) {
    const isOwn = factOf(MARKED_BY_TRADES, exchange) === true;
    const priced = pricedSymbol(symbol, isOwn ? "trade" : "mark");
    const file = candleFile({ exchange, symbol: priced, timeframe: FUNDING_TIMEFRAME });
    if (!there.has(file)) yield { lacks: isOwn ? "hours" : "mark", file, of };
    const funding = fundingFile({ exchange, symbol });
    if (!rates.has(funding)) yield { lacks: "funding", file: funding, of };
  }
}

/** freqtrade trades only perpetuals that are settled in the quote currency. */
function isTradedByFreqtrade(symbol: string): boolean {
  return isContract(symbol) && priceOf(symbol) === "trade" && kindOf(symbol) === "linear" &&
    !isDated(symbol) && !isOption(symbol);
}
