/** Reads the final candles of a series by columns, as a dataset's files hold them. @module */
import type { Series } from "../market/series.ts";
import type { Window } from "../market/window.ts";
import { BASE_VOLUME, unitsOf } from "./base_volume.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";

/**
 * The most candles that are read at once: a month of `1m`. The server joins each column to one text, which is several times
 * quicker than rows.
 */
export const DATASET_ROWS_MAX = 45_000;

/**
 * Candles by columns. `time` is base64 of 64-bit integers, big-endian: milliseconds. The values are open, high, low, close,
 * volume and base volume: base64 of big-endian doubles with NaN where there is none, or decimal texts joined by commas,
 * empty where there is none.
 */
export interface CandleColumns {
  readonly rows: number;
  readonly time: string;
  readonly values: readonly string[];
}

const VALUES = ["open", "high", "low", "close", "volume", "volume_base"] as const;

const READ: Readonly<Record<"double" | "exact", (name: string) => string>> = {
  double: (name) =>
    `encode(string_agg(float8send(coalesce(${name}::float8, 'NaN')), ''), 'base64')`,
  exact: (name) => `string_agg(coalesce(${name}::text, ''), ',')`,
};

/**
 * The candles of a window that will not change any more, oldest first; undefined when there are none. Times are literals for
 * the reason that lib/store/candle_pages.ts gives.
 *
 * @throws StoreError
 */
export async function readCandleColumns(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  { numbers, sinceMs, untilMs }: Window & { readonly numbers: "double" | "exact" },
): Promise<CandleColumns | undefined> {
  const literal = (ms: number): string => `'${new Date(ms).toISOString()}'::timestamptz`;
  return await database.run(
    `read candles of ${exchange} ${symbol} ${timeframe.text}`,
    async (sql) => {
      const [row] = await sql.unsafe<[number, string, ...string[]][]>(
        `select count(*)::int as rows,
                encode(string_agg(int8send((date_part('epoch', time) * 1000)::int8), ''), 'base64') as time,
                ${VALUES.map((name) => `${READ[numbers](name)} as ${name}`).join(", ")}
         from (select time, open, high, low, close, volume, ${BASE_VOLUME} as volume_base
               from ${candleTable(timeframe)} as candle ${unitsOf("$2")}
               where candle.exchange = $1 and candle.symbol = $2
                 and time >= ${literal(sinceMs)} and time < ${literal(untilMs)}
                 and not coalesce((select unsettled from checkpoints
                                   where exchange = $1 and symbol = $2 and timeframe = $3) @> time, false)
               order by time) as candle`,
        [exchange, symbol, timeframe.text],
      ).values() as unknown as readonly [number, string, ...string[]][];
      const [rows, time, ...values] = row!;
      return rows === 0 ? undefined : { rows, time, values };
    },
  );
}
