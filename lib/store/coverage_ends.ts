/** How far series are covered, without reading all that is. @module */
import { parseTimeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";
import type { Checkpoint } from "./ledger.ts";

/** The end of a series' coverage. */
export interface CoverageEnd extends Pick<Checkpoint, "series" | "chosen"> {
  /** End of the newest covered range. Milliseconds. */
  readonly coveredUntilMs: number;
}

/**
 * The ends of coverage of all series that have any and whose market has not ended. Reads each row once, however many
 * ranges its coverage has.
 */
export async function readCoverageEnds(database: Database): Promise<readonly CoverageEnd[]> {
  return await database.run("read the ends of coverage", async (sql) => {
    const rows = await sql<CoverageEndRow[]>`
      select exchange, symbol, timeframe, chosen, upper(covered) as until from checkpoints
      where not isempty(covered) and ended_at is null order by exchange, symbol, timeframe`;
    return rows.map((row) => ({
      series: { ...row, timeframe: parseTimeframe(row.timeframe) },
      chosen: row.chosen,
      coveredUntilMs: row.until.getTime(),
    }));
  });
}

interface CoverageEndRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly chosen: Checkpoint["chosen"];
  readonly until: Date;
}
