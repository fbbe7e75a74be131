/** The prices of the local exchange: a price for every time, and the candles that follow from these prices. @module */
import { addCandles, nominalMs, type Timeframe } from "../market/timeframe.ts";
import type { LocalSymbol } from "./local_symbol.ts";

/** A candle as the exchange sends it: decimal text with eight decimals; prices are multiples of the tick. */
export interface LocalCandle {
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  /** In base units. */
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
  const seed = mix(textSeed(symbol.symbol) ^ Math.imul(textSeed(timeframe.text), 31));
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
  const dice = mix(textSeed(symbol.symbol) ^ Math.floor(nowMs / DAY_MS));
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
  const high = Math.round(highest * (1 + reach * unit(mix(dice ^ 1)) ** 2));
  const low = Math.max(
    1,
    Math.round(lowest * (1 - Math.min(0.5, reach * unit(mix(dice ^ 2)) ** 2))),
  );
  const quoteVolume = turnover * (0.3 + 1.4 * unit(mix(dice ^ 3)));
  return {
    openTimeMs,
    open: priceText(symbol, open),
    high: priceText(symbol, high),
    low: priceText(symbol, low),
    close: priceText(symbol, close),
    volume: (quoteVolume / (open / 10 ** symbol.tickDecimals)).toFixed(DECIMALS),
    quoteVolume: quoteVolume.toFixed(DECIMALS),
    trades: 1 + Math.floor(quoteVolume / 1_000),
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
  const quoteVolume = unit(mix(dice ^ 4)) < 0.5 ? 0 : turnover * 0.05;
  return {
    openTimeMs,
    open: price,
    high: price,
    low: price,
    close: price,
    volume: (quoteVolume / (ticks / 10 ** symbol.tickDecimals)).toFixed(DECIMALS),
    quoteVolume: quoteVolume.toFixed(DECIMALS),
    trades: quoteVolume === 0 ? 0 : 1 + Math.floor(quoteVolume / 1_000),
  };
}

function pathStep(lengthMs: number): number {
  return PATH_STEPS_MS.find((stepMs) => lengthMs / stepMs >= PATH_MOMENTS_MIN) ?? MINUTE_MS;
}

/** The price at a time, in ticks. At least 1. */
function ticksAt(symbol: LocalSymbol, timeMs: number): number {
  const seed = textSeed(symbol.symbol);
  let log = 0;
  let amplitude = OCTAVE_AMPLITUDE_FIRST * (symbol.volatility ?? 1);
  let periodMs = OCTAVE_PERIOD_FIRST_MS;
  for (let octave = 0; octave < OCTAVES; octave++) {
    log += amplitude * noise(mix(seed + octave), timeMs / periodMs);
    amplitude *= OCTAVE_AMPLITUDE_RATIO;
    periodMs *= OCTAVE_PERIOD_RATIO;
  }
  return Math.max(1, Math.round(symbol.price * Math.exp(log) * 10 ** symbol.tickDecimals));
}

/** Smooth noise: random values in [-1, 1) at whole numbers, with smooth interpolation between them. */
function noise(seed: number, position: number): number {
  const index = Math.floor(position);
  const share = position - index;
  const before = 2 * unit(mix(seed ^ Math.imul(index, 0x9e3779b1))) - 1;
  const after = 2 * unit(mix(seed ^ Math.imul(index + 1, 0x9e3779b1))) - 1;
  return before + (after - before) * share * share * (3 - 2 * share);
}

/** Maps a hash to [0, 1). */
function unit(hash: number): number {
  return (hash >>> 0) / 2 ** 32;
}

/** The finalizer of MurmurHash3: every bit of the input affects every bit of the result. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** The 32-bit FNV-1a hash of a text. */
function textSeed(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}
