/** What one exchange can do, per class of markets and timeframe: first assumed, then corrected by its answers. @module */
import type { Clock } from "../clock.ts";
import { type AssumedLimits, newestOf, pageRowsOf } from "../exchange/limits.ts";
import { type Capability, type Known } from "./capability.ts";
import { type MarketClass, marketClassOf } from "../market/market_class.ts";
import { type PageVerdict, SETTLE_MS } from "../market/answer.ts";
import type { Series } from "../market/series.ts";
import { closedUntil, countCandles } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import { type CapabilityRow, SETTLE_KEPT_MS } from "../store/capabilities.ts";

interface CapabilitiesOptions {
  /** The limits before the first answer. */
  readonly limits: (marketClass: MarketClass) => AssumedLimits;
  readonly clock: Clock;
  /** Stores a row for the next start. On failure it must log and reject; it is called again with the next change. */
  readonly keep: (row: CapabilityRow) => Promise<void>;
}

/** No learned page limit is smaller: every exchange sends at least this many rows. */
const PAGE_ROWS_LEARNED_MIN = 50;

/**
 * A page limit is learned only from pages with at most this share of the requested rows. Some exchanges always leave
 * out the candle at one end. Learning from that would make pages one row shorter again and again.
 */
const CUT_SHARE_MAX = 0.9;

/**
 * The longest settling time that is learned. What changes later was corrected by the exchange, for which no coverage can
 * wait.
 */
const SETTLE_MS_MAX = 15 * 60_000;

/** What a series shares with others: all of its class of markets and its timeframe. */
type Alike = Pick<Series, "symbol" | "timeframe">;

/** What was learned from answers about one class of markets and timeframe. */
interface Learned {
  readonly pageRowsMax?: number | undefined;
  readonly rowsMaxSeen: number;
  readonly isSinceHonoured?: boolean | undefined;
  readonly isUntilNeeded?: boolean | undefined;
  readonly newestCandles?: number | undefined;
  readonly omitsSilent?: boolean | undefined;
  readonly settleSeconds?: number | undefined;
  readonly settleNeededMs?: number | undefined;
  readonly learnedAtMs?: number | undefined;
}

/** A candle that was still changed some time after its close. */
interface LateChange extends Window {
  /** How long after the close, at most. Milliseconds. */
  readonly ageMs: number;
}

/** That a settling time is needed is recorded at most this often. */
const NEEDED_EVERY_MS = 24 * 60 * 60_000;

/** The last page that the exchange cut. */
interface CutPage {
  readonly rows: number;
  readonly window: Window;
}

/** The capabilities of one exchange. */
export class Capabilities {
  readonly #exchange: string;
  readonly #options: CapabilitiesOptions;
  readonly #learned = new Map<string, Learned>();
  readonly #cutPages = new Map<string, CutPage>();
  /** The latest change that no other candle has confirmed yet, and when it was seen. */
  #lateChange: LateChange & { readonly seenMs: number } | undefined;
  /** Keys with changes that are not stored yet. */
  readonly #unsaved = new Set<string>();
  #hasChanges = false;
  #keeping: Promise<void> = Promise.resolve();

  constructor(exchange: string, options: CapabilitiesOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** Loads what an earlier process learned. */
  restore(rows: readonly CapabilityRow[]): void {
    for (const row of rows) {
      this.#learned.set(keyOf(row.marketKind, row.timeframe), {
        // An assumed value is not restored: the table or CCXT may have changed since.
        pageRowsMax: row.pageRowsSource === "answers" ? row.pageRows : undefined,
        rowsMaxSeen: row.rowsSeen,
        isSinceHonoured: row.isSinceHonoured,
        isUntilNeeded: row.isUntilNeeded,
        newestCandles: row.newestCandles,
        omitsSilent: row.omitsSilent,
        settleSeconds: row.settleSeconds,
        settleNeededMs: row.settleNeededMs,
        learnedAtMs: row.learnedAtMs,
      });
    }
  }

  /** What is known of series like this one. */
  of({ symbol, timeframe }: Alike): Capability {
    return this.ofClass(marketClassOf(symbol), timeframe.text);
  }

  /** What is known of a class of markets and a timeframe, `1m`. */
  ofClass(marketClass: MarketClass, timeframe: string): Capability {
    const limits = this.#options.limits(marketClass);
    const learned = this.#learned.get(keyOf(marketClass, timeframe)) ?? NOTHING;
    const { pageRowsMax = Infinity, newestCandles = 0 } = learned;
    const assumedNewest = newestOf(limits, timeframe);
    const assumed = { value: pageRowsOf(limits, timeframe), source: limits.pageRowsSource };
    return {
      pageRowsMax: pageRowsMax < assumed.value
        ? { value: pageRowsMax, source: "answers" }
        : assumed,
      rowsMaxSeen: learned.rowsMaxSeen,
      isSinceHonoured: known(learned.isSinceHonoured, limits.isSinceHonoured),
      isUntilNeeded: learned.isUntilNeeded === true,
      // The larger value counts: a series that was listed late has fewer candles than the exchange keeps.
      newestCandles: newestCandles > (assumedNewest ?? 0)
        ? { value: newestCandles, source: "answers" }
        : known(undefined, assumedNewest),
      omitsSilent: known(learned.omitsSilent, limits.omitsSilent),
      learnedAtMs: learned.learnedAtMs,
    };
  }

  /**
   * How long after its close a candle may still change: the longest that was learned of any market and timeframe, and was needed in the
   * last week. Milliseconds.
   */
  get settleMs(): number {
    const seconds = this.#settling?.[1].settleSeconds;
    return seconds === undefined ? SETTLE_MS : 1000 * seconds;
  }

  /** The key with the longest settling time in force, and what was learned of it. */
  get #settling(): readonly [string, Learned] | undefined {
    const neededMs = this.#options.clock.now() - SETTLE_KEPT_MS;
    let longest: readonly [string, Learned] | undefined;
    for (const entry of this.#learned) {
      const [, { settleSeconds = 0, settleNeededMs = -Infinity }] = entry;
      if (settleNeededMs <= neededMs) continue;
      if (settleSeconds > (longest?.[1].settleSeconds ?? 0)) longest = entry;
    }
    return longest;
  }

  /**
   * Records that a candle was still changed after its close. One may have been corrected by the exchange, so two are needed
   * that have no time in common; the sooner of both is learned.
   */
  learnSettling(series: Alike, change: LateChange): void {
    const { ageMs } = change;
    if (ageMs > SETTLE_MS_MAX) return;
    const nowMs = this.#options.clock.now();
    if (ageMs <= this.settleMs) return this.#noteNeeded(ageMs, nowMs);
    const other = this.#lateChange;
    const isOther = other !== undefined && nowMs - other.seenMs < SETTLE_KEPT_MS;
    if (!isOther || ageMs > other.ageMs) this.#lateChange = { ...change, seenMs: nowMs };
    if (!isOther || (other.sinceMs < change.untilMs && change.sinceMs < other.untilMs)) return;
    const settleSeconds = Math.ceil(Math.min(ageMs, other.ageMs) / 1000);
    this.#learn(keyOfSeries(series), { settleSeconds, settleNeededMs: nowMs });
  }

  /** A settling time of which less than half is needed is forgotten in the end, and learned anew. */
  #noteNeeded(ageMs: number, nowMs: number): void {
    const settling = this.#settling;
    if (settling === undefined || 2 * ageMs <= this.settleMs) return;
    const [key, { settleNeededMs = -Infinity }] = settling;
    if (nowMs - settleNeededMs >= NEEDED_EVERY_MS) this.#learn(key, { settleNeededMs: nowMs });
  }

  /** Records how many rows an answer had. */
  learnRows(series: Alike, rows: number): void {
    if (rows > this.of(series).rowsMaxSeen) {
      this.#learn(keyOfSeries(series), { rowsMaxSeen: rows });
    }
  }

  /** Records that the exchange has proved to honour `since`. */
  learnSinceHonoured(series: Alike): void {
    const key = keyOfSeries(series);
    if (this.#learned.get(key)?.isSinceHonoured !== true) {
      this.#learn(key, { isSinceHonoured: true });
    }
  }

  /** Records that older candles came only when the request named an end. */
  learnUntilNeeded(series: Alike): void {
    if (!this.of(series).isUntilNeeded) this.#learn(keyOfSeries(series), { isUntilNeeded: true });
  }

  /** Learns from a page whether the exchange cut it, and whether candles without trades are left out. */
  learnPage(series: Alike, window: Window, verdict: PageVerdict): void {
    const key = keyOfSeries(series);
    const { cutRows, omitsSilent } = verdict;
    const before = this.of(series).omitsSilent?.value;
    // `false` always counts, because a candle with volume 0 is a proof. A hole may also be an outage.
    const isChange = omitsSilent === false ? before !== false : before === undefined;
    if (omitsSilent !== undefined && isChange) this.#learn(key, { omitsSilent });
    if (cutRows === undefined || cutRows < PAGE_ROWS_LEARNED_MIN) return;
    if (cutRows > CUT_SHARE_MAX * windowCandles(series.timeframe, window)) return;
    const other = this.#cutPages.get(key);
    this.#cutPages.set(key, { rows: cutRows, window });
    // Two pages of different windows must be cut alike: a listing or an outage can look like one cut.
    if (other?.rows !== cutRows || isSame(other.window, window)) return;
    if (cutRows < this.of(series).pageRowsMax.value) this.#learn(key, { pageRowsMax: cutRows });
  }

  /** Records that the exchange has nothing older than `reachFromMs` of a series. */
  learnReach(series: Alike, reachFromMs: number): void {
    const key = keyOfSeries(series);
    const closedMs = closedUntil(series.timeframe, this.#options.clock.now());
    const newestCandles = countCandles(series.timeframe, reachFromMs, closedMs);
    const before = this.#learned.get(key)?.newestCandles ?? 0;
    if (newestCandles > before) this.#learn(key, { newestCandles });
  }

  /** Forgets how far back the exchange goes, because it has given older candles. */
  forgetReach(series: Alike): void {
    this.#learn(keyOfSeries(series), { newestCandles: undefined });
  }

  /**
   * Stores what was learned since the last call, and what could not be stored before. Never throws. Without changes it
   * does nothing, so that a database that is down is not called for every page.
   */
  async keep(): Promise<void> {
    if (!this.#hasChanges) return;
    this.#hasChanges = false;
    // One after the other, so that an older state is never stored after a newer one.
    this.#keeping = this.#keeping.then(() => this.#keepAll());
    await this.#keeping;
  }

  async #keepAll(): Promise<void> {
    for (const key of [...this.#unsaved]) {
      this.#unsaved.delete(key);
      try {
        await this.#options.keep(this.#row(key));
      } catch {
        this.#unsaved.add(key);
      }
    }
  }

  #learn(key: string, change: Partial<Learned>): void {
    const before = this.#learned.get(key) ?? NOTHING;
    const learnedAtMs = this.#options.clock.now();
    this.#learned.set(key, { ...before, ...change, learnedAtMs });
    this.#unsaved.add(key);
    this.#hasChanges = true;
  }

  #row(key: string): CapabilityRow {
    const [marketKind, timeframe = ""] = key.split(" ") as [MarketClass, string?];
    const { pageRowsMax } = this.ofClass(marketKind, timeframe);
    const learned = this.#learned.get(key) ?? NOTHING;
    return {
      exchange: this.#exchange,
      marketKind,
      timeframe,
      pageRows: pageRowsMax.value,
      pageRowsSource: pageRowsMax.source,
      rowsSeen: learned.rowsMaxSeen,
      isSinceHonoured: learned.isSinceHonoured,
      isUntilNeeded: learned.isUntilNeeded === true,
      newestCandles: learned.newestCandles,
      omitsSilent: learned.omitsSilent,
      settleSeconds: learned.settleSeconds,
      settleNeededMs: learned.settleNeededMs,
      learnedAtMs: learned.learnedAtMs ?? this.#options.clock.now(),
    };
  }
}

const NOTHING: Learned = { rowsMaxSeen: 0 };

/** `linear@mark 1m` */
function keyOf(marketClass: MarketClass, timeframe: string): string {
  return `${marketClass} ${timeframe}`;
}

function keyOfSeries({ symbol, timeframe }: Alike): string {
  return keyOf(marketClassOf(symbol), timeframe.text);
}

/** A learned value replaces an assumed one. */
function known<T>(learned: T | undefined, assumed: T | undefined): Known<T> | undefined {
  if (learned !== undefined) return { value: learned, source: "answers" };
  return assumed === undefined ? undefined : { value: assumed, source: "table" };
}

function isSame(a: Window, b: Window): boolean {
  return a.sinceMs === b.sinceMs && a.untilMs === b.untilMs;
}
