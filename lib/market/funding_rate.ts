/** Funding rates of perpetuals, and how an answer with some of them is judged. @module */
import type { Coverage } from "./coverage.ts";
import { marketSymbol } from "./price.ts";
import { isContract } from "./symbol.ts";
import type { Window } from "./window.ts";

/** What was paid at one moment. */
export interface FundingRate {
  /** When it was paid, as the exchange says it. Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  /** A fraction of the position as decimal text, exactly as the exchange sent it. Negative where shorts pay. */
  readonly rate: string;
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

/** How far apart rates are where nothing is known yet: most exchanges have three a day. */
export const FUNDING_INTERVAL_MS = 8 * HOUR_MS;

/** A rate that is missing so long after it was due has not been forgotten for a moment: the exchange has none. */
export const FUNDING_SETTLE_MS = 10 * 60_000;

/** The perpetual that a series is of; undefined for spot, for futures that end, and for options. */
export function perpetualOf(symbol: string): string | undefined {
  const market = marketSymbol(symbol);
  const settled = market.slice(market.lastIndexOf(":"));
  return isContract(market) && !settled.includes("-") ? market : undefined;
}

/** What an answer has for one window. */
export interface FundingAnswer {
  readonly window: Window;
  /** All rates of the answer, ascending, also those outside the window. */
  readonly rates: readonly FundingRate[];
  /** Whether the request told where the window begins. */
  readonly isSinceSent: boolean;
  /** Whether it told where the window ends. @default false */
  readonly isUntilSent?: boolean | undefined;
  /**
   * Which rates of a window come if there are more than were asked for: `oldest`, `newest`, or `all` of the perpetual, whatever
   * was asked for.
   *
   * @default undefined: not known
   */
  readonly comes?: "oldest" | "newest" | "all" | undefined;
  /** Of answers that are numbered from the newest on: where the one before began. Milliseconds. */
  readonly joinMs?: number | undefined;
  /** When the answer came, by the exchange's clock. Milliseconds. */
  readonly nowMs: number;
}

/** What may be stored. */
export interface FundingVerdict {
  /** Those inside the window, ascending. */
  readonly rates: readonly FundingRate[];
  /** The part of the window that the exchange answered for; undefined when it answered for none. */
  readonly answered: Window | undefined;
  /** Set when the answer shows that nothing older comes. Milliseconds. */
  readonly reachFromMs: number | undefined;
}

/** The rows of an answer are no funding rates, contradict each other, or are another perpetual's. It is asked again. */
export class MalformedFundingError extends Error {
  override readonly name = "MalformedFundingError";
}

/** The rows of an answer. */
interface FundingRows {
  /** Ascending. */
  readonly rates: readonly FundingRate[];
  /** One text for each row that is no funding rate, and for each time that has two. */
  readonly odd: readonly string[];
}

/**
 * Reads the rows of an answer, as CCXT parses them.
 *
 * @throws MalformedFundingError if all are of other perpetuals.
 */
export function readFundingRows(rows: readonly unknown[], symbol: string): FundingRows {
  const byTime = new Map<number, string>();
  const twice = new Set<number>();
  const odd: string[] = [];
  let others = 0;
  for (const row of rows) {
    const { symbol: of, timestamp, fundingRate } = (row ?? {}) as Record<string, unknown>;
    if (of !== symbol) {
      others++;
      continue;
    }
    const timeMs = Number(timestamp);
    const rate = fundingRate === undefined || fundingRate === null ? "" : String(fundingRate);
    if (!Number.isSafeInteger(timeMs) || timeMs <= 0 || !isDecimal(rate)) {
      const shown = JSON.stringify({ timestamp, fundingRate }).slice(0, ROW_CHARACTERS_MAX);
      odd.push(`a row is no funding rate: ${shown}`);
      continue;
    }
    const known = byTime.get(timeMs);
    if (known !== undefined && Number(known) !== Number(rate) && !twice.has(timeMs)) {
      twice.add(timeMs);
      odd.push(`two rates for ${new Date(timeMs).toISOString()}: ${known} and ${rate}`);
    }
    byTime.set(timeMs, rate);
  }
  if (others > 0 && byTime.size === 0 && odd.length === 0) {
    throw new MalformedFundingError(`all ${others} rows are of other symbols`);
  }
  const rates = [...byTime].filter(([timeMs]) => !twice.has(timeMs))
    .map(([timeMs, rate]) => ({ timeMs, rate })).sort((a, b) => a.timeMs - b.timeMs);
  return { rates, odd };
}

/**
 * The rates of an answer to a request that may have been sent before. What is odd in it passes, as far as is known. If it came
 * before it stays, and costs these rates alone: they are missing. Not if most are odd: then it is not known what the rows say.
 *
 * @throws MalformedFundingError
 */
export function usableRates(
  { rates, odd }: FundingRows,
  oddBefore: readonly string[],
): readonly FundingRate[] {
  const [first] = odd;
  if (first === undefined) return rates;
  const stays = odd.every((text) => oddBefore.includes(text));
  if (stays && odd.length <= Math.max(1, rates.length)) return rates;
  throw new MalformedFundingError(first);
}

const ROW_CHARACTERS_MAX = 200;

/** As PostgreSQL's `numeric` reads it, with digits that can be paid. */
function isDecimal(text: string): boolean {
  return /^[+-]?(?:\d{1,30}(?:\.\d{0,40})?|\.\d{1,40})(?:e[+-]?\d{1,2})?$/i.test(text);
}

/**
 * Judges an answer: which rates may be stored, and for which part of the window the exchange answered. Coverage never goes
 * past what the rows prove: an answer may lack rates before its first or after its last one, however many it has, because
 * exchanges give fewer at once than they say (ccxt#24275). What is not told is asked for again, and an answer without any
 * rate proves that there is none. One that has other rates than were asked for does not tell of the time before its first.
 */
export function judgeFunding(answer: FundingAnswer): FundingVerdict {
  const { window, rates, nowMs } = answer;
  const inside = rates.filter(({ timeMs }) =>
    timeMs >= window.sinceMs && timeMs < Math.min(window.untilMs, nowMs + 1)
  );
  const part = answeredPart(answer);
  // A rate that was due just now may come later.
  const settledMs = Math.max(
    nowMs - FUNDING_SETTLE_MS,
    (inside.at(-1)?.timeMs ?? -Infinity) + 1,
  );
  const sinceMs = Math.max(window.sinceMs, part.sinceMs);
  const untilMs = Math.min(window.untilMs, part.untilMs, settledMs);
  const kept = inside.filter(({ timeMs }) => timeMs >= sinceMs && timeMs < untilMs);
  return {
    rates: kept,
    answered: sinceMs < untilMs ? { sinceMs, untilMs } : undefined,
    reachFromMs: part.reachFromMs,
  };
}

interface Part {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly reachFromMs?: number | undefined;
}

function answeredPart(
  { window, rates, isSinceSent, isUntilSent = false, comes, joinMs }: FundingAnswer,
): Part {
  const { sinceMs, untilMs } = window;
  const [firstMs, lastMs] = [rates[0]?.timeMs, rates.at(-1)?.timeMs];
  const isStartNear = firstMs === undefined || firstMs - sinceMs < distance(rates[0], rates[1]);
  if (joinMs !== undefined) {
    // The same answer again says nothing of older rates.
    if (firstMs !== undefined && firstMs >= joinMs) {
      return { sinceMs: joinMs, untilMs: joinMs, reachFromMs: joinMs };
    }
    return { sinceMs: isStartNear ? sinceMs : firstMs, untilMs: joinMs };
  }
  if (firstMs === undefined || lastMs === undefined || comes === "all") return window;
  if (!isSinceSent) {
    // The newest ones before the end come: older ones are to be asked for, until the same come again.
    const isShort = isUntilSent ? firstMs >= untilMs : firstMs > sinceMs;
    // Newest rates that end before the window does have nothing newer.
    return { sinceMs: firstMs, untilMs, reachFromMs: isShort ? firstMs : undefined };
  }
  // There are rates that nobody asked for: these may be the newest ones, whatever was asked for.
  if (comes === undefined && firstMs >= untilMs) {
    return { sinceMs: untilMs, untilMs, reachFromMs: firstMs };
  }
  const isStartTold = comes === "oldest" || isStartNear;
  // An exchange that counts in seconds gives once more what was paid just before the window: then there is nothing in it.
  const isEndTold = comes === "newest" || (lastMs < sinceMs && sinceMs - lastMs <= SECOND_MS) ||
    untilMs - lastMs <= distance(rates.at(-2), rates.at(-1));
  return { sinceMs: isStartTold ? sinceMs : firstMs, untilMs: isEndTold ? untilMs : lastMs + 1 };
}

/** How far apart two neighbouring rates are, so that none is missing that near beside them. */
function distance(first: FundingRate | undefined, second: FundingRate | undefined): number {
  return first === undefined || second === undefined
    ? FUNDING_INTERVAL_MS
    : second.timeMs - first.timeMs;
}

/**
 * Where a window begins that ends at `untilMs` and holds fewer rates than are asked for, as far as is known: whether a full
 * answer lacks some is not.
 */
export function fundingPageSinceMs(
  untilMs: number,
  { rows, intervalMs = FUNDING_INTERVAL_MS }: {
    readonly rows: number;
    readonly intervalMs?: number | undefined;
  },
): number {
  return untilMs - pageRates(rows) * intervalMs;
}

function pageRates(rows: number): number {
  return Math.max(1, rows - 2);
}

/** About how many rates some time has. */
export function coverageRates(coverage: Coverage, intervalMs = FUNDING_INTERVAL_MS): number {
  return coverage.reduce((sum, window) => sum + ratesIn(window, intervalMs), 0);
}

/** How many requests ask for the rates of some time, as {@linkcode fundingPageSinceMs} divides it. */
export function coveragePages(
  coverage: Coverage,
  { rows, intervalMs }: { readonly rows: number; readonly intervalMs: number },
): number {
  return coverage.reduce(
    (sum, window) => sum + Math.ceil(Math.max(1, ratesIn(window, intervalMs)) / pageRates(rows)),
    0,
  );
}

function ratesIn({ sinceMs, untilMs }: Window, intervalMs: number): number {
  return Math.floor((untilMs - sinceMs) / intervalMs);
}
