/** Reads what files say of candles that are stored with other values. @module */
import type { Candle } from "../market/candle.ts";
import type { Database } from "./connection/database.ts";

/** The first candles of an import that were not stored because others are. */
export async function readConflicts(
  database: Database,
  importId: string,
  countMax: number,
): Promise<readonly Candle[]> {
  return await database.run("read the conflicts of an import", async (sql) => {
    const rows = await sql.unsafe<ConflictRow[]>(
      `select (extract(epoch from time) * 1000)::float8 as time_ms, open::text, high::text, low::text, close::text,
              volume::text
       from import_conflicts
       where (exchange, symbol, timeframe) =
               (select exchange, symbol, timeframe from imports where id = $1::bigint)
         and import_id = $1::bigint
       order by time limit $2::int`,
      [importId, countMax],
    );
    return rows.map(({ time_ms, ...values }) => ({ openTimeMs: time_ms, ...values }));
  });
}

interface ConflictRow extends Omit<Candle, "openTimeMs"> {
  readonly time_ms: number;
}
