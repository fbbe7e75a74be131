/** What one exchange can do, timeframe by timeframe: assumed at first, corrected by what its answers show. @module */
import type { Clock } from "../clock.ts";
import { type AssumedLimits, type CapabilitySource, newestOf } from "../exchange/limits.ts";
import type { Verdict } from "../market/answer.ts";
import { closedUntil, countCandles, type Timeframe } from "../market/timeframe.ts";
import { type Window, windowCandles } from "../market/window.ts";
import type { CapabilityRow } from "../store/capabilities.ts";

/** A value, and who says so. */
export interface Known<T> {
  readonly value: T;
  readonly source: CapabilitySource;
}

/** What is known of one timeframe. Undefined is what nobody knows yet. */
interface Capability {
  /** Candles that a request asks for at most. */
  readonly pageRowsMax: Known<number>;
  /** Rows of the longest answer so far. */
  readonly rowsMaxSeen: number;
  /** Whether the exchange gives the window that is asked for; false when it is not even told it. */
  readonly isSinceHonoured: Known<boolean> | undefined;
  /** How many of the newest candles the exchange has; undefined while no end was met. */
  readonly newestCandles: Known<number> | undefined;
  /** Whether a candle without trades is left out, or comes flat. */
  readonly omitsSilent: Known<boolean> | undefined;
  /** When an answer last taught something. Milliseconds. */
  readonly learnedAtMs: number | undefined;
}

interface CapabilitiesOptions {
  /** What is known before the first answer. */
  readonly limits: AssumedLimits;
  readonly clock: Clock;
  /** Keeps a row for the next start, or says why not and fails: it is called again with the next change. */
  readonly keep: (row: CapabilityRow) => Promise<void>;
}

/** Every exchange gives as many rows in a page, whatever two cut pages seem to say. */
const PAGE_ROWS_LEARNED_MIN = 50;

/**
 * A page limit is learned only from pages this much shorter than they were asked for. Some exchanges leave out the
 * candle at one end, whatever is asked: believing that would shorten pages one by one, down to nothing, and what there
 * is to be won above this is not worth it.
 */
const CUT_SHARE_MAX = 0.9;

/** What answers have taught about one timeframe. */
interface Learned {
  readonly pageRowsMax?: number | undefined;
  readonly rowsMaxSeen: number;
  readonly isSinceHonoured?: boolean | undefined;
  readonly newestCandles?: number | undefined;
  readonly omitsSilent?: boolean | undefined;
  readonly learnedAtMs?: number | undefined;
}

/** The newest page of a timeframe that came cut. */
interface CutPage {
  readonly rows: number;
  readonly window: Window;
}

/** The capabilities of one exchange, for as long as the process lives. */
export class Capabilities {
  readonly #exchange: string;
  readonly #options: CapabilitiesOptions;
  readonly #learned = new Map<string, Learned>();
  readonly #cutPages = new Map<string, CutPage>();
  /** Timeframes of which something was learned that is not kept yet. */
  readonly #unkept = new Set<string>();
  #hasNews = false;
  #keeping: Promise<void> = Promise.resolve();

  constructor(exchange: string, options: CapabilitiesOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** Takes over what an earlier process has learned. */
  restore(rows: readonly CapabilityRow[]): void {
    for (const row of rows) {
      this.#learned.set(row.timeframe, {
        // What was only assumed then is assumed anew: the table and CCXT may know better now.
        pageRowsMax: row.pageRowsSource === "answers" ? row.pageRows : undefined,
        rowsMaxSeen: row.rowsSeen,
        isSinceHonoured: row.isSinceHonoured,
        newestCandles: row.newestCandles,
        omitsSilent: row.omitsSilent,
        learnedAtMs: row.learnedAtMs,
      });
    }
  }

  /** What is known of a timeframe, `1m`. */
  of(timeframe: string): Capability {
    const { limits } = this.#options;
    const learned = this.#learned.get(timeframe) ?? NOTHING;
    const { pageRowsMax = Infinity, newestCandles = 0 } = learned;
    const kept = newestOf(limits, timeframe);
    const assumed = { value: limits.pageRowsMax, source: limits.pageRowsSource };
    return {
      pageRowsMax: pageRowsMax < limits.pageRowsMax
        ? { value: pageRowsMax, source: "answers" }
        : assumed,
      rowsMaxSeen: learned.rowsMaxSeen,
      isSinceHonoured: known(learned.isSinceHonoured, limits.isSinceHonoured),
      // A series that was listed late reaches back less far than its exchange does: the longer reach is believed.
      newestCandles: newestCandles > (kept ?? 0)
        ? { value: newestCandles, source: "answers" }
        : known(undefined, kept),
      omitsSilent: known(learned.omitsSilent, limits.omitsSilent),
      learnedAtMs: learned.learnedAtMs,
    };
  }

  /** An answer of so many rows has come. */
  learnRows({ text }: Timeframe, rows: number): void {
    if (rows > this.of(text).rowsMaxSeen) this.#learn(text, { rowsMaxSeen: rows });
  }

  /** The exchange has proved that it gives the window that is asked for. */
  learnSinceHonoured({ text }: Timeframe): void {
    if (this.#learned.get(text)?.isSinceHonoured !== true) {
      this.#learn(text, { isSinceHonoured: true });
    }
  }

  /** What a page showed: where the exchange cut it, and whether silent candles are left out. */
  learnPage(timeframe: Timeframe, window: Window, verdict: Verdict): void {
    const { text } = timeframe;
    const { cutRows, omitsSilent } = verdict;
    const before = this.of(text).omitsSilent?.value;
    // A hole may be an outage too; a candle without volume leaves no doubt.
    const isNews = omitsSilent === false ? before !== false : before === undefined;
    if (omitsSilent !== undefined && isNews) this.#learn(text, { omitsSilent });
    if (cutRows === undefined || cutRows < PAGE_ROWS_LEARNED_MIN) return;
    if (cutRows > CUT_SHARE_MAX * windowCandles(timeframe, window)) return;
    const other = this.#cutPages.get(text);
    this.#cutPages.set(text, { rows: cutRows, window });
    // One cut may be a listing or an outage, which all symbols show in the same window.
    if (other?.rows !== cutRows || isSame(other.window, window)) return;
    if (cutRows < this.of(text).pageRowsMax.value) this.#learn(text, { pageRowsMax: cutRows });
  }

  /** The exchange has proved that `reachFromMs` is the oldest candle that can be had of a series. */
  learnReach(timeframe: Timeframe, reachFromMs: number): void {
    const { text } = timeframe;
    const closedMs = closedUntil(timeframe, this.#options.clock.now());
    const newestCandles = countCandles(timeframe, reachFromMs, closedMs);
    const before = this.#learned.get(text)?.newestCandles ?? 0;
    if (newestCandles > before) this.#learn(text, { newestCandles });
  }

  /**
   * Keeps what was learned since the last call, and what could not be kept before. Never throws; without news it does
   * nothing, so that a database that is away is not asked once a page.
   */
  async keep(): Promise<void> {
    if (!this.#hasNews) return;
    this.#hasNews = false;
    // One after the other, so that an older state never lands after a newer one.
    this.#keeping = this.#keeping.then(() => this.#keepAll());
    await this.#keeping;
  }

  async #keepAll(): Promise<void> {
    for (const timeframe of [...this.#unkept]) {
      this.#unkept.delete(timeframe);
      try {
        await this.#options.keep(this.#row(timeframe));
      } catch {
        this.#unkept.add(timeframe);
      }
    }
  }

  #learn(timeframe: string, change: Partial<Learned>): void {
    const before = this.#learned.get(timeframe) ?? NOTHING;
    const learnedAtMs = this.#options.clock.now();
    this.#learned.set(timeframe, { ...before, ...change, learnedAtMs });
    this.#unkept.add(timeframe);
    this.#hasNews = true;
  }

  #row(timeframe: string): CapabilityRow {
    const { pageRowsMax } = this.of(timeframe);
    const learned = this.#learned.get(timeframe) ?? NOTHING;
    return {
      exchange: this.#exchange,
      timeframe,
      pageRows: pageRowsMax.value,
      pageRowsSource: pageRowsMax.source,
      rowsSeen: learned.rowsMaxSeen,
      isSinceHonoured: learned.isSinceHonoured,
      newestCandles: learned.newestCandles,
      omitsSilent: learned.omitsSilent,
      learnedAtMs: learned.learnedAtMs ?? this.#options.clock.now(),
    };
  }
}

const NOTHING: Learned = { rowsMaxSeen: 0 };

/** Answers beat the table. */
function known<T>(learned: T | undefined, assumed: T | undefined): Known<T> | undefined {
  if (learned !== undefined) return { value: learned, source: "answers" };
  return assumed === undefined ? undefined : { value: assumed, source: "table" };
}

function isSame(a: Window, b: Window): boolean {
  return a.sinceMs === b.sinceMs && a.untilMs === b.untilMs;
}
