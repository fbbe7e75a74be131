/** Alerts in the database: those that are running, and the news that was not sent to the webhook yet. @module */
import type { AlertKind, AlertSubject, Condition } from "../market/alert.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import { columns, epochMs, storableText } from "./parameters.ts";

/** An alert that has begun and has not ended. */
interface RunningAlert extends AlertSubject {
  readonly id: number;
  readonly summary: string;
  readonly beganMs: number;
}

/** News to send: an alert began, or it ended. Times in milliseconds. */
export interface AlertNews extends AlertSubject {
  readonly id: number;
  readonly alert: AlertKind;
  readonly state: "firing" | "resolved";
  /** The value that was found when the alert began. */
  readonly value: number;
  readonly threshold: number;
  readonly summary: string;
  readonly beganMs: number;
  /** Undefined when the alert has not ended. */
  readonly endedMs: number | undefined;
}

const SUMMARY_CHARACTERS_MAX = 1_000;

/** The running alerts of one kind, oldest first. */
export async function readRunningAlerts(
  database: Database,
  alert: AlertKind,
): Promise<readonly RunningAlert[]> {
  return await database.run(`read the running alerts of ${alert}`, async (sql) => {
    const rows = await sql<AlertRow[]>`
      select id::int, alert, exchange, symbol, timeframe, summary, began from alerts
      where ended is null and alert = ${alert} order by id`;
    return rows.map((row) => ({
      ...subjectOf(row),
      id: row.id,
      summary: row.summary,
      beganMs: row.began.getTime(),
    }));
  });
}

const CONDITIONS = columns<Condition>({
  exchange: ["text", ({ exchange }) => exchange],
  symbol: ["text", ({ symbol }) => symbol],
  timeframe: ["text", ({ timeframe }) => timeframe],
  value: ["float8", ({ value }) => value],
  threshold: ["float8", ({ threshold }) => threshold],
  summary: ["text", ({ summary }) => storableText(summary, SUMMARY_CHARACTERS_MAX)],
});

/**
 * Records that alerts began. An alert that is already running, because another process recorded it, does not change.
 */
export async function beginAlerts(
  database: Database,
  alert: AlertKind,
  { conditions, nowMs }: {
    readonly conditions: readonly Condition[];
    readonly nowMs: number;
  },
): Promise<void> {
  if (conditions.length === 0) return;
  await database.run(`keep that alerts of ${alert} have begun`, async (sql) => {
    await sql.unsafe(
      `insert into alerts (alert, exchange, symbol, timeframe, value, threshold, summary, began)
       select $1::text, exchange, symbol, timeframe, value, threshold, summary, to_timestamp($2::float8 / 1000.0)
       from ${CONDITIONS.rows(3)} order by exchange, symbol, timeframe
       on conflict do nothing`,
      [alert, nowMs, ...CONDITIONS.arrays(conditions)],
    );
  });
}

const IDS = columns<number>({ id: ["bigint", (id) => id] });

/** Records that alerts ended. */
export async function endAlerts(
  database: Database,
  ids: readonly number[],
  nowMs: number,
): Promise<void> {
  if (ids.length === 0) return;
  await database.run("keep that alerts have ended", async (sql) => {
    // `greatest`: an alert must be able to end even if the clock was set back. If its beginning was marked as not to be
    // sent, so is its end.
    await sql.unsafe(
      `with held as materialized (${
        heldRows("alerts", { from: `where id = any (${IDS.parameters(2)}) and ended is null` })
      })
       update alerts as known
       set ended = greatest(known.began, to_timestamp($1::float8 / 1000.0)),
           ended_sent = case when known.began_sent = '-infinity' then known.began_sent end
       from held where ${isHeld("alerts")}`,
      [nowMs, ...IDS.arrays(ids)],
    );
  });
}

/** News that was not sent yet, oldest first. */
export async function readUnsentNews(
  database: Database,
  newsMax: number,
): Promise<readonly AlertNews[]> {
  return await database.run("read the unsent alerts", async (sql) => {
    const rows = await sql<NewsRow[]>`
      select id::int, alert, exchange, symbol, timeframe, value, threshold, summary, began,
             case when is_end then ended end as ended
      from alerts, unnest('{f,t}'::boolean[]) as is_end
      where case when is_end then ended is not null and ended_sent is null else began_sent is null end
        and (began_sent is null or (ended is not null and ended_sent is null))
      order by case when is_end then ended else began end, id, is_end
      limit ${newsMax}::int`;
    return rows.map(newsOf);
  });
}

/** Alerts that are firing and whose beginning was sent, by id, from the one after `afterId` on. */
export async function readFiringNews(
  database: Database,
  { afterId, newsMax }: { readonly afterId: number; readonly newsMax: number },
): Promise<readonly AlertNews[]> {
  return await database.run("read the firing alerts", async (sql) => {
    const rows = await sql<NewsRow[]>`
      select id::int, alert, exchange, symbol, timeframe, value, threshold, summary, began, ended from alerts
      where ended is null and began_sent > '-infinity' and id > ${afterId}::bigint
      order by id limit ${newsMax}::int`;
    return rows.map(newsOf);
  });
}

/** The alerts that fire, those that lose candles first, then the oldest; and how many there are. */
export async function readFiringAlerts(
  database: Database,
  alertsMax: number,
): Promise<{ readonly alerts: readonly AlertNews[]; readonly firing: number }> {
  return await database.run("read the alerts that fire", async (sql) => {
    const rows = await sql<(NewsRow & { readonly firing: number })[]>`
      select id::int, alert, exchange, symbol, timeframe, value, threshold, summary, began, ended,
             count(*) over ()::int as firing
      from alerts where ended is null
      order by alert <> 'retention_loss', began, id limit ${alertsMax}::int`;
    return { alerts: rows.map(newsOf), firing: rows[0]?.firing ?? 0 };
  });
}

/** Records that a piece of news was sent to the webhook, or that sending it was given up. */
export async function markNewsSent(
  database: Database,
  { id, state }: Pick<AlertNews, "id" | "state">,
  nowMs: number,
): Promise<void> {
  const isEnd = state === "resolved";
  await database.run("note that an alert was sent", async (sql) => {
    await sql`
      update alerts
      set began_sent = case when ${isEnd}::boolean then began_sent else to_timestamp(${nowMs}::float8 / 1000.0) end,
          ended_sent = case when ${isEnd}::boolean then to_timestamp(${nowMs}::float8 / 1000.0) else ended_sent end
      where id = ${id}::bigint`;
  });
}

/**
 * Marks all unsent news as not to be sent. Used when no webhook is set, so that a webhook set later receives no old
 * news.
 */
export async function dropUnsentNews(database: Database): Promise<void> {
  await database.run("mark alerts as not to be sent", async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("alerts", {
          from: "where began_sent is null or (ended is not null and ended_sent is null)",
        })
      })
       update alerts as known
       set began_sent = coalesce(known.began_sent, '-infinity'),
           ended_sent = case when known.ended is not null then coalesce(known.ended_sent, '-infinity') end
       from held where ${isHeld("alerts")}`,
    );
  });
}

interface AlertRow {
  readonly id: number;
  readonly alert: AlertKind;
  readonly exchange: string;
  readonly symbol: string | null;
  readonly timeframe: string | null;
  readonly summary: string;
  readonly began: Date;
}

interface NewsRow extends AlertRow {
  readonly value: number;
  readonly threshold: number;
  readonly ended: Date | null;
}

function newsOf(row: NewsRow): AlertNews {
  return {
    ...subjectOf(row),
    id: row.id,
    alert: row.alert,
    state: row.ended === null ? "firing" : "resolved",
    value: row.value,
    threshold: row.threshold,
    summary: row.summary,
    beganMs: row.began.getTime(),
    endedMs: epochMs(row.ended),
  };
}

function subjectOf({ exchange, symbol, timeframe }: AlertRow): AlertSubject {
  if (symbol === null) return { exchange };
  return timeframe === null ? { exchange, symbol } : { exchange, symbol, timeframe };
}
