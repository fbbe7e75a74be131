/** The dialects of Binance's futures: USD-M, `/fapi/v1`, and COIN-M, `/dapi/v1`. @module */
import { addCandles, nominalMs, parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import {
  bookOf,
  contractId,
  decimalsOf,
  fundingInfo,
  pairOf,
  premiumIndex,
  ticker,
} from "./binance_contracts.ts";
import {
  missing,
  notNumbers,
  numberOf,
  UNKNOWN_INTERVAL,
  UNKNOWN_SYMBOL,
} from "./binance_refusal.ts";
import {
  contractsText,
  findMarket,
  isTradingContract,
  type LocalFunding,
  pricedMarket,
} from "./contract.ts";
import {
  type Ask,
  type DialectRequest,
  type PageRow,
  plain,
  refused,
  withDecimals,
} from "./dialect.ts";
import type { PageAsk } from "./history.ts";
import { type Contract, isListed, type LocalSymbol, type OtherPrice } from "./local_symbol.ts";
import { pricedSymbol } from "../market/price.ts";
import { candleAt } from "./price_walk.ts";
import { mix, textSeed, unit } from "./noise.ts";

/** A request to one of the two APIs, with that kind's contracts only. */
interface FuturesRequest extends DialectRequest {
  readonly kind: Contract["kind"];
  /** Without the path of the API: `klines`. */
  readonly method: string;
  /** The endpoint's name in the log: `linear/klines`. */
  readonly endpoint: string;
}

const APIS: Readonly<Record<string, Contract["kind"]>> = {
  "/fapi/v1/": "linear",
  "/dapi/v1/": "inverse",
};

/** Rows of candles when `limit` is absent, and the most that may be asked for. */
const ROWS_DEFAULT = 500;
const ROWS_MAX = 1_500;

/** The same of funding rates. Without start and end there are more: the newest of all. */
const RATES_DEFAULT = 100;
const RATES_NEWEST_DEFAULT = 200;
const RATES_MAX = 1_000;

/** COIN-M's candles are asked for within so much time. */
const LOOKUP_MS_MAX = 200 * 24 * 3_600_000;

/** Payments are written up to this much after their true time, as Binance's are. */
const WRITTEN_LATE_MS = 10;

/** Since when the mark price of a payment is told. Earlier ones have an empty text. */
const MARK_TOLD_FROM_MS = Date.UTC(2023, 10, 1);

/** As spot has them, but for seconds. */
const INTERVALS: ReadonlySet<string> = new Set(
  "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M".split(" "),
);

const PRICES: Readonly<Record<string, OtherPrice | undefined>> = {
  klines: undefined,
  markPriceKlines: "mark",
  indexPriceKlines: "index",
  premiumIndexKlines: "premium",
};

/** Between two values of an index or a mark price, and of a premium. A candle says how many it is made of. */
const PRICE_EVERY_MS = 1_000;
const PREMIUM_EVERY_MS = 5_000;

/**
 * Reads a request for USD-M or COIN-M; undefined when there is no such endpoint. Formats, limits and error codes are as in
 * Binance's documentation (derivatives, market data, error codes), with the fields that `ccxt/js/src/binance.js` reads.
 * Funding rates are given for one symbol only.
 */
export function readFutures(asked: DialectRequest): Ask | undefined {
  const [api, kind] = Object.entries(APIS).find(([api]) => asked.path.startsWith(api)) ?? [];
  if (api === undefined || kind === undefined) return undefined;
  const method = asked.path.slice(api.length);
  const request = { ...asked, kind, method, endpoint: `${kind}/${method}` };
  switch (method) {
    case "ping":
      return plain("other", request.endpoint, {});
    case "time":
      return plain("other", request.endpoint, { serverTime: request.nowMs });
    case "exchangeInfo":
      return plain("markets", request.endpoint, bookOf(kind, contractsOf(request), request.nowMs));
    case "fundingInfo":
      return plain("other", request.endpoint, fundingInfo(contractsOf(request)));
    case "ticker/24hr":
      return readOfMarkets(request, "tickers", ticker);
    case "premiumIndex":
      return readOfMarkets(request, "other", premiumIndex);
    case "fundingRate":
      return readFunding(request);
    default:
      return Object.hasOwn(PRICES, method) ? readCandles(request) : undefined;
  }
}

/** The contracts of the API's kind, without their other prices. */
function contractsOf({ symbols, kind, nowMs }: FuturesRequest): LocalSymbol[] {
  return symbols.filter((symbol) =>
    symbol.contract?.kind === kind && symbol.priced === undefined && isListed(symbol, nowMs)
  );
}

function readCandles(request: FuturesRequest): Ask {
  const { endpoint, method, query, kind } = request;
  const price = PRICES[method];
  const name = price === "index" ? "pair" : "symbol";
  const malformed = missing(endpoint, request, [name, "interval"]) ??
    notNumbers(endpoint, request, ["startTime", "endTime", "limit"]);
  if (malformed !== undefined) return malformed;
  const named = query.get(name);
  const contract = contractsOf(request).find((one) =>
    (price === "index" ? pairOf(one) : contractId(one)) === named
  );
  if (contract === undefined) {
    const invalid = { code: -4_087, msg: "Invalid pair." };
    return refused(endpoint, 400, price === "index" ? invalid : UNKNOWN_SYMBOL);
  }
  const interval = query.get("interval") ?? "";
  if (!INTERVALS.has(interval)) return refused(endpoint, 400, UNKNOWN_INTERVAL);
  const rowsMax = numberOf(query, "limit") ?? ROWS_DEFAULT;
  const isSpanBounded = kind === "inverse" && price !== "premium";
  const page = isSpanBounded ? readRecentPage(request, rowsMax) : readPage(request, rowsMax);
  const refusal = refusalOf(request, { rowsMax, most: ROWS_MAX, page, isSpanBounded });
  if (refusal !== undefined) return refused(endpoint, 400, refusal);
  const timeframe = parseTimeframe(interval);
  const symbol = price === undefined ? contract : pricedOf(request, contract, price);
  const row = price === undefined ? tradeRow : priceRow;
  const render = (rows: readonly PageRow[]): unknown =>
    rows.map((one) => row(symbol, timeframe, one));
  return { about: "candles", endpoint, symbol, timeframe, page, render };
}

/** A price that the test lists itself, else the one that follows from the contract. */
function pricedOf(
  { symbols }: FuturesRequest,
  contract: LocalSymbol,
  price: OtherPrice,
): LocalSymbol {
  return findMarket(symbols, pricedSymbol(contract.symbol, price)) ?? pricedMarket(contract, price);
}

/** USD-M: from the start on, or the newest before the end. */
function readPage({ query }: FuturesRequest, rowsMax: number): PageAsk {
  const sinceMs = numberOf(query, "startTime");
  const untilMs = numberOf(query, "endTime");
  return {
    ...{ sinceMs, rowsMax, order: "ascending" },
    // The end is inclusive.
    untilMs: untilMs === undefined ? undefined : untilMs + 1,
    keep: sinceMs === undefined ? "newest" : "oldest",
  };
}

/**
 * COIN-M: always the newest before the end. Without an end that is 200 days after the start, or now: who asks for a start
 * alone gets candles of much later.
 */
function readRecentPage({ query, nowMs }: FuturesRequest, rowsMax: number): PageAsk {
  const startMs = numberOf(query, "startTime");
  const endMs = numberOf(query, "endTime") ??
    (startMs === undefined ? nowMs : Math.min(nowMs, startMs + LOOKUP_MS_MAX));
  const sinceMs = startMs ?? endMs - LOOKUP_MS_MAX;
  return { sinceMs, untilMs: endMs + 1, rowsMax, keep: "newest", order: "ascending" };
}

/** Why a page is not given, if it is not. */
function refusalOf(
  { query }: FuturesRequest,
  { rowsMax, most, page, isSpanBounded = false }: {
    readonly rowsMax: number;
    readonly most: number;
    readonly page: PageAsk;
    /** Whether start and end may be only so far apart, as COIN-M's. @default false */
    readonly isSpanBounded?: boolean | undefined;
  },
): { readonly code: number; readonly msg: string } | undefined {
  if (rowsMax < 1 || rowsMax > most) {
    return { code: -1_130, msg: "Data sent for parameter 'limit' is not valid." };
  }
  const { sinceMs, untilMs } = page;
  if (sinceMs === undefined || untilMs === undefined) return undefined;
  if (query.has("startTime") && query.has("endTime") && sinceMs > untilMs - 1) {
    return { code: -1_023, msg: "Start time is greater than end time." };
  }
  return isSpanBounded && untilMs - 1 - sinceMs > LOOKUP_MS_MAX
    ? { code: -4_088, msg: "Maximum time interval is 200 days." }
    : undefined;
}

/** USD-M has base and quote volume, COIN-M contracts and base volume. */
function tradeRow(symbol: LocalSymbol, timeframe: Timeframe, row: PageRow): unknown[] {
  const { tickDecimals, contract } = symbol;
  const prices = [row.open, row.high, row.low, row.close]
    .map((text) => inSteps(text, tickDecimals));
  if (row.volume === undefined) return [row.openTimeMs, ...prices];
  const stepDecimals = decimalsOf(contract?.size ?? 1);
  const { volume, quoteVolume } = row;
  const [traded, worth] = contract?.kind === "inverse"
    ? [contractsText(symbol, { volume, quoteVolume }), volume]
    : [inSteps(volume, stepDecimals), inSteps(quoteVolume, stepDecimals + tickDecimals)];
  const half = (text: string | null): string => (Number(text) / 2).toFixed(8);
  return [
    ...[row.openTimeMs, ...prices, traded, addCandles(timeframe, row.openTimeMs, 1) - 1],
    ...[worth, row.trades, half(traded), half(worth), "0"],
  ];
}

/** Text with the decimals of a step. A value between the steps, which a test may have set, keeps its own. */
function inSteps(text: string | null, decimals: number): string | null {
  const cut = withDecimals(text, decimals);
  return Number(cut) === Number(text) ? cut : text;
}

function priceRow(
  { priced }: LocalSymbol,
  timeframe: Timeframe,
  { openTimeMs, open, high, low, close }: PageRow,
): unknown[] {
  const everyMs = priced === "premium" ? PREMIUM_EVERY_MS : PRICE_EVERY_MS;
  return [
    ...[openTimeMs, open, high, low, close, "0", addCandles(timeframe, openTimeMs, 1) - 1],
    ...["0", Math.floor(nominalMs(timeframe) / everyMs), "0", "0", "0"],
  ];
}

function readFunding(request: FuturesRequest): Ask {
  const { endpoint, query } = request;
  const malformed = missing(endpoint, request, ["symbol"]) ??
    notNumbers(endpoint, request, ["startTime", "endTime", "limit"]);
  if (malformed !== undefined) return malformed;
  const id = query.get("symbol");
  const symbol = contractsOf(request).find((one) => contractId(one) === id);
  if (symbol === undefined) return refused(endpoint, 400, UNKNOWN_SYMBOL);
  const isNewest = !query.has("startTime") && !query.has("endTime");
  const rowsMax = numberOf(query, "limit") ?? (isNewest ? RATES_NEWEST_DEFAULT : RATES_DEFAULT);
  const page = readPage(request, rowsMax);
  const refusal = refusalOf(request, { rowsMax, most: RATES_MAX, page });
  if (refusal !== undefined) return refused(endpoint, 400, refusal);
  const render = (rows: readonly LocalFunding[]): unknown =>
    rows.map((row) => fundingRow(request, symbol, row));
  return { about: "funding", endpoint, symbol, page, writtenMs: writtenMs(symbol), render };
}

/** A few milliseconds late, but always the same ones. */
function writtenMs({ symbol }: LocalSymbol): (timeMs: number) => number {
  const seed = textSeed(`${symbol} written`);
  return (timeMs) => {
    const dice = mix(seed ^ (timeMs / 60_000));
    return timeMs + (unit(mix(dice)) < 0.5 ? 0 : Math.floor(unit(dice) * WRITTEN_LATE_MS));
  };
}

function fundingRow(
  request: FuturesRequest,
  contract: LocalSymbol,
  { timeMs, rate }: LocalFunding,
): unknown {
  const row = { symbol: contractId(contract), fundingTime: timeMs, fundingRate: rate };
  if (request.kind === "inverse") return row;
  const mark = pricedOf(request, contract, "mark");
  const minuteMs = Math.floor(timeMs / 60_000) * 60_000;
  const markPrice = timeMs < MARK_TOLD_FROM_MS
    ? ""
    : candleAt(mark, parseTimeframe("1m"), minuteMs).open;
  return { ...row, markPrice };
}

/** An answer about all markets that trade, or one of them. COIN-M's is a list even then. */
function readOfMarkets(
  request: FuturesRequest,
  about: "tickers" | "other",
  tell: (symbol: LocalSymbol, nowMs: number) => unknown,
): Ask {
  const { endpoint, kind, query, nowMs } = request;
  const id = query.get("symbol");
  const pair = kind === "inverse" ? query.get("pair") : null;
  const wanted = contractsOf(request).filter((symbol) =>
    isTradingContract(symbol, nowMs) && (id === null || contractId(symbol) === id) &&
    (pair === null || pairOf(symbol) === pair)
  );
  const [first] = wanted;
  if (id !== null && first === undefined) return refused(endpoint, 400, UNKNOWN_SYMBOL);
  const isOne = id !== null && first !== undefined && kind === "linear";
  const body = isOne ? tell(first, nowMs) : wanted.map((symbol) => tell(symbol, nowMs));
  return plain(about, endpoint, body);
}
