/** What one listener of `/live` was told of its series, and from where on it must be told again. @module */
import type { Candle } from "../market/candle.ts";
import { type Coverage, intersect, isCovered, subtract, unite } from "../market/coverage.ts";
import type { Series } from "../market/series.ts";
import { addCandles, closedUntil, isAligned, type Timeframe } from "../market/timeframe.ts";
import type { AskedChanges, PresentCandle, SeriesChanges } from "../store/series_changes.ts";
import { BadQueryError } from "./chart_answer.ts";

/** Where a listener resumes. */
export interface FollowedFrom {
  /** Open time from which on all candles are told. Milliseconds. */
  readonly sinceMs: number;
  /** Of older candles, revisions with a larger id are told. */
  readonly revision: number;
}

/**
 * - `candle`: it is told for the first time.
 * - `confirmed`: an answer of the exchange says the same as the stream.
 * - `revised`: it has other values than it was told with.
 * - `withdrawn`: it is not in the archive any more.
 */
type ChangeKind = "candle" | "confirmed" | "revised" | "withdrawn";

/** What a listener is told. */
export interface Change {
  readonly kind: ChangeKind;
  readonly openTimeMs: number;
  /** Undefined of one that was withdrawn. */
  readonly candle: Candle | undefined;
  readonly isProvisional: boolean;
}

/** About 40 kB of events. */
const ROWS_MAX = 200;

/** Most holes that are kept in mind; of more the oldest are given up. An illiquid market has a few hundred a day. */
const HOLES_MAX = 1_000;

/** Most provisional candles of which a confirmation is told, the newest: a day and a half of minutes. */
const PROVISIONAL_MAX = 2_000;

/** Holes with fewer candles between them are read together. */
const NEARBY_CANDLES = 500;

/** At most so many parts are read. */
const PARTS_MAX = 8;

const ID = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\/(\d{1,15})$/;

/** The state of one listener. */
export class FollowedSeries {
  readonly #timeframe: Timeframe;
  /** The time of which it was told all; it begins at −Infinity. */
  #told: Coverage;
  /** Open times that it was told as provisional. */
  #provisional = new Set<number>();
  #revision: number;
  readonly #rowsMax: number;

  /** `rowsMax`: candles, and revisions, that are read at once. */
  constructor(
    timeframe: Timeframe,
    { sinceMs, revision }: FollowedFrom,
    { rowsMax = ROWS_MAX }: { readonly rowsMax?: number } = {},
  ) {
    this.#timeframe = timeframe;
    this.#rowsMax = rowsMax;
    this.#told = [{ sinceMs: -Infinity, untilMs: sinceMs }];
    this.#revision = revision;
  }

  /** From here a listener that was away resumes. What it was told after `sinceMs` it is told again. */
  get id(): string {
    return `${new Date(this.#sinceMs).toISOString()}/${this.#revision}`;
  }

  /** What must be read for it. */
  get asked(): AskedChanges {
    return {
      sinceMs: this.#sinceMs,
      windows: this.#parts,
      told: this.#told,
      revision: this.#revision,
      rowsMax: this.#rowsMax,
    };
  }

  /** The open times of candles whose present values must be read to tell of these changes. */
  changed({ provisional, revisions }: SeriesChanges): readonly number[] {
    const confirmed = [...this.#provisional].filter((timeMs) => !isCovered(provisional, timeMs));
    const times = new Set(revisions.map(({ openTimeMs }) => openTimeMs));
    for (const timeMs of confirmed.slice(0, this.#rowsMax)) times.add(timeMs);
    return [...times];
  }

  /** Takes what was read, and returns what it is told; `isOver` is false where there is more to read at once. */
  take(
    changes: SeriesChanges,
    present: ReadonlyMap<number, PresentCandle>,
  ): { readonly told: readonly Change[]; readonly isOver: boolean } {
    const { candles, revisions, provisional, settled } = changes;
    const before = this.#told;
    const news = candles.map((candle): Change => {
      const { openTimeMs } = candle;
      const isProvisional = isCovered(provisional, openTimeMs);
      if (isProvisional) this.#provisional.add(openTimeMs);
      return { kind: "candle", openTimeMs, candle, isProvisional };
    });
    const isRead = candles.length < this.#rowsMax;
    const readUntilMs = isRead ? Infinity : this.#after(candles.at(-1)!.openTimeMs);
    const read = intersect(settled, [{ sinceMs: -Infinity, untilMs: readUntilMs }]);
    this.#told = unite(before, [
      ...read,
      ...candles.map(({ openTimeMs }) => this.#slot(openTimeMs)),
    ]);
    const revised = new Set(revisions.map(({ openTimeMs }) => openTimeMs));
    for (const [timeMs, one] of [...present].toSorted(([a], [b]) => a - b)) {
      const change = this.#changeOf(timeMs, one, {
        isRevised: revised.has(timeMs),
        wasTold: isCovered(before, timeMs),
      });
      if (change !== undefined) news.push(change);
    }
    this.#revision = revisions.at(-1)?.id ?? this.#revision;
    this.#bound();
    const isConfirmed = (timeMs: number): boolean => !isCovered(provisional, timeMs);
    const isOver = isRead && revisions.length < this.#rowsMax &&
      !this.#provisional.values().some(isConfirmed);
    return { told: news, isOver };
  }

  #changeOf(
    openTimeMs: number,
    { candle, isProvisional }: PresentCandle,
    { isRevised, wasTold }: { readonly isRevised: boolean; readonly wasTold: boolean },
  ): Change | undefined {
    if (candle === undefined) {
      this.#provisional.delete(openTimeMs);
      // It may come again.
      this.#told = subtract(this.#told, [this.#slot(openTimeMs)]);
      return { kind: "withdrawn", openTimeMs, candle, isProvisional };
    }
    const wasProvisional = this.#provisional.has(openTimeMs);
    // One that was not told is told with its values of now.
    if (!wasTold || (isProvisional && !isRevised)) return undefined;
    if (!isProvisional) this.#provisional.delete(openTimeMs);
    if (!isRevised && !wasProvisional) return undefined;
    return { kind: isRevised ? "revised" : "confirmed", openTimeMs, candle, isProvisional };
  }

  #bound(): void {
    const before = this.#told.at(-HOLES_MAX);
    if (before !== undefined && this.#told.length > HOLES_MAX) {
      this.#told = unite(this.#told, [{ sinceMs: -Infinity, untilMs: before.sinceMs }]);
    }
    if (this.#provisional.size <= PROVISIONAL_MAX) return;
    const newest = [...this.#provisional].toSorted((a, b) => a - b).slice(-PROVISIONAL_MAX);
    this.#provisional = new Set(newest);
  }

  get #toldUntilMs(): number {
    return this.#told[0]!.untilMs;
  }

  /** A candle that is provisional is told again, since its confirmation may come while the listener is away. */
  get #sinceMs(): number {
    let sinceMs = this.#toldUntilMs;
    for (const timeMs of this.#provisional) sinceMs = Math.min(sinceMs, timeMs);
    return sinceMs;
  }

  /** The time that was not told, in few parts. */
  get #parts(): Coverage {
    const parts: { sinceMs: number; untilMs: number }[] = [];
    const everything = [{ sinceMs: this.#toldUntilMs, untilMs: Infinity }];
    for (const { sinceMs, untilMs } of subtract(everything, this.#told)) {
      const last = parts.at(-1);
      const isNear = last !== undefined &&
        (parts.length === PARTS_MAX ||
          addCandles(this.#timeframe, last.untilMs, NEARBY_CANDLES) > sinceMs);
      if (isNear) last.untilMs = untilMs;
      else parts.push({ sinceMs, untilMs });
    }
    return parts;
  }

  #after(openTimeMs: number): number {
    return addCandles(this.#timeframe, openTimeMs, 1);
  }

  #slot(openTimeMs: number): { readonly sinceMs: number; readonly untilMs: number } {
    return { sinceMs: openTimeMs, untilMs: this.#after(openTimeMs) };
  }
}

/**
 * Where a listener begins: with the newest stored candle, or where an id says.
 *
 * @throws BadQueryError
 */
export function followedFrom(
  { timeframe }: Series,
  id: string | undefined,
  { lastMs, revision, nowMs }: {
    /** Open time of the newest stored candle; undefined without one. */
    readonly lastMs: number | undefined;
    /** The newest revision of the series. */
    readonly revision: number;
    readonly nowMs: number;
  },
): FollowedFrom {
  const isGiven = id !== undefined && id !== "";
  const newestMs = lastMs ?? addCandles(timeframe, closedUntil(timeframe, nowMs), -1);
  if (!isGiven) return { sinceMs: newestMs, revision };
  const [, time = "", number = ""] = ID.exec(id) ?? [];
  const sinceMs = Date.parse(time);
  if (Number.isNaN(sinceMs) || !isAligned(timeframe, sinceMs)) {
    const shown = JSON.stringify(id.slice(0, 60));
    throw new BadQueryError(
      400,
      `Cannot resume from Last-Event-ID ${shown}: send an id that /live gave for this series, or none`,
    );
  }
  // An archive may have been restored from before the id was given.
  return {
    sinceMs: Math.min(sinceMs, addCandles(timeframe, newestMs, 1)),
    revision: Math.min(Number(number), revision),
  };
}
