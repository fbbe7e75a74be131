/** Kraken's public API, `/0/public`, for the local exchange. @module */
import { addCandles, floorTime, parseTimeframe } from "../../../lib/market/timeframe.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import {
  type Ask,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  withDecimals,
} from "../local_exchange/dialect.ts";
import { isListed, isTrading, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/** Shapes follow Kraken's documentation and what `ccxt/js/src/kraken.js` reads. Errors come with status 200. */
export const kraken: Dialect = {
  exchange: "kraken",
  // A minute without trades is left out: freqtrade#3392 counts 718 rows in 719 minutes.
  silence: "omitted",
  read: readKraken,
  refusal: (status) =>
    JSON.stringify({
      error: [
        status === 429 || status === 418 ? "EAPI:Rate limit exceeded" : "EService:Unavailable",
      ],
    }),
};

const API = "/0/public/";

/** Kraken keeps this many candle lengths, the forming one included, and no page goes further back. */
const LENGTHS_KEPT = 720;

/** Minutes of an interval, and the timeframe it is. */
const INTERVALS: ReadonlyMap<string, string> = new Map([
  ["1", "1m"],
  ["5", "5m"],
  ["15", "15m"],
  ["30", "30m"],
  ["60", "1h"],
  ["240", "4h"],
  ["1440", "1d"],
  ["10080", "1w"],
]);

/** Old coins have two names: the asset's, and the short one in a market's id. */
const OLD_ASSETS: ReadonlyMap<string, readonly [asset: string, short: string]> = new Map([
  ["BTC", ["XXBT", "XBT"]],
  ["ETH", ["XETH", "ETH"]],
  ["XRP", ["XXRP", "XRP"]],
  ["DOGE", ["XXDG", "XDG"]],
  ["USD", ["ZUSD", "USD"]],
  ["EUR", ["ZEUR", "EUR"]],
]);

function readKraken(request: DialectRequest): Ask | undefined {
  if (!request.path.startsWith(API)) return undefined;
  const endpoint = request.path.slice(API.length);
  const { symbols, query, nowMs } = request;
  switch (endpoint) {
    case "Time":
      return plain("other", endpoint, envelope({ unixtime: Math.floor(nowMs / 1_000) }));
    case "Assets":
      return plain("other", endpoint, envelope(assets(symbols)));
    case "AssetPairs":
      return plain("markets", endpoint, envelope(markets(request)));
    case "Ticker": {
      const ids = query.get("pair")?.split(",");
      const wanted = symbols.filter((symbol) =>
        isTrading(symbol, nowMs) && (ids === undefined || ids.includes(marketId(symbol)))
      );
      const entries = wanted.map((symbol) => [marketId(symbol), ticker(symbol, nowMs)]);
      return plain("tickers", endpoint, envelope(Object.fromEntries(entries)));
    }
    case "OHLC":
      return readCandles(endpoint, request);
    default:
      return undefined;
  }
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const symbol = symbols.find((candidate) =>
    isListed(candidate, nowMs) &&
    [marketId(candidate), shortId(candidate)].includes(query.get("pair") ?? "")
  );
  if (symbol === undefined) return problem(endpoint, "EQuery:Unknown asset pair");
  const interval = INTERVALS.get(query.get("interval") ?? "1");
  if (interval === undefined) return problem(endpoint, "EGeneral:Invalid arguments");
  const timeframe = parseTimeframe(interval);
  const formingMs = floorTime(timeframe, nowMs);
  const keptMs = addCandles(timeframe, formingMs, 1 - LENGTHS_KEPT);
  // `since` is exclusive, in seconds, and never hides the forming candle.
  const sinceMs = Math.min(Number(query.get("since") ?? 0) * 1_000 + 1, formingMs);
  return {
    about: "candles",
    endpoint,
    symbol,
    timeframe,
    page: {
      sinceMs: Math.max(keptMs, sinceMs),
      rowsMax: LENGTHS_KEPT,
      keep: "newest",
      order: "ascending",
    },
    render: (rows) => {
      // The newest closed candle's time: what a follow-up gives as `since`.
      const last = (rows.at(-2) ?? rows.at(-1))?.openTimeMs ?? formingMs;
      const list = rows.map((row) => candleRow(symbol, row));
      return envelope({ [marketId(symbol)]: list, last: last / 1_000 });
    },
  };
}

function candleRow(symbol: LocalSymbol, row: PageRow): unknown[] {
  const price = (text: string | null): string | null => withDecimals(text, symbol.tickDecimals);
  const values: unknown[] = [row.openTimeMs / 1_000, price(row.open), price(row.high)];
  values.push(price(row.low), price(row.close), price(row.close));
  if (row.volume === undefined) return values;
  return [...values, row.volume, row.trades];
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const price = (text: string): string => withDecimals(text, symbol.tickDecimals);
  const average = ((Number(day.high) + Number(day.low)) / 2).toFixed(8);
  return {
    a: [price(day.close), "1", "1.000"],
    b: [price(day.close), "1", "1.000"],
    c: [price(day.close), "0.10000000"],
    v: [day.volume, day.volume],
    p: [average, average],
    t: [day.trades, day.trades],
    l: [price(day.low), price(day.low)],
    h: [price(day.high), price(day.high)],
    o: price(day.open),
  };
}

function markets({ symbols, nowMs }: DialectRequest): unknown {
  const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
  return Object.fromEntries(listed.map((symbol) => [marketId(symbol), {
    altname: shortId(symbol),
    wsname: `${names(symbol.base).short}/${names(symbol.quote).short}`,
    aclass_base: "currency",
    base: names(symbol.base).asset,
    aclass_quote: "currency",
    quote: names(symbol.quote).asset,
    lot: "unit",
    cost_decimals: 5,
    pair_decimals: symbol.tickDecimals,
    lot_decimals: 8,
    lot_multiplier: 1,
    leverage_buy: [],
    leverage_sell: [],
    fees: [[0, 0.4], [10_000, 0.35]],
    fees_maker: [[0, 0.25], [10_000, 0.2]],
    fee_volume_currency: "ZUSD",
    margin_call: 80,
    margin_stop: 40,
    ordermin: "0.0001",
    costmin: "0.5",
    tick_size: (10 ** -symbol.tickDecimals).toFixed(symbol.tickDecimals),
    status: isTrading(symbol, nowMs) ? "online" : "cancel_only",
  }]));
}

function assets(symbols: readonly LocalSymbol[]): unknown {
  const coins = new Set(symbols.flatMap(({ base, quote }) => [base, quote]));
  return Object.fromEntries([...coins].map((coin) => [names(coin).asset, {
    aclass: "currency",
    altname: names(coin).short,
    decimals: 8,
    display_decimals: 5,
    status: "enabled",
  }]));
}

function envelope(result: unknown): unknown {
  return { error: [], result };
}

function problem(endpoint: string, error: string): Ask {
  return plain("other", endpoint, { error: [error] });
}

/** `XETHXXBT` where both coins are old, `XBTUSDT` elsewhere. */
function marketId(symbol: LocalSymbol): string {
  const { base, quote } = symbol;
  const areOld = OLD_ASSETS.has(base) && OLD_ASSETS.has(quote);
  return areOld ? names(base).asset + names(quote).asset : shortId(symbol);
}

function shortId({ base, quote }: LocalSymbol): string {
  return names(base).short + names(quote).short;
}

function names(coin: string): { readonly asset: string; readonly short: string } {
  const [asset = coin, short = coin] = OLD_ASSETS.get(coin) ?? [];
  return { asset, short };
}
