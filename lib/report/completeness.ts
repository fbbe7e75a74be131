/** How complete an archive is: per series, exchange, day and reason, from the ledger and the gaps. @module */
import type { SeriesAccount } from "../gap/account.ts";
import { type Coverage, coverageCandles, intersect } from "../market/coverage.ts";
import { type GapState, isOpen } from "../market/gap.ts";
import { type GapReasons, mergeReasons, sumReasons } from "../market/gap_reasons.ts";
import { type Series, seriesName } from "../market/series.ts";
import { ceilTime, countCandles, nominalMs, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "../store/connection/database.ts";
import { type Gap, readGapPages } from "../store/gaps.ts";
import { type DayCount, readStoredDays } from "../store/report.ts";

/** Counts of candles. What is wanted is the sum of the others. */
export interface Completeness {
  readonly wanted: number;
  readonly there: number;
  /** Missing for a reason. */
  readonly explained: number;
  /** Not fetched yet. */
  readonly owed: number;
  /** Missing inside coverage, without a reason yet. */
  readonly missing: number;
  /** The explained candles by reason. */
  readonly reasons: GapReasons;
}

interface SeriesCompleteness extends Completeness {
  readonly series: Series;
}

/** A day, counted of candles that the exchanges have answered for: neither owed nor before a listing. */
interface DayCompleteness {
  /** Midnight UTC. Milliseconds. */
  readonly dayMs: number;
  readonly wanted: number;
  readonly there: number;
  readonly missing: number;
  readonly reasons: GapReasons;
}

/** All gaps of one reason, or that are open. */
interface GapSum {
  readonly state: GapState;
  readonly gaps: number;
  readonly candles: number;
  /** From the beginning of each to its end, added up. Milliseconds. */
  readonly spanMs: number;
}

interface CompletenessResult {
  readonly series: readonly SeriesCompleteness[];
  readonly gaps: readonly GapSum[];
  /** The longest gaps inside series. */
  readonly longest: readonly Gap[];
  /** The days of which most is missing, worst first. */
  readonly days: readonly DayCompleteness[];
}

interface CompletenessOptions {
  /** Of the series to report on. */
  readonly accounts: readonly SeriesAccount[];
  /** Only candles that open in it count. May be infinite. */
  readonly window: Window;
  readonly listMax: number;
}

const DAY_MS = 86_400_000;

/**
 * Works out the counts. Reads the gaps page by page and no candles, except in gaps that candles came into and that reach over
 * midnight or over the end of the window.
 *
 * @yields what it does, after each page.
 * @throws StoreError
 */
export async function* readCompleteness(
  database: Database,
  options: CompletenessOptions,
): AsyncGenerator<string, CompletenessResult> {
  const { accounts, window, listMax } = options;
  const tallies = new Map(accounts.map((account) => [
    seriesName(account.series),
    new SeriesTally(account, window),
  ]));
  const days = new DayTally();
  for (const { account, held } of tallies.values()) days.hold(account.series.timeframe, held);
  const sums = new Map<GapState, GapSum>();
  let longest: readonly Gap[] = [];
  let read = 0;
  for await (const page of readGapPages(database)) {
    for (const gap of page) {
      const tally = tallies.get(seriesName(gap.series));
      const part = tally?.partOf(gap);
      if (tally === undefined || part === undefined) continue;
      const counted = await missingDays(database, gap, part);
      const candles = counted.reduce((sum, day) => sum + day.candles, 0);
      if (candles === 0) continue;
      tally.add(gap, candles);
      addTo(sums, gap.state, { candles, spanMs: part.untilMs - part.sinceMs });
      if (gap.isBound) continue;
      for (const day of counted) days.lack(day.dayMs, gap.state, day.candles);
      longest = withLonger(longest, { ...gap, window: part, missing: candles }, listMax);
    }
    read += page.length;
    yield `reading gaps: ${read}`;
  }
  return {
    series: [...tallies.values()].map((tally) => tally.result()),
    gaps: [...sums.values()].sort((one, other) => other.candles - one.candles),
    longest,
    days: days.worst(listMax),
  };
}

/** The sum of several counts. */
export function sumOf(all: readonly Completeness[]): Completeness {
  return all.reduce<Completeness>((sum, one) => ({
    wanted: sum.wanted + one.wanted,
    there: sum.there + one.there,
    explained: sum.explained + one.explained,
    owed: sum.owed + one.owed,
    missing: sum.missing + one.missing,
    reasons: mergeReasons(sum.reasons, one.reasons),
  }), { wanted: 0, there: 0, explained: 0, owed: 0, missing: 0, reasons: {} });
}

/** Counts one series. */
class SeriesTally {
  readonly account: SeriesAccount;
  /** Times inside the window for which candles are there or missing inside. */
  readonly held: Coverage;
  readonly #window: Window;
  readonly #missing = new Map<GapState, number>();
  #inside = 0;

  constructor(account: SeriesAccount, window: Window) {
    this.account = account;
    this.#window = window;
    this.held = intersect(account.heldTimes, [window]);
  }

  /** The part of a gap that counts; undefined if none does. */
  partOf({ window, isBound }: Gap): Window | undefined {
    // An old gap before the candles of a series is told by the bounds of that series.
    const beginMs = isBound ? -Infinity : this.account.beginMs;
    const sinceMs = Math.max(window.sinceMs, this.#window.sinceMs, beginMs);
    const untilMs = Math.min(window.untilMs, this.#window.untilMs);
    return sinceMs < untilMs ? { sinceMs, untilMs } : undefined;
  }

  add({ state, isBound }: Gap, candles: number): void {
    this.#missing.set(state, (this.#missing.get(state) ?? 0) + candles);
    if (!isBound) this.#inside += candles;
  }

  result(): SeriesCompleteness {
    const { series, owedTimes } = this.account;
    const states = [...this.#missing];
    const reasons = reasonsOf(states);
    const explained = sumReasons(reasons);
    const missing = states.reduce((sum, [state, count]) => sum + (isOpen(state) ? count : 0), 0);
    const owed = coverageCandles(series.timeframe, intersect(owedTimes, [this.#window]));
    const there = coverageCandles(series.timeframe, this.held) - this.#inside;
    const wanted = there + explained + owed + missing;
    return { series, wanted, there, explained, owed, missing, reasons };
  }
}

function reasonsOf(states: Iterable<readonly [GapState, number]>): GapReasons {
  return Object.fromEntries([...states].filter(([state]) => !isOpen(state)));
}

/** Counts the days of all series together. Whole days of ten years are added in two steps: the daemon polls meanwhile. */
class DayTally {
  readonly #days = new Map<number, { held: number; readonly lacking: Map<GapState, number> }>();
  /** From this day on so many candles more may be there on each day. */
  readonly #steps = new Map<number, number>();

  /** Adds the candles of a series that may be there. */
  hold(timeframe: Timeframe, held: Coverage): void {
    const candlesOfDay = DAY_MS / nominalMs(timeframe);
    for (const window of held) {
      const firstMs = Math.ceil(window.sinceMs / DAY_MS) * DAY_MS;
      const lastMs = Math.floor(window.untilMs / DAY_MS) * DAY_MS;
      if (firstMs >= lastMs || !Number.isInteger(candlesOfDay)) {
        this.#hold(timeframe, window);
        continue;
      }
      this.#hold(timeframe, { ...window, untilMs: firstMs });
      this.#hold(timeframe, { ...window, sinceMs: lastMs });
      this.#steps.set(firstMs, (this.#steps.get(firstMs) ?? 0) + candlesOfDay);
      this.#steps.set(lastMs, (this.#steps.get(lastMs) ?? 0) - candlesOfDay);
    }
  }

  #hold(timeframe: Timeframe, window: Window): void {
    for (const { dayMs, candles } of daysOf(timeframe, window)) this.#of(dayMs).held += candles;
  }

  lack(dayMs: number, state: GapState, candles: number): void {
    const { lacking } = this.#of(dayMs);
    lacking.set(state, (lacking.get(state) ?? 0) + candles);
  }

  /** The days of which the largest share is missing, worst first; of equal ones the newest. */
  worst(daysMax: number): readonly DayCompleteness[] {
    const steps = [...this.#steps].sort(([one], [other]) => one - other);
    let [at, whole] = [0, 0];
    return [...this.#days].sort(([one], [other]) => one - other)
      .map(([dayMs, { held, lacking }]) => {
        for (; at < steps.length && steps[at]![0] <= dayMs; at++) whole += steps[at]![1];
        return { dayMs, wanted: held + whole, lacking };
      })
      .filter(({ lacking }) => lacking.size > 0)
      .map(({ dayMs, wanted, lacking }) => {
        const gone = lacking.values().reduce((sum, candles) => sum + candles, 0);
        const reasons = reasonsOf(lacking);
        const there = wanted - gone;
        return { dayMs, wanted, there, missing: gone - sumReasons(reasons), reasons };
      })
      .sort((one, other) =>
        one.there / one.wanted - other.there / other.wanted || other.dayMs - one.dayMs
      )
      .slice(0, daysMax);
  }

  #of(dayMs: number): { held: number; readonly lacking: Map<GapState, number> } {
    let day = this.#days.get(dayMs);
    if (day === undefined) this.#days.set(dayMs, day = { held: 0, lacking: new Map() });
    return day;
  }
}

/** The candles of a window by the day on which they open. */
function* daysOf(timeframe: Timeframe, window: Window): Generator<DayCount, void> {
  const untilMs = ceilTime(timeframe, window.untilMs);
  let sinceMs = ceilTime(timeframe, window.sinceMs);
  while (sinceMs < untilMs) {
    const dayMs = Math.floor(sinceMs / DAY_MS) * DAY_MS;
    const nextMs = Math.min(untilMs, ceilTime(timeframe, dayMs + DAY_MS));
    yield { dayMs, candles: countCandles(timeframe, sinceMs, nextMs) };
    sinceMs = nextMs;
  }
}

/** What is missing of a part of a gap, by day; of a gap outside of its series as one number. */
async function missingDays(
  database: Database,
  gap: Gap,
  part: Window,
): Promise<readonly DayCount[]> {
  const { series, window, missing } = gap;
  const { timeframe } = series;
  if (gap.isBound) {
    return [{ dayMs: part.sinceMs, candles: coverageCandles(timeframe, [part]) }];
  }
  const days = [...daysOf(timeframe, part)];
  if (missing === coverageCandles(timeframe, [window])) return days;
  const isWhole = part.sinceMs === window.sinceMs && part.untilMs === window.untilMs;
  const [day] = days;
  if (isWhole && days.length === 1 && day !== undefined) return [{ ...day, candles: missing }];
  // Candles have come into it.
  const stored = new Map(
    (await readStoredDays(database, series, part)).map(({ dayMs, candles }) => [dayMs, candles]),
  );
  return days.map(({ dayMs, candles }) => ({
    dayMs,
    candles: Math.max(0, candles - (stored.get(dayMs) ?? 0)),
  }));
}

function addTo(
  sums: Map<GapState, GapSum>,
  state: GapState,
  { candles, spanMs }: { readonly candles: number; readonly spanMs: number },
): void {
  const sum = sums.get(state) ?? { state, gaps: 0, candles: 0, spanMs: 0 };
  sums.set(state, {
    state,
    gaps: sum.gaps + 1,
    candles: sum.candles + candles,
    spanMs: sum.spanMs + spanMs,
  });
}

/** The longest gaps, longest first. */
function withLonger(longest: readonly Gap[], gap: Gap, gapsMax: number): readonly Gap[] {
  const spanOf = ({ window }: Gap): number => window.untilMs - window.sinceMs;
  const least = longest.at(-1);
  if (longest.length === gapsMax && least !== undefined && spanOf(gap) <= spanOf(least)) {
    return longest;
  }
  return [...longest, gap].sort((one, other) => spanOf(other) - spanOf(one)).slice(0, gapsMax);
}
