/** The table of events: what has happened to the archive. Bounded by the statement that writes to it. @module */
import type { AlertKind } from "../market/alert.ts";
import { type ArchiveEvent, type EventKind, EVENTS } from "../market/event.ts";
import type { Database } from "./connection/database.ts";
import { columns, storableText } from "./parameters.ts";

const TEXT_CHARACTERS_MAX = 1_000;

const WRITTEN = columns<ArchiveEvent>({
  kind: ["text", ({ kind }) => kind],
  exchange: ["text", ({ exchange }) => exchange],
  symbol: ["text", ({ symbol }) => symbol],
  timeframe: ["text", ({ timeframe }) => timeframe],
  alert: ["text", ({ alert }) => alert],
  time_ms: ["float8", ({ timeMs }) => timeMs],
  since_ms: ["float8", ({ sinceMs }) => sinceMs],
  times: ["int", ({ times }) => times],
  candles: ["bigint", ({ candles }) => candles],
  told: ["text", ({ text }) => storableText(text, TEXT_CHARACTERS_MAX)],
  is_each: ["boolean", ({ kind }) => EVENTS[kind].isEach],
});

/** Keeps events, in their order. What has happened within the hour before is counted in its row. @throws StoreError */
export async function writeEvents(
  database: Database,
  events: readonly ArchiveEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await database.run("keep what has happened", async (sql) => {
    await sql.unsafe(
      `select titan10_note_event(kind, exchange, symbol, timeframe, alert, to_timestamp(time_ms / 1000.0),
                                 to_timestamp(since_ms / 1000.0), times, candles, told, is_each)
       from ${WRITTEN.rows(1)}`,
      [...WRITTEN.arrays(events)],
      { prepare: true },
    );
  });
}

/** An event as it is kept. */
export interface StoredEvent extends ArchiveEvent {
  /** Of its row, which stays when it happens again. */
  readonly id: number;
}

/** Which events are read. */
interface EventsAsked {
  /** The most rows; more only where several have the time of the last one. */
  readonly rowsMax: number;
  /** Only older ones. Milliseconds. */
  readonly beforeMs?: number | undefined;
  readonly kind?: EventKind | undefined;
  readonly exchange?: string | undefined;
}

/** Events, newest first. @throws StoreError */
export async function readEvents(
  database: Database,
  { rowsMax, beforeMs, kind, exchange }: EventsAsked,
): Promise<readonly StoredEvent[]> {
  return await database.run("read what has happened", async (sql) => {
    const rows = await sql<EventRow[]>`
      select * from (select * from events
      where (${beforeMs ?? null}::float8 is null or time < to_timestamp(${
      beforeMs ?? null
    }::float8 / 1000.0))
        and kind = coalesce(${kind ?? null}::text, kind)
        and (${exchange ?? null}::text is null or exchange = ${exchange ?? null}::text)
      order by time desc fetch first (${rowsMax}::int) rows with ties) as newest
      order by time desc, id desc`;
    return rows.map((row) => ({
      id: Number(row.id),
      kind: row.kind,
      exchange: row.exchange ?? undefined,
      symbol: row.symbol ?? undefined,
      timeframe: row.timeframe ?? undefined,
      alert: row.alert ?? undefined,
      timeMs: row.time.getTime(),
      sinceMs: row.since.getTime(),
      times: row.times,
      candles: row.candles === null ? undefined : Number(row.candles),
      text: row.text,
    }));
  });
}

/**
 * Whether the newest start of a daemon was followed by its stop; undefined before the first start, and while other daemons
 * work on this archive: then the newest start may be theirs.
 */
export async function wasStopped(database: Database): Promise<boolean | undefined> {
  return await database.run("read how the last run ended", async (sql) => {
    const [row] = await sql<{ kind: EventKind | null }[]>`
      select case when (select count(*) from titan10_live_nodes(clock_timestamp()) where kind = 'daemon') < 2
                  then titan10_last_run() end as kind`;
    const kind = row?.kind ?? undefined;
    return kind === undefined ? undefined : kind === "daemon_stopped";
  });
}

interface EventRow {
  readonly id: string;
  readonly kind: EventKind;
  readonly exchange: string | null;
  readonly symbol: string | null;
  readonly timeframe: string | null;
  readonly alert: AlertKind | null;
  readonly time: Date;
  readonly since: Date;
  readonly times: number;
  readonly candles: string | null;
  readonly text: string;
}
