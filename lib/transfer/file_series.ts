/** Decides which series a file's rows belong to, by what the file says and what the user says. @module */
import { kindInWords, namesSymbol } from "../market/instrument.ts";
import { PRICES_NAMED } from "../market/price.ts";
import type { Series } from "../market/series.ts";
import { hasWrongPrice, isSymbol, kindOf } from "../market/symbol.ts";
import { isTimeframe, nominalMs, parseTimeframe } from "../market/timeframe.ts";
import { nearest } from "../text/nearest.ts";
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import { exchangeNamed } from "./presets/exchange_name.ts";

/** What the user says of a file's rows. */
export interface SeriesFlags {
  readonly exchange?: string | undefined;
  readonly symbol?: string | undefined;
  readonly timeframe?: string | undefined;
  /** The instrument to take, as the file calls it. */
  readonly instrument?: string | undefined;
  readonly knownExchanges: readonly string[];
}

/** What a row of the file says. */
export interface RowNames {
  readonly exchange: string | undefined;
  readonly instruments: readonly string[];
  readonly timeframe: string | undefined;
  /** Unified, if the file's source writes it so that it can be read. */
  readonly symbol: string | undefined;
  /** Where the file may be from, when several sources are possible. */
  readonly candidates: readonly string[];
  /** What its name says, for what neither its rows nor the user say. */
  readonly file: { readonly [Part in "exchange" | "symbol" | "timeframe"]: string | undefined };
  /** Where it is said first. */
  readonly place: string;
}

/** The series of rows with these names, and whether it is they that the user asked for. */
export function seriesOf(
  names: RowNames,
  flags: SeriesFlags,
): { readonly series: Series; readonly isMeant: boolean } {
  const fail = (why: string): never => {
    throw new Error(`Cannot read ${names.place}: ${printable(why.slice(0, 300))}`);
  };
  const { file } = names;
  const exchange = flags.exchange ?? names.exchange ?? file.exchange ??
    missing("exchange", fail, names.candidates);
  const [instrument] = names.instruments;
  const symbol = flags.symbol ?? names.symbol ?? instrument ?? file.symbol ??
    missing("symbol", fail, names.candidates);
  const timeframe = flags.timeframe ?? names.timeframe ?? file.timeframe ??
    missing("timeframe", fail);
  if (!flags.knownExchanges.includes(exchange)) {
    const [meant] = nearest(exchange, flags.knownExchanges);
    fail(
      `${exchange} is not an exchange` +
        (meant === undefined ? "" : ` (did you mean ${meant}?)`),
    );
  }
  if (!isSymbol(symbol)) {
    fail(`${symbol} is not a unified symbol, such as BTC/USDT. Set it with --symbol`);
  }
  if (hasWrongPrice(symbol)) {
    const prices = PRICES_NAMED.map((price) => `@${price}`).join(", ");
    fail(`${symbol} names a price that it cannot have: those of contracts are ${prices}`);
  }
  if (!isTimeframe(timeframe)) {
    try {
      parseTimeframe(timeframe);
    } catch (error) {
      fail(errorText(error));
    }
  }
  const series = { exchange, symbol, timeframe: parseTimeframe(timeframe) };
  return { series, isMeant: isMeant(names, series, flags) };
}

function isMeant(names: RowNames, series: Series, flags: SeriesFlags): boolean {
  const { exchange, timeframe, instruments } = names;
  const words = exchange === undefined ? undefined : exchangeWords(exchange, flags.knownExchanges);
  if (words !== undefined && !isNamed(words, series)) return false;
  if (
    timeframe !== undefined && isTimeframe(timeframe) &&
    nominalMs(parseTimeframe(timeframe)) !== nominalMs(series.timeframe)
  ) return false;
  if (flags.instrument !== undefined) return instruments.includes(flags.instrument);
  return instruments.length === 0 || names.symbol === flags.symbol || flags.symbol === undefined ||
    instruments.some((name) =>
      namesSymbol(name, series.symbol) ||
      // Where the exchange's name says that it is of contracts, the instrument's need not say it again.
      (words?.kind === "contract" && namesSymbol(name.replaceAll(/[-_/]/g, ""), series.symbol))
    );
}

/** What a file's name of an exchange says, such as `Binance Perpetual Futures` or `OKEX`. */
interface ExchangeWords {
  /** The exchange, if it is a known one. */
  readonly id: string | undefined;
  readonly kind: "spot" | "contract" | undefined;
}

/** Exchanges that are closed: their candles are of no other. */
const CLOSED = ["ftx", "ftxus", "bittrex", "bitmex", "mtgox", "btce", "cryptopia", "quadrigacx"];

function exchangeWords(name: string, knownExchanges: readonly string[]): ExchangeWords {
  const lower = name.toLowerCase();
  if (knownExchanges.includes(lower)) return { id: lower, kind: undefined };
  const words = lower.split(/[^a-z0-9.]+/).filter((word) => word !== "");
  // `Binance US Spot` is of `binanceus`, although it begins with another.
  const id = words.map((_, at) => exchangeNamed(words.slice(0, at + 1).join("")))
    .findLast((begin) => knownExchanges.includes(begin) || CLOSED.includes(begin));
  return { id, kind: kindInWords(name) };
}

function isNamed({ id, kind }: ExchangeWords, { exchange, symbol }: Series): boolean {
  if (kind !== undefined && (kind === "spot") !== (kindOf(symbol) === "spot")) return false;
  // `Binance Perpetual Futures` are those of binanceusdm, too.
  return id === undefined || id === exchange || (kind === "contract" && exchange.startsWith(id));
}

function missing(
  part: string,
  fail: (why: string) => never,
  candidates: readonly string[] = [],
): never {
  const sources = candidates.length < 2
    ? ""
    : `, or say where the file is from with --preset ${candidates.join(" or --preset ")}`;
  return fail(`the ${part} is missing. Set it with --${part}${sources}`);
}
