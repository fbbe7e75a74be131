/** Records the result of asking for gaps: they are filled, get a reason, or stay open. @module */
import type { GapState } from "../market/gap.ts";
import { type Series, seriesName } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import { candleTable } from "./candle_table.ts";
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
                         to_timestamp($5::float8 / 1000.0), to_timestamp($6::float8 / 1000.0),
                         ${NOTES.parameters(7)}) as state`;

/**
 * Records one attempt for all gaps of a series in a window. Filled gaps are closed. Gaps that were asked for may get a
 * reason. A gap whose parts have different reasons is split. The rules are in the function `titan10_note_gaps`.
 *
 * @returns the states of the gaps that were asked for.
 */
export async function noteGapsAsked(
  database: Database,
  series: Series,
  { window, notes, nowMs }: {
    readonly window: Window;
    readonly notes: readonly GapNote[];
    readonly nowMs: number;
  },
): Promise<readonly GapState[]> {
  const { exchange, symbol, timeframe } = series;
  const { sinceMs, untilMs } = window;
  // A gap of years has millions of candles, and each is looked up.
  return await database.runLong(`note an ask for gaps of ${seriesName(series)}`, async (sql) => {
    const rows = await sql.unsafe<{ state: GapState }[]>(
      STATEMENT,
      [exchange, symbol, timeframe.text, sinceMs, untilMs, nowMs, ...NOTES.arrays(notes)],
      { prepare: true },
    );
    return rows.map(({ state }) => state);
  });
}

/**
 * Enters the gap of a covered candle that came and was rejected, whenever it was asked for. It is not looked for again: it
 * counts as looked through. A candle that is there after all, is in another gap or was looked for meanwhile gets none.
 */
export async function noteRejected(
  database: Database,
  series: Series,
  { window, nowMs }: { readonly window: Window; readonly nowMs: number },
): Promise<void> {
  const { exchange, symbol, timeframe } = series;
  await database.run(`note a rejected candle of ${seriesName(series)}`, async (sql) => {
    await sql.unsafe(
      `with looked as (
         update checkpoints set scanned = scanned + tstzmultirange(tstzrange(
           to_timestamp($4::float8 / 1000.0), to_timestamp($5::float8 / 1000.0)))
         where exchange = $1::text and symbol = $2::text and timeframe = $3::text
           and covered @> to_timestamp($4::float8 / 1000.0)
           and not scanned @> to_timestamp($4::float8 / 1000.0)
           and not exists (select from ${candleTable(timeframe)} as candle
                           where candle.exchange = $1::text and candle.symbol = $2::text
                             and candle.time = to_timestamp($4::float8 / 1000.0))
           and not exists (select from gaps as gap
                           where gap.exchange = $1::text and gap.symbol = $2::text
                             and gap.timeframe = $3::text and gap.state <> 'filled'
                             and gap.since < to_timestamp($5::float8 / 1000.0)
                             and gap.until > to_timestamp($4::float8 / 1000.0))
         returning exchange
       )
       insert into gaps (exchange, symbol, timeframe, since, until, state, missing, attempts,
                         first_seen, last_try, next_try)
       select $1::text, $2::text, $3::text, to_timestamp($4::float8 / 1000.0),
              to_timestamp($5::float8 / 1000.0), 'rejected', 1, 2, to_timestamp($6::float8 / 1000.0),
              to_timestamp($6::float8 / 1000.0), to_timestamp($6::float8 / 1000.0)
       from looked
       on conflict (exchange, symbol, timeframe, since) do update
       set until = excluded.until, state = excluded.state, missing = excluded.missing,
           last_try = excluded.last_try
       where gaps.state = 'filled'`,
      [exchange, symbol, timeframe.text, window.sinceMs, window.untilMs, nowMs],
      { prepare: true },
    );
  });
}
