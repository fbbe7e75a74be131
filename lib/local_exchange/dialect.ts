/** A dialect makes the local exchange answer like a certain exchange: its endpoints, formats and paging. @module */
import { type Timeframe } from "../market/timeframe.ts";
import type { LocalFunding } from "./contract.ts";
import type { LocalCandle } from "./price_walk.ts";
import type { PageAsk, Silence } from "./history.ts";
import type { LocalSymbol } from "./local_symbol.ts";

/**
 * The public API of one exchange. A dialect parses requests and formats answers. Which candles exist, and what is
 * logged, is decided by the server, and is the same for all dialects.
 */
export interface Dialect {
  /** CCXT id, `binance`. */
  readonly exchange: string;
  readonly silence: Silence;
  /** Its WebSocket. @default it has none */
  readonly stream?: StreamFormat | undefined;
  /** Parses a request; undefined when this exchange has no such endpoint. */
  read(request: DialectRequest): Ask | undefined;
}

/** A request as a dialect receives it, without the proxy prefix. */
export interface DialectRequest {
  /** The decoded path without the query: `/api/v3/klines`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** All markets, also those that are delisted or not listed yet. */
  readonly symbols: readonly LocalSymbol[];
  readonly nowMs: number;
}

export type Ask = CandlesAsk | FundingAsk | PlainAsk;

/** A request for candles: the server finds the candles, the dialect formats the answer. */
export interface CandlesAsk {
  readonly about: "candles";
  /** The exchange's name of the endpoint, `klines`. */
  readonly endpoint: string;
  readonly symbol: LocalSymbol;
  readonly timeframe: Timeframe;
  readonly page: PageAsk;
  /** Formats the answer's JSON; the rows are in the order that `page` asks for. */
  render(rows: readonly PageRow[]): unknown;
}

/** A request for funding rates: the server finds the payments, the dialect formats the answer. */
export interface FundingAsk {
  readonly about: "funding";
  readonly endpoint: string;
  readonly symbol: LocalSymbol;
  readonly page: PageAsk;
  /** The time that the exchange writes for a payment. The page's bounds are about it. @default the true time */
  writtenMs?(timeMs: number): number;
  /** Formats the answer's JSON; the rows are in the order that `page` asks for, with the written times. */
  render(rows: readonly LocalFunding[]): unknown;
}

/** A request that the dialect answers itself. This includes refusals of malformed requests. */
export interface PlainAsk {
  readonly about: "markets" | "tickers" | "other";
  readonly endpoint: string;
  readonly answer: Answer;
}

interface Answer {
  readonly status: number;
  /** Written as JSON; bytes as they are. */
  readonly body: unknown;
}

/** A candle of an answer. An interference may have changed its values; a volume of `undefined` is left out. */
export interface PageRow extends Omit<LocalCandle, PriceName | "volume"> {
  readonly open: string | null;
  readonly high: string | null;
  readonly low: string | null;
  readonly close: string | null;
  readonly volume: string | null | undefined;
}

type PriceName = "open" | "high" | "low" | "close";

/** The candles of one market that a client has subscribed. */
export interface LocalTopic {
  /** As the exchange names it. */
  readonly name: string;
  readonly symbol: LocalSymbol;
  readonly timeframe: Timeframe;
}

/** What a message of a client asks for, and the answer. */
export interface StreamAsk {
  readonly answer: string;
  readonly subscribed?: readonly LocalTopic[];
  readonly unsubscribed?: readonly string[];
}

/** The WebSocket of one exchange: its messages, not what happens. */
export interface StreamFormat {
  readonly path: string;
  readAsk(text: string, symbols: readonly LocalSymbol[]): StreamAsk;
  candleText(
    topic: LocalTopic,
    row: PageRow,
    told: { readonly isClosed: boolean; readonly nowMs: number },
  ): string;
}

/** A request that is answered with status 200. */
export function plain(about: PlainAsk["about"], endpoint: string, body: unknown): PlainAsk {
  return { about, endpoint, answer: { status: 200, body } };
}

/** A request that is refused, because it is malformed or names something unknown. */
export function refused(endpoint: string, status: number, body: unknown): PlainAsk {
  return { about: "other", endpoint, answer: { status, body } };
}

/** Decimal text without trailing zeros, as most exchanges write it: `24344.10` becomes `24344.1`. */
export function trimmed<Text extends string | null | undefined>(text: Text): Text {
  if (typeof text !== "string" || !text.includes(".")) return text;
  return text.replace(/\.?0+$/, "") as Text;
}

/** Decimal text with a fixed number of decimals. Prices are multiples of the tick, so only zeros are cut off. */
export function withDecimals<Text extends string | null | undefined>(
  text: Text,
  decimals: number,
): Text {
  if (typeof text !== "string" || !/^-?\d+\.\d+$/.test(text)) return text;
  const [whole = "", fraction = ""] = text.split(".");
  const kept = fraction.slice(0, decimals).padEnd(decimals, "0");
  return (decimals === 0 ? whole : `${whole}.${kept}`) as Text;
}

/** The price step of a market as text, `0.01`. */
export function tickText(symbol: LocalSymbol): string {
  return (10 ** -symbol.tickDecimals).toFixed(symbol.tickDecimals);
}
