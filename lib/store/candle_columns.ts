/** The columns of a candle, for statements that write candles. @module */
import type { Candle, RejectedCandle } from "../market/candle.ts";
import { textAround } from "../text/redact.ts";
import { columns } from "./parameters.ts";

const VALUE_NAMES = ["open", "high", "low", "close", "volume"] as const;

/** Candles as statement parameters. */
export const CANDLES = columns<Candle>({
  time_ms: ["float8", ({ openTimeMs }) => openTimeMs],
  open: ["numeric", ({ open }) => open],
  high: ["numeric", ({ high }) => high],
  low: ["numeric", ({ low }) => low],
  close: ["numeric", ({ close }) => close],
  volume: ["numeric", ({ volume }) => volume],
});

/** Rejected rows as statement parameters. */
export const REJECTED = columns<RejectedCandle>({
  answered: ["text", ({ row }) => row],
  reason: ["text", ({ reason }) => reason],
  time_ms: ["float8", ({ openTimeMs }) => openTimeMs],
});

/**
 * Locks the row of the series `$1 $2 $3`, and counts it. Every statement does so before it writes candles: else two that
 * meet would wait for each other. Where nothing is read of what was inserted, PostgreSQL writes that row first by itself.
 */
export const LOCK_SERIES = `(select count(*) from (
  select from checkpoints where exchange = $1::text and symbol = $2::text and timeframe = $3::text for update
) as series)`;

/** The longest text of a row that is stored. */
const STORED_ROW_MAX = 500;

/**
 * Rows as they are stored: without secrets, which an exchange may repeat, and each once, because one statement cannot
 * update the same row of `rejected_candles` twice.
 */
export function storableRows(rejected: readonly RejectedCandle[]): readonly RejectedCandle[] {
  const rows = rejected.map((candle) => ({
    ...candle,
    row: textAround(candle.row, 0, STORED_ROW_MAX),
  }));
  return [...new Map(rows.map((candle) => [candle.row, candle])).values()];
}

/** `open, high, low, close, volume`. */
export const VALUES = VALUE_NAMES.join(", ");

/**
 * Selects the candles of a page. Its parameters begin at `first`; `from` is an optional FROM clause that is read before
 * them.
 */
export function pageRows(first: number, from = ""): string {
  return `select to_timestamp(time_ms / 1000.0) as time, ${VALUES}
  from (select ${CANDLES.list(first)} ${from}) as row`;
}

/** The value columns of a row: `stored.open, stored.high, …`. */
export function valuesOf(row: string): string {
  return VALUE_NAMES.map((name) => `${row}.${name}`).join(", ");
}

/** `open = excluded.open, …`, to update rows that exist already. */
export const REPLACED_VALUES = VALUE_NAMES.map((name) => `${name} = excluded.${name}`).join(", ");

/** The sums of the value columns, without trailing zeros. */
export const VALUE_SUMS = VALUE_NAMES.map((name) => `trim_scale(sum(${name}))`).join(", ");
