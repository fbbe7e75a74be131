/** Alerts in the database: those that are running, and how they begin and end. @module */
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

/** Who writes. */
interface Writer {
  /** Nothing is written unless this node leads. @default no leases are kept */
  readonly node?: string | undefined;
}

/**
 * Records that alerts began. An alert that is already running, because another process recorded it, does not change.
 *
 * @returns false when nothing was recorded, because another node leads.
 */
export async function beginAlerts(
  database: Database,
  alert: AlertKind,
  { conditions, nowMs, node }: Writer & {
    readonly conditions: readonly Condition[];
    readonly nowMs: number;
  },
): Promise<boolean> {
  if (conditions.length === 0) return true;
  return await database.run(`keep that alerts of ${alert} have begun`, async (sql) => {
    const [row] = await sql.unsafe<LeadRow[]>(
      `with lead as materialized (select titan10_leads($1::uuid) as leads),
       begun as (
         insert into alerts (alert, exchange, symbol, timeframe, value, threshold, summary, began)
         select $2::text, exchange, symbol, timeframe, value, threshold, summary,
                to_timestamp($3::float8 / 1000.0)
         from ${CONDITIONS.rows(4)} where (select leads from lead)
         order by exchange, symbol, timeframe
         on conflict do nothing
       )
       select leads from lead`,
      [node ?? null, alert, nowMs, ...CONDITIONS.arrays(conditions)],
    );
    return row!.leads;
  });
}

interface LeadRow {
  readonly leads: boolean;
}

const IDS = columns<number>({ id: ["bigint", (id) => id] });

/** Records that alerts ended. @returns false when nothing was recorded, because another node leads. */
export async function endAlerts(
  database: Database,
  ids: readonly number[],
  { nowMs, node }: Writer & { readonly nowMs: number },
): Promise<boolean> {
  if (ids.length === 0) return true;
  return await database.run("keep that alerts have ended", async (sql) => {
    // `greatest`: an alert must be able to end even if the clock was set back. If its beginning was marked as not to be
    // sent, so is its end.
    const [row] = await sql.unsafe<LeadRow[]>(
      `with lead as materialized (select titan10_leads($1::uuid) as leads),
       held as materialized (${
        heldRows("alerts", {
          from: `where id = any (${
            IDS.parameters(3)
          }) and ended is null and (select leads from lead)`,
        })
      }),
       over as (
         update alerts as known
         set ended = greatest(known.began, to_timestamp($2::float8 / 1000.0)),
             ended_sent = case when known.began_sent = '-infinity' then known.began_sent end
         from held where ${isHeld("alerts")}
       )
       select leads from lead`,
      [node ?? null, nowMs, ...IDS.arrays(ids)],
    );
    return row!.leads;
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

interface AlertRow {
  readonly id: number;
  readonly alert: AlertKind;
  readonly exchange: string;
  readonly symbol: string | null;
  readonly timeframe: string | null;
  readonly summary: string;
  readonly began: Date;
}

/** A row of the table, as it is read. */
export interface NewsRow extends AlertRow {
  readonly value: number;
  readonly threshold: number;
  readonly ended: Date | null;
}

export function newsOf(row: NewsRow): AlertNews {
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
