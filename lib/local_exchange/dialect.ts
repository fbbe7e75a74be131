/** What makes the local exchange speak like a certain one: endpoints, shapes and paging. @module */
import { type Timeframe } from "../market/timeframe.ts";
import type { LocalCandle } from "./price_walk.ts";
import type { PageAsk, Silence } from "./history.ts";
import type { LocalSymbol } from "./local_symbol.ts";

/**
 * One exchange's public spot API. It reads requests and writes answers; which candles exist and what is logged is the
 * server's part, the same for all dialects.
 */
export interface Dialect {
  /** CCXT id, `binance`. */
  readonly exchange: string;
  readonly silence: Silence;
  /** What the request asks for; undefined when this exchange has no such endpoint. */
  read(request: DialectRequest): Ask | undefined;
}

/** A request as a dialect sees it, with any proxy in front taken away. */
export interface DialectRequest {
  /** Decoded, without the query: `/api/v3/klines`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** All markets, also those not listed yet or delisted. */
  readonly symbols: readonly LocalSymbol[];
  readonly nowMs: number;
}

export type Ask = CandlesAsk | PlainAsk;

/** An ask for candles: the server finds them, the dialect writes them. */
export interface CandlesAsk {
  readonly about: "candles";
  /** The endpoint as the exchange calls it, `klines`. */
  readonly endpoint: string;
  readonly symbol: LocalSymbol;
  readonly timeframe: Timeframe;
  readonly page: PageAsk;
  /** The answer's JSON for rows in the order the page asked. */
  render(rows: readonly PageRow[]): unknown;
}

/** An ask whose answer the dialect knows at once, refusals of malformed asks included. */
export interface PlainAsk {
  readonly about: "markets" | "tickers" | "other";
  readonly endpoint: string;
  readonly answer: Answer;
}

interface Answer {
  readonly status: number;
  /** Written as JSON. */
  readonly body: unknown;
}

/** A candle on its way into an answer. An interference may have spoiled its values; `undefined` is left out. */
export interface PageRow extends Omit<LocalCandle, PriceName | "volume"> {
  readonly open: string | null;
  readonly high: string | null;
  readonly low: string | null;
  readonly close: string | null;
  readonly volume: string | null | undefined;
}

type PriceName = "open" | "high" | "low" | "close";

/** An ask answered with status 200. */
export function plain(about: PlainAsk["about"], endpoint: string, body: unknown): PlainAsk {
  return { about, endpoint, answer: { status: 200, body } };
}

/** An ask refused because of what it says. */
export function refused(endpoint: string, status: number, body: unknown): PlainAsk {
  return { about: "other", endpoint, answer: { status, body } };
}

/** Decimal text without the zeros that carry nothing, as most exchanges write it: `24344.10` is `24344.1`. */
export function trimmed<Text extends string | null | undefined>(text: Text): Text {
  if (typeof text !== "string" || !text.includes(".")) return text;
  return text.replace(/\.?0+$/, "") as Text;
}

/** Decimal text cut to a number of decimals; the cut ones are zeros for prices on the tick. */
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
