/** How often conditions were found in a row whose alerts have not begun yet, for the node that judges next. @module */
import type { AlertKind } from "../market/alert.ts";
import type { Database } from "./connection/database.ts";

/** Counts of runs, by the name of the subject. */
interface AlertHold {
  readonly held: ReadonlyMap<string, number>;
  /** How long ago that was, by the database's clock. Milliseconds; undefined where it was never judged. */
  readonly ageMs: number | undefined;
  /** Who has judged. */
  readonly node: string | undefined;
}

export async function readAlertHold(database: Database, alert: AlertKind): Promise<AlertHold> {
  return await database.run(`read how long conditions of ${alert} have held`, async (sql) => {
    const [row] = await sql<HoldRow[]>`
      select held, node, (extract(epoch from clock_timestamp() - at) * 1000)::float8 as age_ms
      from alert_holds where alert = ${alert}`;
    return {
      held: new Map(Object.entries(row?.held ?? {})),
      ageMs: row?.age_ms,
      node: row?.node,
    };
  });
}

/** Records them, if this node leads. */
export async function writeAlertHold(
  database: Database,
  alert: AlertKind,
  { held, node }: { readonly held: ReadonlyMap<string, number>; readonly node: string },
): Promise<void> {
  await database.run(`keep how long conditions of ${alert} have held`, async (sql) => {
    await sql`
      insert into alert_holds as known (alert, held, node)
      select ${alert}, ${JSON.stringify(Object.fromEntries(held))}::text::jsonb, ${node}::uuid
      where titan10_leads(${node}::uuid)
      on conflict (alert) do update set held = excluded.held, node = excluded.node, at = excluded.at`;
  });
}

interface HoldRow {
  readonly held: Readonly<Record<string, number>>;
  readonly node: string;
  readonly age_ms: number;
}
