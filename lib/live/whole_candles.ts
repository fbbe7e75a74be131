/** Decides which candles of one exchange's streams are whole, and when. Pure: time comes with what is told. @module */
import { type Candle, checkRow, type RejectedCandle, sameCandle } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles, closedUntil } from "../market/timeframe.ts";

/** A candle as a stream tells of it. */
export interface ToldCandle {
  readonly series: Series;
  /** The number of the connection over which it came. */
  readonly connection: number;
  readonly row: readonly unknown[];
  /** Whether the exchange calls it closed; undefined where it never says so. */
  readonly isClosed: boolean | undefined;
  /** Whether it tells of the past, because somebody subscribed. */
  readonly isSnapshot: boolean;
  /** The exchange's clock, where the message says. Milliseconds. */
  readonly exchangeMs: number | undefined;
  readonly receivedMs: number;
}

/** A whole candle of a series. */
interface WholeCandle {
  readonly series: Series;
  readonly candle: Candle;
}

/** What is known of one series on its living connection. */
interface Followed {
  readonly series: Series;
  readonly connection: number;
  /** Everything since then came over this connection. Milliseconds. */
  readonly sinceMs: number;
  /** What opened before is not whole by the clock. Milliseconds. */
  fromMs: number;
  /** The candle of which the stream has told last, where it never says that one is closed. */
  forming: Candle | undefined;
  /** The one before it: newer messages have shown that it has closed. It is told when it has settled. */
  closed: { readonly candle: Candle; readonly dueMs: number } | undefined;
  /** The newest candle that was whole. */
  whole: Candle | undefined;
}

/** The exchange's last message of a candle may follow its close, and the next candle's first message, by so much. */
const SETTLE_MS = 300;

/** This machine's clock may always be ahead of the exchange's by so much, where its messages do not tell the time. */
const AHEAD_MS_MAX = 1_500;

/** The exchange's clock may be ahead of ours by so much, whatever it tells. What closes later by ours is not closed. */
const EARLY_MS_MAX = 5_000;

/** A candle that closed longer ago is left to the exchange's answers: its message was late, or is of another time. */
const LATE_MS_MAX = 5 * 60_000;

/**
 * Looks are more frequent. After a longer time the machine has slept, or its clock was set: what closed meanwhile may have
 * been told of without being heard, or its end may still be on its way.
 */
const UNWATCHED_MS = 5_000;

const NOTHING_REACHED = { openTimeMs: -Infinity, toldMs: -Infinity };

/** Of the streams of one exchange. */
export class WholeCandles {
  readonly #followed = new Map<string, Followed>();
  /** When it was looked at last, or something was told. Milliseconds. */
  #lookedMs = Infinity;
  /** Our clock minus the exchange's, by its newest message that told the time. Milliseconds. */
  #aheadMs: number | undefined;
  /** At most so much it is, as the openings of candles have shown. Milliseconds. */
  #aheadMsMax = Infinity;
  /** The newest open time that any of its candles had, which its clock has reached, and when that was told. Milliseconds. */
  #reached = NOTHING_REACHED;

  /**
   * Call when a subscription comes into force: from now on the connection misses nothing. What it told before counts no more,
   * because it may have been without the subscription meanwhile.
   */
  follow(series: Series, { connection, nowMs }: {
    readonly connection: number;
    readonly nowMs: number;
  }): void {
    const fresh = { forming: undefined, closed: undefined, whole: undefined };
    const from = { sinceMs: nowMs, fromMs: nowMs };
    this.#followed.set(seriesName(series), { series, connection, ...from, ...fresh });
  }

  /** Call when a series is not streamed (any more). What was told of its forming candle is forgotten. */
  leave(series: Series): void {
    this.#followed.delete(seriesName(series));
  }

  /** Since when the series' living connection has told all of it. Milliseconds; undefined when there is none. */
  sinceMs(series: Series): number | undefined {
    return this.#followed.get(seriesName(series))?.sinceMs;
  }

  /** Takes what a stream tells. Returns the candle if it is whole by that, or why it is none. */
  note(told: ToldCandle): WholeCandle | RejectedCandle | undefined {
    const { series, connection, receivedMs, exchangeMs } = told;
    this.#look(receivedMs);
    if (exchangeMs !== undefined) {
      this.#aheadMs = Math.max(receivedMs - exchangeMs, -EARLY_MS_MAX);
    }
    const { candle, rejected } = checkRow(series.timeframe, told.row);
    if (candle === undefined) return rejected;
    // A snapshot repeats the past. The candle that forms meanwhile was not seen from its open.
    if (told.isSnapshot) return undefined;
    const name = seriesName(series);
    if (this.#followed.get(name)?.connection !== connection) {
      this.follow(series, { connection, nowMs: receivedMs });
    }
    const followed = this.#followed.get(name)!;
    const closeMs = addCandles(series.timeframe, candle.openTimeMs, 1);
    const latestMs = receivedMs + EARLY_MS_MAX;
    if (receivedMs - closeMs > LATE_MS_MAX || candle.openTimeMs > latestMs) {
      // What was told of it before is old: the clock has been set since.
      if (followed.forming?.openTimeMs === candle.openTimeMs) followed.forming = undefined;
      if (followed.closed?.candle.openTimeMs === candle.openTimeMs) followed.closed = undefined;
      return undefined;
    }
    this.#noteAhead(receivedMs, { openMs: candle.openTimeMs, closeMs });
    if (candle.openTimeMs > this.#reached.openTimeMs) {
      this.#reached = { openTimeMs: candle.openTimeMs, toldMs: receivedMs };
    }
    if (told.isClosed !== undefined) {
      const isEarly = closeMs > Math.min(exchangeMs ?? latestMs, latestMs);
      return told.isClosed && !isEarly ? whole(followed, candle) : undefined;
    }
    // Of the rest of a candle that formed before nothing whole can be told.
    if (followed.fromMs > candle.openTimeMs) return undefined;
    return this.#form(followed, candle, receivedMs);
  }

  /** The candles that are whole by now, because they have closed and settled. Call often. */
  due(nowMs: number): readonly WholeCandle[] {
    this.#look(nowMs);
    const candles: WholeCandle[] = [];
    for (const followed of this.#followed.values()) {
      const { forming, closed, series: { timeframe } } = followed;
      if (closed !== undefined && closed.dueMs <= nowMs) {
        followed.closed = undefined;
        const one = whole(followed, closed.candle);
        if (one !== undefined) candles.push(one);
      }
      if (forming === undefined) continue;
      const closedMs = this.#closedMs(addCandles(timeframe, forming.openTimeMs, 1));
      if (closedMs + SETTLE_MS > nowMs) continue;
      followed.forming = undefined;
      const one = whole(followed, forming);
      if (one !== undefined) candles.push(one);
    }
    return candles;
  }

  /** Leaves to the exchange's answers what closed while time passed unwatched. */
  #look(nowMs: number): void {
    const isWatched = nowMs - this.#lookedMs <= UNWATCHED_MS;
    this.#lookedMs = nowMs;
    if (isWatched) return;
    this.#aheadMs = undefined;
    this.#aheadMsMax = Infinity;
    this.#reached = NOTHING_REACHED;
    for (const followed of this.#followed.values()) {
      const { series: { timeframe }, forming } = followed;
      followed.fromMs = Math.max(followed.sinceMs, closedUntil(timeframe, nowMs));
      followed.closed = undefined;
      if (forming !== undefined && forming.openTimeMs < followed.fromMs) {
        followed.forming = undefined;
      }
    }
  }

  /** Learns from a candle how far ahead our clock is: by the exchange's it has opened, and, if it still forms, not closed. */
  #noteAhead(
    nowMs: number,
    { openMs, closeMs }: { readonly openMs: number; readonly closeMs: number },
  ): void {
    const isForming = this.#reached.openTimeMs < closeMs;
    if (isForming && nowMs - closeMs > this.#aheadMsMax) this.#aheadMsMax = Infinity;
    this.#aheadMsMax = Math.max(AHEAD_MS_MAX, Math.min(this.#aheadMsMax, nowMs - openMs));
  }

  /** When a candle had closed by the exchange's clock, as far as is known: at the latest then. Milliseconds. */
  #closedMs(closeMs: number): number {
    const { openTimeMs, toldMs } = this.#reached;
    const byClockMs = closeMs + (this.#aheadMs ?? this.#aheadMsMax);
    // A candle of another market that opens then shows it, too.
    return openTimeMs >= closeMs ? Math.min(toldMs, byClockMs) : byClockMs;
  }

  #form(followed: Followed, candle: Candle, nowMs: number): WholeCandle | undefined {
    const { forming, closed, whole: last } = followed;
    if (last !== undefined && candle.openTimeMs <= last.openTimeMs) {
      // The exchange goes on to tell of a candle that was whole: its newest values count.
      return candle.openTimeMs === last.openTimeMs ? whole(followed, candle) : undefined;
    }
    if (closed?.candle.openTimeMs === candle.openTimeMs) {
      followed.closed = { candle, dueMs: closed.dueMs };
      return undefined;
    }
    if (forming !== undefined && candle.openTimeMs < forming.openTimeMs) return undefined;
    followed.forming = candle;
    if (forming === undefined || forming.openTimeMs === candle.openTimeMs) return undefined;
    // That the next one forms says that this one has closed by the exchange's own clock.
    const before = followed.closed;
    followed.closed = { candle: forming, dueMs: nowMs + SETTLE_MS };
    return before && whole(followed, before.candle);
  }
}

/** The candle, if nothing newer was whole, nor the same. */
function whole(followed: Followed, candle: Candle): WholeCandle | undefined {
  const { series, whole: last } = followed;
  if (last !== undefined && candle.openTimeMs < last.openTimeMs) return undefined;
  if (last?.openTimeMs === candle.openTimeMs && sameCandle(last, candle)) return undefined;
  followed.whole = candle;
  return { series, candle };
}
