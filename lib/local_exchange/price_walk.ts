/** The prices of the local exchange: a price for every time, and the candles that follow from these prices. @module */
import { addCandles, nominalMs, type Timeframe } from "../market/timeframe.ts";
import type { Contract, LocalSymbol } from "./local_symbol.ts";
import { mix, noise, textSeed, unit } from "./noise.ts";

/** A candle as the exchange sends it: decimal text with eight decimals; prices are multiples of the tick. */
export interface LocalCandle {
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  /** In base units, also of a contract. Zero of a price at which nothing is traded. */
  readonly volume: string;
  /** In quote units. */
  readonly quoteVolume: string;
  readonly trades: number;
}

/** The ticker of the 24 hours before `closeTimeMs`, in the same form as a candle. */
export interface LocalTicker extends LocalCandle {
  readonly closeTimeMs: number;
}

/** Prices and volumes are written with this many decimals, whatever the tick. */
const DECIMALS = 8;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** One candle in this many has no price change. */
const QUIET_ONE_IN = 7;

/**
 * The walk is a sum of smooth noises, each four times slower and twice as strong as the one before it. So the price
 * changes grow with the square root of time, as in a random walk, but the price at any time can be computed directly.
 */
const OCTAVES = 10;
const OCTAVE_PERIOD_RATIO = 4;
const OCTAVE_AMPLITUDE_RATIO = 2;

/** The fastest octave has a new random value every two minutes; the slowest, nine octaves up, about once a year. */
const OCTAVE_PERIOD_FIRST_MS = 2 * MINUTE_MS;

/** In log price. The slowest octave then has 0.41, so a price stays within about 0.45 to 2.3 times `price`. */
const OCTAVE_AMPLITUDE_FIRST = 0.000_8;

/**
 * How far prices are from those that they follow, in log price: two smooth noises. The premium is this distance itself, so
 * it has either sign.
 */
const DISTANCES: readonly { readonly amplitude: number; readonly periodMs: number }[] = [
  { amplitude: 0.000_6, periodMs: 3 * HOUR_MS },
  { amplitude: 0.000_2, periodMs: 4 * MINUTE_MS },
];

/** How far high and low of a one-minute candle reach beyond the computed prices at most, in log price. */
const WICK_PER_MINUTE = 0.000_4;

/** High and low are computed from prices at the coarsest of these steps that has enough prices in a candle. */
const PATH_STEPS_MS: readonly number[] = [DAY_MS, HOUR_MS, 5 * MINUTE_MS, MINUTE_MS];

/** Least prices per candle: a day uses one per hour, an hour one per five minutes. More would only be slower. */
const PATH_MOMENTS_MIN = 4;

/**
 * The candle that opens at the aligned time `openTimeMs`. A pure function of its arguments that works for any time; it
 * ignores holes and listing dates. In every timeframe, the open is the price at the open time, so a day's open is the
 * open of its first minute. The close is the price at the end, unless the candle is quiet.
 *
 * If `nowMs` is inside the candle, the result is the forming candle at that time. One in seven candles shorter than a
 * day is quiet; longer ones never are.
 */
export function candleAt(
  symbol: LocalSymbol,
  timeframe: Timeframe,
  openTimeMs: number,
  { nowMs = Infinity }: { readonly nowMs?: number | undefined } = {},
): LocalCandle {
  const untilMs = addCandles(timeframe, openTimeMs, 1);
  const seed = mix(textSeed(seedOf(symbol)) ^ Math.imul(textSeed(timeframe.text), 31));
  const dice = mix(seed ^ (openTimeMs / 1_000));
  const isQuiet = untilMs - openTimeMs < DAY_MS && unit(dice) < 1 / QUIET_ONE_IN;
  return movement(symbol, {
    openTimeMs,
    untilMs,
    seenUntilMs: Math.min(untilMs, Math.max(nowMs, openTimeMs + 1)),
    stepMs: pathStep(nominalMs(timeframe)),
    dice,
    isQuiet,
  });
}

/** The ticker of a market's last 24 hours at `nowMs`. */
export function tickerAt(symbol: LocalSymbol, nowMs: number): LocalTicker {
  const openTimeMs = nowMs - DAY_MS;
  const dice = mix(textSeed(seedOf(symbol)) ^ Math.floor(nowMs / DAY_MS));
  const span = { openTimeMs, untilMs: nowMs, seenUntilMs: nowMs, stepMs: HOUR_MS };
  return { ...movement(symbol, { ...span, dice, isQuiet: false }), closeTimeMs: nowMs };
}

/** The price text of a number of ticks. */
function priceText(symbol: LocalSymbol, ticks: number): string {
  return (ticks / 10 ** symbol.tickDecimals).toFixed(DECIMALS);
}

/** The time that a candle covers, how much of it has passed, and its random numbers. */
interface Span {
  readonly openTimeMs: number;
  readonly untilMs: number;
  readonly seenUntilMs: number;
  readonly stepMs: number;
  readonly dice: number;
  readonly isQuiet: boolean;
}

function movement(symbol: LocalSymbol, span: Span): LocalCandle {
  const { openTimeMs, untilMs, seenUntilMs, stepMs, dice, isQuiet } = span;
  const open = ticksAt(symbol, openTimeMs);
  const seenShare = (seenUntilMs - openTimeMs) / (untilMs - openTimeMs);
  const turnover = symbol.quoteVolume24h * ((untilMs - openTimeMs) / DAY_MS) * seenShare;
  if (isQuiet) return quietCandle(symbol, { openTimeMs, ticks: open, turnover, dice });

  const close = ticksAt(symbol, seenUntilMs);
  let highest = Math.max(open, close);
  let lowest = Math.min(open, close);
  // At multiples of the step, not counted from the candle's open: so candles of all timeframes use the same times.
  for (
    let timeMs = Math.floor(openTimeMs / stepMs + 1) * stepMs;
    timeMs < seenUntilMs;
    timeMs += stepMs
  ) {
    const ticks = ticksAt(symbol, timeMs);
    if (ticks > highest) highest = ticks;
    if (ticks < lowest) lowest = ticks;
  }
  const reach = (symbol.volatility ?? 1) * WICK_PER_MINUTE *
    Math.sqrt((seenUntilMs - openTimeMs) / MINUTE_MS);
  // Outwards from a premium too, which may be negative.
  const above = Math.sign(highest) * reach * unit(mix(dice ^ 1)) ** 2;
  const below = Math.sign(lowest) * Math.min(0.5, reach * unit(mix(dice ^ 2)) ** 2);
  const high = Math.round(highest * (1 + above));
  const low = atLeastOne(symbol, Math.round(lowest * (1 - below)));
  const wanted = turnover * (0.3 + 1.4 * unit(mix(dice ^ 3)));
  const average = symbol.contract === undefined
    ? open
    : Math.round((open + high + low + close) / 4);
  return {
    openTimeMs,
    open: priceText(symbol, open),
    high: priceText(symbol, high),
    low: priceText(symbol, low),
    close: priceText(symbol, close),
    ...traded(symbol, { turnover: wanted, ticks: average }),
  };
}

/** A candle with all trades at one price or, in half of the cases, with no trades. */
function quietCandle(
  symbol: LocalSymbol,
  { openTimeMs, ticks, turnover, dice }: {
    readonly openTimeMs: number;
    readonly ticks: number;
    readonly turnover: number;
    readonly dice: number;
  },
): LocalCandle {
  const price = priceText(symbol, ticks);
  const wanted = unit(mix(dice ^ 4)) < 0.5 ? 0 : turnover * 0.05;
  return {
    openTimeMs,
    open: price,
    high: price,
    low: price,
    close: price,
    ...traded(symbol, { turnover: wanted, ticks }),
  };
}

/** What is traded for a turnover at an average price: of contracts only whole ones, and nothing at other prices. */
function traded(
  symbol: LocalSymbol,
  { turnover, ticks }: { readonly turnover: number; readonly ticks: number },
): Pick<LocalCandle, "volume" | "quoteVolume" | "trades"> {
  const price = ticks / 10 ** symbol.tickDecimals;
  const { contract, priced } = symbol;
  const { base, quote } = priced !== undefined
    ? { base: 0, quote: 0 }
    : contract === undefined
    ? { base: turnover / price, quote: turnover }
    : tradedContracts(contract, { turnover, price });
  return {
    volume: base.toFixed(DECIMALS),
    quoteVolume: quote.toFixed(DECIMALS),
    trades: quote === 0 ? 0 : 1 + Math.floor(quote / 1_000),
  };
}

/** What a candle of a contract says was traded: whole contracts, for about the turnover that is wanted. */
function tradedContracts(
  { kind, size }: Contract,
  { turnover, price }: { readonly turnover: number; readonly price: number },
): { readonly base: number; readonly quote: number } {
  const wanted = kind === "linear" ? turnover / price : turnover;
  const worth = turnover === 0 ? 0 : Math.max(1, Math.round(wanted / size)) * size;
  return kind === "linear"
    ? { base: worth, quote: worth * price }
    : { base: worth / price, quote: worth };
}

function pathStep(lengthMs: number): number {
  return PATH_STEPS_MS.find((stepMs) => lengthMs / stepMs >= PATH_MOMENTS_MIN) ?? MINUTE_MS;
}

/** The price at a time, in ticks. At least 1, but for a premium. */
function ticksAt(symbol: LocalSymbol, timeMs: number): number {
  const scale = 10 ** symbol.tickDecimals;
  const seed = seedOf(symbol);
  if (symbol.priced === "premium") return Math.round(distance(textSeed(seed), timeMs) * scale);
  let log = walk(textSeed(symbol.follows ?? seed), symbol, timeMs);
  if (symbol.follows !== undefined) log += distance(textSeed(seed), timeMs);
  return atLeastOne(symbol, Math.round(symbol.price * Math.exp(log) * scale));
}

/** The random walk, in log price. */
function walk(seed: number, { volatility = 1 }: LocalSymbol, timeMs: number): number {
  let log = 0;
  let amplitude = OCTAVE_AMPLITUDE_FIRST * volatility;
  let periodMs = OCTAVE_PERIOD_FIRST_MS;
  for (let octave = 0; octave < OCTAVES; octave++) {
    log += amplitude * noise(mix(seed + octave), timeMs / periodMs);
    amplitude *= OCTAVE_AMPLITUDE_RATIO;
    periodMs *= OCTAVE_PERIOD_RATIO;
  }
  return log;
}

function distance(seed: number, timeMs: number): number {
  return DISTANCES.reduce(
    (sum, { amplitude, periodMs }, index) =>
      sum + amplitude * noise(mix(seed - 1 - index), timeMs / periodMs),
    0,
  );
}

function atLeastOne({ priced }: LocalSymbol, ticks: number): number {
  return priced === "premium" ? ticks : Math.max(1, ticks);
}

function seedOf({ seed, symbol }: LocalSymbol): string {
  return seed ?? symbol;
}
