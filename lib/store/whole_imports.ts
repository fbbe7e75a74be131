/** Which files were imported as a whole, so that the same command need not store them again. @module */
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import type { Database } from "./connection/database.ts";
import { columns } from "./parameters.ts";

/** A file's bytes, and how they are read. */
interface ReadFile {
  /** Hexadecimal. */
  readonly sha256: string;
  /** All that decides what comes of the bytes. */
  readonly options: ImportOutcomeOptions;
}

/** JSON of texts, numbers and flags. */
export type ImportOutcomeOptions = Readonly<Record<string, unknown>> & {
  readonly replace: boolean;
};

const SERIES = columns<Series>({
  exchange: ["text", ({ exchange }) => exchange],
  symbol: ["text", ({ symbol }) => symbol],
  timeframe: ["text", ({ timeframe }) => timeframe.text],
});

const IDS = columns<string>({ id: ["bigint", (id) => id] });

/** Records that files were imported as a whole. */
export async function noteWholeImports(
  database: Database,
  ids: readonly string[],
  { options, mayGrow }: {
    readonly options: ImportOutcomeOptions;
    /** Whether a later import of the same file may store more. */
    readonly mayGrow: boolean;
  },
): Promise<void> {
  await database.run("enter a whole import", async (sql) => {
    await sql.unsafe(
      `update imports set options = $1::text::jsonb, may_grow = $2::boolean
       where id in (select id from ${IDS.rows(3)})`,
      [JSON.stringify(options), mayGrow, ...IDS.arrays(ids)],
    );
  });
}

/**
 * Of which of these series an import of the same file brought all that it can bring, and all of that is covered still. With
 * `replace`, only if no candle of the series was revised since: the file's values would be stored again.
 */
export async function wholeImports(
  database: Database,
  series: readonly Series[],
  { sha256, options }: ReadFile,
): Promise<readonly Series[]> {
  return await database.run("look for earlier imports", async (sql) => {
    const rows = await sql.unsafe<
      { exchange: string; symbol: string; timeframe: string }[]
    >(
      `select distinct exchange, symbol, timeframe
       from ${SERIES.rows(3)} join imports as import using (exchange, symbol, timeframe)
         join checkpoints as checkpoint using (exchange, symbol, timeframe)
       where import.sha256 = $1::text and import.options = $2::text::jsonb
         and import.ended is not null and not import.may_grow
         and import.claimed <@ checkpoint.covered
         and not ((import.options ->> 'replace')::boolean and exists (
           select from candle_revisions as revision
           where revision.exchange = import.exchange and revision.symbol = import.symbol
             and revision.timeframe = import.timeframe and revision.revised_at >= import.began
             and revision.import_id is distinct from import.id))`,
      [sha256, JSON.stringify(options), ...SERIES.arrays(series)],
    );
    const found = new Set(
      rows.map((row) => seriesName({ ...row, timeframe: parseTimeframe(row.timeframe) })),
    );
    return series.filter((one) => found.has(seriesName(one)));
  });
}
