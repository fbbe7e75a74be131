/** Faults in the rows of an answer: whole JSON of the right shape that does not say the truth. @module */
import type { Window } from "../../../lib/market/window.ts";
import type { LocalFunding } from "../../../lib/local_exchange/contract.ts";
import type { PageRow } from "./dialect.ts";

/** Rows are counted and cut in ascending order, whatever order the exchange then writes them in. */
export type RowFault =
  /** The answer ends after this many rows. */
  | { readonly kind: "short_page"; readonly rows: number }
  | { readonly kind: "empty_page" }
  /** Only the last rows come; the first ones are missing without a word. */
  | { readonly kind: "moved_start"; readonly rows: number }
  /** The first rows come twice. */
  | { readonly kind: "duplicate_rows"; readonly rows?: number | undefined }
  /** A candle comes twice, with different values: if the exchange means one, it does not say which. */
  | { readonly kind: "contradiction"; readonly openTimeMs: number }
  /** The newer half comes before the older one. */
  | { readonly kind: "unordered_rows" }
  /** The forming candle is appended, past the asked window and the asked number of rows. */
  | { readonly kind: "forming" }
  /** Each candle of the rule's window differs the first times it is given, then it is the true one. */
  | { readonly kind: "revision"; readonly asks: number }
  /** Candles are half-formed until they have been closed for this long. */
  | { readonly kind: "late_final"; readonly lateMs: number }
  /** Candles of the rule's window are taken back: they are given until they have been closed for this long, never again. */
  | ({ readonly kind: "taken_back" } & TakenBack)
  /** Rows of a range are left out. */
  | { readonly kind: "holes"; readonly sinceMs: number; readonly untilMs: number }
  | {
    readonly kind: "bad_value";
    readonly value: BadValue;
    /** Which row, from the oldest; negative counts from the newest. @default 0 */
    readonly row?: number | undefined;
  };

/** Which candles are taken back, and when. */
export interface TakenBack {
  /** Those whose open times are multiples of it. */
  readonly everyMs: number;
  readonly lateMs: number;
}

export type BadValue =
  | "high_below_low"
  | "negative_price"
  | "zero_price"
  | "nan_text"
  | "null_value"
  | "misaligned_time"
  | "missing_volume";

/** How often each candle was given by one revision rule. */
export class RevisionMemory {
  readonly #asks = new Map<string, number>();

  /** Counts one more time and returns how often it was given before. */
  countAsk(candle: string): number {
    const before = this.#asks.get(candle) ?? 0;
    if (this.#asks.size < REVISED_CANDLES_MAX || before > 0) this.#asks.set(candle, before + 1);
    return before;
  }
}

/** A rule without a window remembers every candle it meets; past this it no longer ends for new ones. */
const REVISED_CANDLES_MAX = 1_000_000;

/** What a row fault needs besides the rows. */
interface RowFaultFacts {
  /** Names the series, so that a revision is counted per candle. */
  readonly series: string;
  readonly window: Window;
  readonly memory: RevisionMemory;
  /** The candle that is forming now. */
  readonly forming: PageRow;
  /** How long a candle has been closed; negative while it forms. Milliseconds. */
  readonly closedForMs: (openTimeMs: number) => number;
}

/** A misaligned time is off by a whole second, which survives exchanges that count in seconds. */
const MISALIGNMENT_MS = 1_000;

/** The rows as they come with the fault; ascending in, ascending out unless disorder is the fault. */
export function spoiledRows(
  rows: readonly PageRow[],
  fault: RowFault,
  facts: RowFaultFacts,
): readonly PageRow[] {
  switch (fault.kind) {
    case "short_page":
      return rows.slice(0, fault.rows);
    case "empty_page":
      return [];
    case "moved_start":
      return rows.slice(Math.max(0, rows.length - fault.rows));
    case "duplicate_rows":
      return rows.flatMap((row, index) => index < (fault.rows ?? 1) ? [row, row] : [row]);
    case "contradiction":
      return rows.flatMap((row) =>
        row.openTimeMs === fault.openTimeMs ? [row, { ...row, volume: `1${row.volume}` }] : [row]
      );
    case "unordered_rows": {
      const middle = Math.ceil(rows.length / 2);
      return [...rows.slice(middle), ...rows.slice(0, middle)];
    }
    case "forming":
      return rows.some((row) => row.openTimeMs === facts.forming.openTimeMs)
        ? rows
        : [...rows, facts.forming];
    case "revision":
      return rows.map((row) => revisedRow(row, { ...facts, asks: fault.asks }));
    case "late_final":
      return rows.map((row) => {
        const closedMs = facts.closedForMs(row.openTimeMs);
        return closedMs >= 0 && closedMs < fault.lateMs ? halfFormed(row) : row;
      });
    case "taken_back":
      return rows.filter(({ openTimeMs }) =>
        !isTakenBack(openTimeMs, fault) || !isWithin(facts.window, openTimeMs) ||
        facts.closedForMs(openTimeMs) < fault.lateMs
      );
    case "holes":
      return rows.filter((row) =>
        row.openTimeMs < fault.sinceMs || row.openTimeMs >= fault.untilMs
      );
    case "bad_value": {
      const index = fault.row ?? 0;
      const place = index < 0 ? rows.length + index : index;
      return rows.map((row, at) => at === place ? badRow(row, fault.value) : row);
    }
  }
}

/** Whether a candle is one of those that are taken back. */
export function isTakenBack(openTimeMs: number, { everyMs }: Pick<TakenBack, "everyMs">): boolean {
  return openTimeMs % everyMs === 0;
}

/** Whether a fault is one of any rows with times, so that funding rates can have it too. */
export function isFundingFault(kind: RowFault["kind"]): boolean {
  return FUNDING_FAULTS.has(kind);
}

const FUNDING_FAULTS: ReadonlySet<RowFault["kind"]> = new Set(
  ["short_page", "empty_page", "moved_start", "duplicate_rows", "unordered_rows", "holes"],
);

/** Funding rates as they come with the fault. */
export function spoiledFunding(
  rows: readonly LocalFunding[],
  fault: RowFault,
): readonly LocalFunding[] {
  switch (fault.kind) {
    case "short_page":
      return rows.slice(0, fault.rows);
    case "empty_page":
      return [];
    case "moved_start":
      return rows.slice(Math.max(0, rows.length - fault.rows));
    case "duplicate_rows":
      return rows.flatMap((row, index) => index < (fault.rows ?? 1) ? [row, row] : [row]);
    case "unordered_rows": {
      const middle = Math.ceil(rows.length / 2);
      return [...rows.slice(middle), ...rows.slice(0, middle)];
    }
    case "holes":
      return rows.filter(({ timeMs }) => timeMs < fault.sinceMs || timeMs >= fault.untilMs);
    default:
      return rows;
  }
}

function revisedRow(row: PageRow, facts: RowFaultFacts & { readonly asks: number }): PageRow {
  const { window, memory, series, asks } = facts;
  if (!isWithin(window, row.openTimeMs)) return row;
  return memory.countAsk(`${series} ${row.openTimeMs}`) >= asks ? row : halfFormed(row);
}

function isWithin({ sinceMs, untilMs }: Window, timeMs: number): boolean {
  return sinceMs <= timeMs && timeMs < untilMs;
}

/** A valid candle all the same: less has been seen of it, and it closed at its low. */
function halfFormed(row: PageRow): PageRow {
  const half = (text: string | null | undefined): string =>
    (Number(text) === 0 ? 1 : Number(text) / 2).toFixed(8);
  const { low, volume, quoteVolume } = row;
  return { ...row, close: low, volume: half(volume), quoteVolume: half(quoteVolume) };
}

function badRow(row: PageRow, value: BadValue): PageRow {
  switch (value) {
    case "high_below_low":
      // Of a premium, half of a negative low would be above it.
      return { ...row, high: (Number(row.low) - Math.abs(Number(row.low)) / 2).toFixed(8) };
    case "negative_price":
      return { ...row, low: `-${row.low?.replace(/^-/, "")}` };
    case "zero_price":
      return { ...row, low: "0.00000000" };
    case "nan_text":
      return { ...row, close: "NaN" };
    case "null_value":
      return { ...row, close: null };
    case "misaligned_time":
      return { ...row, openTimeMs: row.openTimeMs + MISALIGNMENT_MS };
    case "missing_volume":
      return { ...row, volume: undefined };
  }
}
