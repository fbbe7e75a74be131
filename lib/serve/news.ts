/** What a user should know now: the alerts that fire, and what has happened. @module */
import type { AlertKind } from "../market/alert.ts";
import { REMEDIES } from "../market/alert.ts";
import { type EventKind, EVENTS, isEventKind } from "../market/event.ts";
import { readFiringAlerts } from "../store/alerts.ts";
import type { Database } from "../store/connection/database.ts";
import { readEvents, type StoredEvent } from "../store/events.ts";
import { Query } from "./chart_answer.ts";

/** An alert that fires. Times are ISO 8601 UTC. */
interface FiringAlert {
  readonly alert: AlertKind;
  readonly exchange: string;
  /** Null where the alert is about the whole exchange, as is `timeframe` where it is about all of them. */
  readonly symbol: string | null;
  readonly timeframe: string | null;
  readonly since: string;
  /** As found when it began: percent for `gap_percent`, seconds for the others. */
  readonly value: number;
  readonly threshold: number;
  /** One sentence. */
  readonly summary: string;
  /** What to do, in a sentence or two. */
  readonly remedy: string;
  /** The section that says more, `docs/alerts.md#stale`. */
  readonly runbook: string;
}

/** An event, or several that are the same. Times are ISO 8601 UTC. */
export interface EventEntry {
  /** Of its row: an event that happens again keeps it. */
  readonly id: number;
  /** When it happened, the last time. */
  readonly time: string;
  /** When it began, or happened for the first time. */
  readonly since: string;
  readonly times: number;
  readonly kind: EventKind;
  readonly tone: (typeof EVENTS)[EventKind]["tone"];
  readonly exchange: string | null;
  readonly symbol: string | null;
  readonly timeframe: string | null;
  readonly alert: AlertKind | null;
  /** How many candles it is about, in all; null where that says nothing. */
  readonly candles: number | null;
  /** One sentence. */
  readonly text: string;
}

export interface News {
  /** Those that lose candles first, then the oldest; at most {@linkcode ALERTS_MAX}. */
  readonly alerts: readonly FiringAlert[];
  /** How many fire. */
  readonly alertsFiring: number;
  /** The newest, newest first. */
  readonly events: readonly EventEntry[];
}

/** Of more, only the number is told. */
const ALERTS_MAX = 100;

/** A screen full. */
const EVENTS_SHOWN = 20;

const EVENTS_DEFAULT = 50;
const EVENTS_MAX = 500;

/** Of an archive that is not made yet. */
export const NO_NEWS: News = { alerts: [], alertsFiring: 0, events: [] };

/** @throws StoreError */
export async function readNews(database: Database): Promise<News> {
  const { alerts, firing } = await readFiringAlerts(database, ALERTS_MAX);
  const events = await readEvents(database, { rowsMax: EVENTS_SHOWN });
  return {
    alerts: alerts.map((one) => ({
      alert: one.alert,
      exchange: one.exchange,
      symbol: one.symbol ?? null,
      timeframe: one.timeframe ?? null,
      since: iso(one.beganMs),
      value: one.value,
      threshold: one.threshold,
      summary: one.summary,
      remedy: REMEDIES[one.alert],
      runbook: `docs/alerts.md#${one.alert}`,
    })),
    alertsFiring: firing,
    events: events.map(entryOf),
  };
}

/** What `/eventlog` answers. */
export interface EventsDocument {
  readonly events: readonly EventEntry[];
}

/**
 * The newest events, or with `before` those older than that; at most `limit` (default 50), and those with the time of the
 * last one; of one `kind`, of one `exchange`.
 *
 * @throws BadQueryError, StoreError
 */
export async function readEventsDocument(
  database: Database,
  query: URLSearchParams,
): Promise<EventsDocument> {
  const asked = new Query(query, ["limit", "before", "kind", "exchange"]);
  const kinds = Object.keys(EVENTS).join(", ");
  const events = await readEvents(database, {
    rowsMax: asked.limit({ most: EVENTS_MAX, otherwise: EVENTS_DEFAULT }),
    beforeMs: asked.time("before"),
    kind: asked.optional("kind", isEventKind, `one of ${kinds}`),
    exchange: asked.exchange(),
  });
  return { events: events.map(entryOf) };
}

function entryOf(
  { id, kind, timeMs, sinceMs, times, candles, text, ...of }: StoredEvent,
): EventEntry {
  return {
    id,
    time: iso(timeMs),
    since: iso(sinceMs),
    times,
    kind,
    tone: EVENTS[kind].tone,
    exchange: of.exchange ?? null,
    symbol: of.symbol ?? null,
    timeframe: of.timeframe ?? null,
    alert: of.alert ?? null,
    candles: candles ?? null,
    text,
  };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
