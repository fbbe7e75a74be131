/** Records the result of asking for gaps: they are filled, get a reason, or stay open. @module */
import type { GapState } from "../market/gap.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Database } from "./connection/database.ts";
import { columns } from "./parameters.ts";

/** One gap that was asked for. */
export interface GapNote {
  readonly sinceMs: number;
  readonly nextTryMs: number;
  /** True if the exchange answered for the whole gap. If false, the attempt does not count. */
  readonly isAnswered: boolean;
  /** True if the gap may get a reason that other evidence proves. */
  readonly isProvable: boolean;
  /** True if the gap must get a reason when it is still empty. */
  readonly isConclusive: boolean;
}

const NOTES = columns<GapNote>({
  since_ms: ["float8", ({ sinceMs }) => sinceMs],
  next_ms: ["float8", ({ nextTryMs }) => nextTryMs],
  answered: ["boolean", ({ isAnswered }) => isAnswered],
  provable: ["boolean", ({ isProvable }) => isProvable],
  conclusive: ["boolean", ({ isConclusive }) => isConclusive],
});

const STATEMENT = `
select titan10_note_gaps($3::text, $1::text, $2::text, to_timestamp($4::float8 / 1000.0),
                         ${NOTES.parameters(5)}) as state`;

/**
 * Records one attempt for gaps of a series. Filled gaps are closed, the others may get a reason. A gap whose parts have different reasons is split. The rules are in the function `titan10_note_gaps`.
 *
 * @returns the states of the gaps.
 */
export async function noteGapsAsked(
  database: Database,
  series: Series,
  { notes, nowMs }: {
    readonly notes: readonly GapNote[];
    readonly nowMs: number;
  },
): Promise<readonly GapState[]> {
  const { exchange, symbol, timeframe } = series;
  // A gap of years has millions of candles, and each is looked up.
  return await database.runLong(`note an ask for gaps of ${seriesName(series)}`, async (sql) => {
    const rows = await sql.unsafe<{ state: GapState }[]>(
      STATEMENT,
      [exchange, symbol, timeframe.text, nowMs, ...NOTES.arrays(notes)],
      { prepare: true },
    );
    return rows.map(({ state }) => state);
  });
}
