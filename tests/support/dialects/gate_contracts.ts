/** Gate's perpetual and delivery contracts, their mark and index prices, for the local exchange. @module */
import { contractsText, pricedMarket } from "../../../lib/local_exchange/contract.ts";
import { tickerAt } from "../../../lib/local_exchange/price_walk.ts";
import { parseTimeframe } from "../../../lib/market/timeframe.ts";
import {
  type Ask,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
  tickText,
  trimmed,
} from "../local_exchange/dialect.ts";
import {
  type Contract,
  isListed,
  isTrading,
  type LocalSymbol,
} from "../../../lib/local_exchange/local_symbol.ts";
import { gateRange } from "./gate_range.ts";
import { jsonNumber } from "./json_number.ts";

type ContractMarket = LocalSymbol & { readonly contract: Contract };

const ROWS_DEFAULT = 100;

/** Twice as many as of a spot market. */
const ROWS_MAX = 2_000;

const FUNDING_ROWS_DEFAULT = 100;
const FUNDING_ROWS_MAX = 1_000;

const EIGHT_HOURS_SECONDS = 8 * 60 * 60;

/** Named as in CCXT; `7d` is left out, because its candles open on Thursdays. */
const INTERVALS: ReadonlySet<string> = new Set(["1m", "5m", "15m", "30m", "1h", "4h", "8h", "1d"]);

/**
 * Reads `futures/usdt/candlesticks` and its like; undefined when there is no such endpoint. Shapes follow Gate's
 * documentation (APIv4, futures and delivery) and what `ccxt/js/src/gate.js` reads.
 */
export function readGateContracts(request: DialectRequest, endpoint: string): Ask | undefined {
  const [, room, settle = "", name] = /^(futures|delivery)\/([a-z]+)\/(.+)$/.exec(endpoint) ?? [];
  if (room === undefined) return undefined;
  const { nowMs } = request;
  const symbols = request.symbols.filter(isContract).filter(({ contract }) =>
    contract.settle.toLowerCase() === settle &&
    (contract.expiryMs === undefined) === (room === "futures")
  ).filter((symbol) => isListed(symbol, nowMs));
  const trading = symbols.filter((symbol) => isTrading(symbol, nowMs));
  switch (name) {
    case "contracts":
      return plain("markets", endpoint, symbols.map((symbol) => instrument(symbol, nowMs)));
    case "tickers":
      return plain("tickers", endpoint, trading.map((symbol) => ticker(symbol, nowMs)));
    case "candlesticks":
      return readCandles(endpoint, { ...request, symbols });
    case "funding_rate":
      return room === "futures" ? readFunding(endpoint, { ...request, symbols }) : undefined;
    default:
      return undefined;
  }
}

/** `BTC_USDT`, `BTC_USDT_20241227`. */
export function gateContractId({ base, quote, contract }: LocalSymbol): string {
  if (contract?.expiryMs === undefined) return `${base}_${quote}`;
  const date = new Date(contract.expiryMs).toISOString().slice(0, 10).replaceAll("-", "");
  return `${base}_${quote}_${date}`;
}

function readCandles(endpoint: string, { query, symbols, nowMs }: DialectRequest): Ask {
  const [, price, id] = /^(?:(mark|index)_)?(.+)$/.exec(query.get("contract") ?? "") ?? [];
  const market = symbols.find((entry) => gateContractId(entry) === id);
  if (market === undefined) return unknownContract(endpoint);
  const interval = query.get("interval") ?? "5m";
  if (!INTERVALS.has(interval)) {
    return refused(endpoint, 400, { label: "INVALID_PARAM_VALUE", message: "Invalid interval" });
  }
  const timeframe = parseTimeframe(interval);
  const range = gateRange(query, {
    timeframe,
    nowMs,
    rowsDefault: ROWS_DEFAULT,
    rowsMax: ROWS_MAX,
    tooOld: "Candlestick too long ago. Maximum 10000 points recently are allowed",
  });
  if (range.problem !== undefined) return refused(endpoint, 400, range.problem);
  // Unlike a spot market's, see gateapi-python#100.
  if (query.has("limit") && (query.has("from") || query.has("to"))) {
    const message = `Invalid request parameter \`limit\` value: ${query.get("limit")}`;
    return refused(endpoint, 400, { label: "INVALID_PARAM_VALUE", message });
  }
  return {
    about: "candles",
    endpoint,
    symbol: price === "mark" || price === "index" ? pricedMarket(market, price) : market,
    timeframe,
    page: range.page,
    render: (rows) =>
      rows.map((row) => price === undefined ? tradeRow(row, market) : priceRow(row)),
  };
}

/** Volume in contracts, a number, and turnover in quote units, a text. */
function tradeRow(row: PageRow, market: LocalSymbol): unknown {
  if (row.volume === undefined) return priceRow(row);
  const contracts = jsonNumber(contractsText(market, row));
  return { ...priceRow(row), v: contracts, sum: trimmed(row.quoteVolume) };
}

function priceRow(row: PageRow): Record<string, unknown> {
  return {
    t: row.openTimeMs / 1_000,
    o: trimmed(row.open),
    h: trimmed(row.high),
    l: trimmed(row.low),
    c: trimmed(row.close),
  };
}

function readFunding(endpoint: string, { query, symbols }: DialectRequest): Ask {
  const id = query.get("contract");
  const symbol = symbols.find((entry) => gateContractId(entry) === id);
  if (symbol === undefined) return unknownContract(endpoint);
  const limit = Number(query.get("limit") ?? FUNDING_ROWS_DEFAULT);
  if (!(limit >= 1 && limit <= FUNDING_ROWS_MAX)) {
    const message = `Invalid request parameter \`limit\` value: ${query.get("limit")}`;
    return refused(endpoint, 400, { label: "INVALID_PARAM_VALUE", message });
  }
  const from = query.get("from");
  const to = query.get("to");
  return {
    about: "funding",
    endpoint,
    symbol,
    page: {
      sinceMs: from === null ? undefined : Number(from) * 1_000,
      // Inclusive.
      untilMs: to === null ? undefined : Number(to) * 1_000 + 1,
      rowsMax: limit,
      keep: "newest",
      order: "descending",
    },
    // Seconds: the milliseconds of a rate are lost.
    render: (rows) =>
      rows.map(({ timeMs, rate }) => ({ t: Math.floor(timeMs / 1_000), r: trimmed(rate) })),
  };
}

function ticker(symbol: LocalSymbol, nowMs: number): unknown {
  const day = tickerAt(symbol, nowMs);
  const last = trimmed(day.close);
  const isInverse = symbol.contract?.kind === "inverse";
  return {
    contract: gateContractId(symbol),
    last,
    low_24h: trimmed(day.low),
    high_24h: trimmed(day.high),
    change_percentage: (100 * (Number(day.close) / Number(day.open) - 1)).toFixed(2),
    total_size: "32323904",
    volume_24h: contractsText(symbol, day),
    volume_24h_btc: trimmed(day.volume),
    volume_24h_usd: trimmed(day.quoteVolume),
    volume_24h_base: trimmed(day.volume),
    volume_24h_quote: trimmed(day.quoteVolume),
    volume_24h_settle: trimmed(isInverse ? day.volume : day.quoteVolume),
    mark_price: last,
    funding_rate: "0.0001",
    funding_rate_indicative: "0.0001",
    index_price: last,
    highest_bid: last,
    highest_size: "100",
    lowest_ask: last,
    lowest_size: "1000",
  };
}

function instrument(symbol: ContractMarket, nowMs: number): unknown {
  const { contract, price, listedAtMs = 0 } = symbol;
  const { expiryMs } = contract;
  const isOpen = isTrading(symbol, nowMs) && nowMs < (expiryMs ?? Infinity);
  const step = tickText(symbol);
  const shared = {
    name: gateContractId(symbol),
    type: contract.kind === "linear" ? "direct" : "inverse",
    // The one inverse contract, of one dollar, is written as zero.
    quanto_multiplier: contract.kind === "linear" ? String(contract.size) : "0",
    mark_type: "index",
    last_price: String(price),
    mark_price: String(price),
    index_price: String(price),
    order_price_round: step,
    mark_price_round: step,
    leverage_min: "1",
    leverage_max: "100",
    maintenance_rate: "0.005",
    maker_fee_rate: "-0.00025",
    taker_fee_rate: "0.00075",
    ref_discount_rate: "0",
    ref_rebate_rate: "0.2",
    order_price_deviate: "0.5",
    order_size_min: 1,
    order_size_max: 1_000_000,
    orders_limit: 50,
    orderbook_id: 2_129_638_396,
    trade_id: 10_851_092,
    trade_size: 28_530_850_594,
    position_size: 5_223_816,
    config_change_time: 1_609_899_548,
    in_delisting: !isOpen,
    status: isOpen ? "trading" : "delisted",
  };
  if (expiryMs !== undefined) {
    const underlying = `${symbol.base}_${symbol.quote}`;
    return { ...shared, underlying, cycle: "QUARTERLY", expire_time: expiryMs / 1_000 };
  }
  const nowSeconds = nowMs / 1_000;
  const interval = contract.fundingMs === undefined
    ? EIGHT_HOURS_SECONDS
    : contract.fundingMs / 1_000;
  return {
    ...shared,
    funding_rate: "0.0001",
    funding_rate_indicative: "0.0001",
    funding_interval: interval,
    funding_next_apply: (Math.floor(nowSeconds / interval) + 1) * interval,
    funding_offset: 0,
    interest_rate: "0.0003",
    create_time: Math.floor(listedAtMs / 1_000),
    launch_time: Math.floor(listedAtMs / 1_000),
  };
}

function unknownContract(endpoint: string): Ask {
  return refused(endpoint, 400, { label: "CONTRACT_NOT_FOUND", message: "Contract not found" });
}

function isContract(symbol: LocalSymbol): symbol is ContractMarket {
  return symbol.contract !== undefined && symbol.priced === undefined;
}
