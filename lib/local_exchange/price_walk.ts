/** The truth of the local exchange: a price for every moment, and the candles that follow from it. @module */
import { addCandles, nominalMs, type Timeframe } from "../market/timeframe.ts";
import type { LocalSymbol } from "./local_symbol.ts";

/** A candle as the exchange writes it: decimal text, prices on the tick, eight decimals. */
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

/** What moved in the 24 hours before `closeTimeMs`; text as in a candle. */
export interface LocalTicker extends LocalCandle {
  readonly closeTimeMs: number;
}

/** Candles, volumes and tickers are written with this many decimals, whatever the tick. */
const DECIMALS = 8;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** One candle in this many saw no move at all. */
const QUIET_ONE_IN = 7;

/**
 * The walk is a sum of smooth noises, each four times slower and twice as strong as the one before it:
 * strength grows with the root of time, as in a random walk, yet any moment is computed on its own.
 */
const OCTAVES = 10;
const OCTAVE_PERIOD_RATIO = 4;
const OCTAVE_AMPLITUDE_RATIO = 2;

/** The fastest octave turns every two minutes; the slowest, nine steps up, once a year. */
const OCTAVE_PERIOD_FIRST_MS = 2 * MINUTE_MS;

/** In log price. The slowest octave then is 0.41: a price stays within about 0.45 to 2.3 times its scale. */
const OCTAVE_AMPLITUDE_FIRST = 0.000_8;

/** How far, in log price, the unseen trades of a minute reach beyond the path at most. */
const WICK_PER_MINUTE = 0.000_4;

/** A candle looks at the path on the coarsest of these steps that still gives it a few moments. */
const PATH_STEPS_MS: readonly number[] = [DAY_MS, HOUR_MS, 5 * MINUTE_MS, MINUTE_MS];

/** A day looks at every hour, an hour at every five minutes: closer would only be slower. */
const PATH_MOMENTS_MIN = 4;

/**
 * The candle that opens at the aligned time `openTimeMs`: a pure function of its arguments, for any time,
 * holes and listing dates aside. Its open is the path at its open time and, unless it is quiet, its close
 * the path at its end, in every timeframe: a day's open is its first minute's open.
 *
 * With `nowMs` inside the candle the result is the still forming one, as seen at that moment. Quiet are
 * one in seven candles shorter than a day; a market is not silent for a day.
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

/** The last 24 hours of a market at `nowMs`. */
export function tickerAt(symbol: LocalSymbol, nowMs: number): LocalTicker {
  const openTimeMs = nowMs - DAY_MS;
  const dice = mix(textSeed(symbol.symbol) ^ Math.floor(nowMs / DAY_MS));
  const span = { openTimeMs, untilMs: nowMs, seenUntilMs: nowMs, stepMs: HOUR_MS };
  return { ...movement(symbol, { ...span, dice, isQuiet: false }), closeTimeMs: nowMs };
}

/** A count of ticks as the exchange writes a price. */
function priceText(symbol: LocalSymbol, ticks: number): string {
  return (ticks / 10 ** symbol.tickDecimals).toFixed(DECIMALS);
}

/** The span a candle covers, how much of it has been seen, and what chance decides in it. */
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
  // On multiples of the step, not of the candle's open: candles of all lengths see the same moments.
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

/** All trades at one price, or, in half of the cases, no trade at all. */
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

/** The price at a moment, in ticks, at least one. */
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

/** Random values in [-1, 1) at whole numbers, joined smoothly. */
function noise(seed: number, position: number): number {
  const index = Math.floor(position);
  const share = position - index;
  const before = 2 * unit(mix(seed ^ Math.imul(index, 0x9e3779b1))) - 1;
  const after = 2 * unit(mix(seed ^ Math.imul(index + 1, 0x9e3779b1))) - 1;
  return before + (after - before) * share * share * (3 - 2 * share);
}

/** A hash's place in [0, 1). */
function unit(hash: number): number {
  return (hash >>> 0) / 2 ** 32;
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the result. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** FNV-1a of a text, 32 bits. */
function textSeed(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}
