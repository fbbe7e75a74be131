/** What happens to an archive and a user wants to know, by kind. @module */
import type { AlertKind } from "./alert.ts";

interface EventTraits {
  /** Whether it is trouble, the end of trouble, or neither. */
  readonly tone: "trouble" | "relief" | "news";
  /**
   * Whether its text says what is different each time. Of others, whatever the text says, what happens again within an
   * hour is counted and not told anew.
   */
  readonly isEach: boolean;
}

const trouble: EventTraits = { tone: "trouble", isEach: false };
const relief: EventTraits = { tone: "relief", isEach: false };
const news: EventTraits = { tone: "news", isEach: false };
const each = (traits: EventTraits): EventTraits => ({ ...traits, isEach: true });

/** All kinds of events. `sql/` has the same kinds in a CHECK. */
export const EVENTS = {
  daemon_started: news,
  daemon_stopped: news,
  schema_upgraded: each(news),
  /** The database was away. Told when it is back, since nothing can be written before. */
  database_back: relief,
  /** The embedded server was ended and started again, and has kept what it had written. */
  database_reopened: news,
  banned: trouble,
  ban_ended: relief,
  breaker_opened: trouble,
  breaker_closed: relief,
  /** An exchange lists further symbols that the settings want. */
  listed: each(news),
  relisted: relief,
  delisted: trouble,
  suspended: trouble,
  /** The market goes on under another symbol. */
  renamed: trouble,
  /** A dated future has come to its end. */
  expired: news,
  /** The symbol means another market. */
  market_replaced: trouble,
  /** The market has a new id, and is the same. */
  market_respelled: news,
  /** The settings name a symbol that the exchange does not list. */
  not_listed: trouble,
  /** An exchange has sent stored candles with other values. */
  candles_revised: news,
  candles_rejected: trouble,
  /** A file that an exchange publishes has other candles than its API. */
  file_differs: each(trouble),
  /** The files that an exchange publishes cannot be had for now. */
  files_away: trouble,
  settings_reloaded: each(news),
  settings_refused: each(trouble),
  /** Several nodes work on the archive, and one of them has other settings than the one that leads. */
  settings_differ: each(trouble),
  forgotten: each(news),
  imported: each(news),
  copied: each(news),
  alert_began: trouble,
  alert_ended: relief,
} as const satisfies Readonly<Record<string, EventTraits>>;

export type EventKind = keyof typeof EVENTS;

/** Whether this is a kind of event. */
export function isEventKind(text: string): text is EventKind {
  return Object.hasOwn(EVENTS, text);
}

/** One event, or several of one kind about the same. */
export interface ArchiveEvent {
  readonly kind: EventKind;
  /** Undefined where the archive as a whole is meant. */
  readonly exchange?: string | undefined;
  readonly symbol?: string | undefined;
  readonly timeframe?: string | undefined;
  /** Which alert, of `alert_began` and `alert_ended`. */
  readonly alert?: AlertKind | undefined;
  /** When it happened, the last time. Milliseconds. */
  readonly timeMs: number;
  /** When it began, or happened for the first time. Milliseconds. */
  readonly sinceMs: number;
  readonly times: number;
  /** How many candles it is about, in all. */
  readonly candles?: number | undefined;
  /** One sentence for people. */
  readonly text: string;
}

/** Whether a later event counts as the same one again. */
export function isSameEvent(one: ArchiveEvent, later: ArchiveEvent): boolean {
  return one.kind === later.kind && one.exchange === later.exchange &&
    one.symbol === later.symbol &&
    one.timeframe === later.timeframe && one.alert === later.alert &&
    (!EVENTS[one.kind].isEach || one.text === later.text);
}

/** Both as one, of which the later one has the last word. */
export function joinEvents(one: ArchiveEvent, later: ArchiveEvent): ArchiveEvent {
  const candles = one.candles === undefined && later.candles === undefined
    ? undefined
    : (one.candles ?? 0) + (later.candles ?? 0);
  return {
    ...later,
    timeMs: Math.max(one.timeMs, later.timeMs),
    sinceMs: Math.min(one.sinceMs, later.sinceMs),
    times: one.times + later.times,
    candles,
  };
}

/** `2026-01-31 12:05:30 UTC`. */
export function utcText(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** At most this many names are told of one by one. */
const NAMED_MAX = 3;

/** `A, B, C and 4 more`. */
export function someNames(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return more > 0 ? `${names.slice(0, NAMED_MAX).join(", ")} and ${more} more` : names.join(", ");
}
