/** The news of alerts that was not posted yet: one node at a time posts it, and each piece once. @module */
import { type AlertNews, newsOf, type NewsRow } from "./alerts.ts";
import type { Database } from "./connection/database.ts";
import { heldRows, isHeld } from "./lock_order.ts";
import { columns } from "./parameters.ts";

/** Who posts; all of it without leases. */
export interface Poster {
  /** Undefined where no leases are kept. */
  readonly node: string | undefined;
  /** After this long what another node has begun to post, and has not told the end of, is posted again. Milliseconds. */
  readonly claimMs: number;
}

type Piece = Pick<AlertNews, "id" | "state">;

const UNSENT = "began_sent is null or (ended is not null and ended_sent is null)";

/** Whether nobody else is about to post news of the row `known`. */
function isFree(node: string, claimMs: string): string {
  return `(${node}::uuid is null or known.sending is null or known.sending = ${node}::uuid
    or known.sending_at < clock_timestamp() - make_interval(secs => ${claimMs}::float8 / 1000.0))`;
}

/** News that was not sent yet, oldest first, without what another node is about to post. */
export async function readUnsentNews(
  database: Database,
  { node, claimMs, newsMax }: Poster & { readonly newsMax: number },
): Promise<readonly AlertNews[]> {
  return await database.run("read the unsent alerts", async (sql) => {
    const rows = await sql.unsafe<NewsRow[]>(
      `select id::int, alert, exchange, symbol, timeframe, value, threshold, summary, began,
              case when is_end then ended end as ended
       from alerts as known, unnest('{f,t}'::boolean[]) as is_end
       where case when is_end then ended is not null and ended_sent is null else began_sent is null end
         and (${UNSENT}) and ${isFree("$1", "$2")}
       order by case when is_end then ended else began end, id, is_end
       limit $3::int`,
      [node ?? null, claimMs, newsMax],
    );
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

const PIECES = columns<Piece>({
  id: ["bigint", ({ id }) => id],
  is_end: ["boolean", ({ state }) => state === "resolved"],
});

/**
 * Takes news for oneself, right before it is posted.
 *
 * @returns whether this node leads, and all of the news is unsent and nobody else's: only then may it be posted.
 */
export async function claimNews(
  database: Database,
  news: readonly Piece[],
  { node, claimMs }: Poster,
): Promise<boolean> {
  if (node === undefined) return true;
  return await database.run("take alerts to be sent", async (sql) => {
    const [row] = await sql.unsafe<{ readonly is_mine: boolean }[]>(
      `with lead as materialized (select titan10_leads($1::uuid) as leads),
       news as (select * from ${PIECES.rows(3)}),
       held as materialized (${
        heldRows("alerts", {
          from: `where (select leads from lead) and ${isFree("$1", "$2")}
             and known.id in (select news.id from news)
             and not exists (select from news where news.id = known.id
                               and case when is_end then known.ended_sent else known.began_sent end is not null)`,
        })
      }),
       taken as (
         update alerts as known set sending = $1::uuid, sending_at = clock_timestamp()
         from held where ${isHeld("alerts")} returning known.id
       )
       select (select leads from lead) and (select count(*) from taken) = (select count(distinct id) from news) as is_mine`,
      [node, claimMs, ...PIECES.arrays(news)],
    );
    return row!.is_mine;
  });
}

/** Whether a node leads, so that it may repeat what fires. */
export async function isLeading(
  database: Database,
  node: string | undefined,
): Promise<boolean> {
  if (node === undefined) return true;
  return await database.run("read which node leads", async (sql) => {
    const [row] = await sql<{ leads: boolean }[]>`select titan10_leads(${node}::uuid) as leads`;
    return row!.leads;
  });
}

/** Gives news back that could not be posted: whoever leads next may post it at once. */
export async function releaseNews(
  database: Database,
  news: readonly Piece[],
  { node }: Poster,
): Promise<void> {
  if (node === undefined) return;
  await database.run("give alerts back that were not sent", async (sql) => {
    await sql.unsafe(
      `with held as materialized (${
        heldRows("alerts", {
          from: `where known.sending = $1::uuid and known.id in (select id from ${PIECES.rows(2)})`,
        })
      })
       update alerts as known set sending = null, sending_at = null from held where ${
        isHeld("alerts")
      }`,
      [node, ...PIECES.arrays(news)],
    );
  });
}

/**
 * Records that the news of one post was sent to the webhook, or that sending it was given up: all of it at once, so that
 * nobody else takes the rest of a post for unsent.
 */
export async function markNewsSent(
  database: Database,
  news: readonly Piece[],
  { node, nowMs }: Pick<Poster, "node"> & { readonly nowMs: number },
): Promise<void> {
  await database.run("note that alerts were sent", async (sql) => {
    await sql.unsafe(
      `with news as (
         select id, bool_or(not is_end) as begins, bool_or(is_end) as ends from ${
        PIECES.rows(3)
      } group by id
       ),
       held as materialized (${
        heldRows("alerts", { from: "join news using (id)", columns: ["begins", "ends"] })
      })
       update alerts as known
       set began_sent = case when begins then to_timestamp($2::float8 / 1000.0) else known.began_sent end,
           ended_sent = case when ends then to_timestamp($2::float8 / 1000.0) else known.ended_sent end,
           sending = case when known.sending is distinct from $1::uuid then known.sending end,
           sending_at = case when known.sending is distinct from $1::uuid then known.sending_at end
       from held where ${isHeld("alerts")}`,
      [node ?? null, nowMs, ...PIECES.arrays(news)],
    );
  });
}

/**
 * Marks all unsent news as not to be sent. Used when no webhook is set, so that a webhook set later receives no old
 * news. Nothing is marked unless this node leads.
 */
export async function dropUnsentNews(database: Database, node?: string): Promise<void> {
  await database.run("mark alerts as not to be sent", async (sql) => {
    await sql.unsafe(
      `with lead as materialized (select titan10_leads($1::uuid) as leads),
       held as materialized (${
        heldRows("alerts", { from: `where (${UNSENT}) and (select leads from lead)` })
      })
       update alerts as known
       set began_sent = coalesce(known.began_sent, '-infinity'),
           ended_sent = case when known.ended is not null then coalesce(known.ended_sent, '-infinity') end
       from held where ${isHeld("alerts")}`,
      [node ?? null],
    );
  });
}
