/** DigiFinex's public API, `/v3` for spot and `/swap/v2` for perpetuals, for the local exchange. @module */
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
import {
  type Ask,
  type CandlesAsk,
  type Dialect,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
} from "../local_exchange/dialect.ts";
import { isListed, type LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";

/**
 * Shapes follow the answers that `ccxt/js/src/digifinex.js` quotes. Every market is a spot market and a perpetual, with the
 * same candles. Of perpetuals CCXT asks for the newest rows, whatever the window is.
 */
export const digifinex: Dialect = {
  exchange: "digifinex",
  silence: "flat",
  read: readDigifinex,
  refusal: () => JSON.stringify({ code: 10005 }),
};

const PERIODS: Readonly<Record<string, string>> = { "1": "1m", "60": "1h", "1D": "1d" };

/** Rows of perpetuals at most. */
const NEWEST_MAX = 100;

function readDigifinex({ path, query, symbols, nowMs }: DialectRequest): Ask | undefined {
  const listed = symbols.filter((symbol) => isListed(symbol, nowMs));
  switch (path) {
    case "/v3/trades/symbols":
      return plain("markets", path, { symbol_list: listed.map(spotMarket), code: 0 });
    case "/swap/v2/public/instruments":
      return plain("markets", path, { code: 0, data: listed.map(perpetual) });
    case "/v3/kline": {
      const [sinceMs, endMs] = ["start_time", "end_time"]
        .map((name) => 1_000 * Number(query.get(name)));
      return candles(listed.find((one) => spotId(one) === query.get("symbol")), {
        text: PERIODS[query.get("period") ?? ""],
        page: { sinceMs, untilMs: (endMs ?? 0) + 1, rowsMax: 500, keep: "newest" },
        render: (rows) => ({ code: 0, data: rows.map(spotRow) }),
      });
    }
    case "/swap/v2/public/candles":
      return candles(listed.find((one) => swapId(one) === query.get("instrument_id")), {
        text: query.get("granularity") ?? undefined,
        page: { rowsMax: Math.min(NEWEST_MAX, Number(query.get("limit"))), keep: "newest" },
        render: (rows) => ({ code: 0, data: { candles: rows.map(swapRow) } }),
      });
    default:
      return undefined;
  }
}

function candles(
  symbol: LocalSymbol | undefined,
  { text, page, render }: Pick<CandlesAsk, "render"> & {
    readonly text: string | undefined;
    readonly page: Omit<CandlesAsk["page"], "order">;
  },
): Ask {
  if (symbol === undefined || text === undefined) return refused("kline", 200, { code: 20003 });
  const timeframe = parseTimeframe(text);
  return {
    about: "candles",
    endpoint: "kline",
    symbol,
    timeframe,
    page: { ...page, order: "ascending" },
    render,
  };
}

function spotRow({ openTimeMs, open, high, low, close, volume }: PageRow): unknown[] {
  return [openTimeMs / 1_000, ...[volume, close, high, low, open].map(Number)];
}

function swapRow({ openTimeMs, open, high, low, close, volume }: PageRow): unknown[] {
  return [openTimeMs, open, high, low, close, volume];
}

function spotMarket(symbol: LocalSymbol): unknown {
  return {
    symbol: spotId(symbol),
    base_asset: symbol.base,
    quote_asset: symbol.quote,
    status: "TRADING",
    is_allow: 1,
    price_precision: symbol.tickDecimals,
    amount_precision: 4,
  };
}

function perpetual(symbol: LocalSymbol): unknown {
  return {
    instrument_id: swapId(symbol),
    base_currency: symbol.base,
    quote_currency: symbol.quote,
    clear_currency: symbol.quote,
    contract_type: "PERPETUAL",
    contract_value: "0.001",
    is_inverse: false,
    tick_size: "0.01",
  };
}

function spotId({ base, quote }: LocalSymbol): string {
  return `${base}_${quote}`;
}

function swapId({ base, quote }: LocalSymbol): string {
  return `${base}${quote}PERP`;
}
