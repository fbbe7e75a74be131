/** The columns of a candle, in statements that write candles. @module */
import type { Candle, RejectedCandle } from "../market/candle.ts";
import { columns } from "./parameters.ts";

const VALUE_NAMES = ["open", "high", "low", "close", "volume"] as const;

/** Candles as they travel. */
export const CANDLES = columns<Candle>({
  time_ms: ["float8", ({ openTimeMs }) => openTimeMs],
  open: ["numeric", ({ open }) => open],
  high: ["numeric", ({ high }) => high],
  low: ["numeric", ({ low }) => low],
  close: ["numeric", ({ close }) => close],
  volume: ["numeric", ({ volume }) => volume],
});

/** Rows that came and failed the checks, as they travel. */
export const REJECTED = columns<RejectedCandle>({
  answered: ["text", ({ row }) => row],
  reason: ["text", ({ reason }) => reason],
  time_ms: ["float8", ({ openTimeMs }) => openTimeMs],
});

/** `open, high, low, close, volume`. */
export const VALUES = VALUE_NAMES.join(", ");

/** The candles of a page, whose parameters begin at `first`; `from` is what is read before them. */
export function pageRows(first: number, from = ""): string {
  return `select to_timestamp(time_ms / 1000.0) as time, ${VALUES}
  from (select ${CANDLES.list(first)} ${from}) as row`;
}

/** Those of a row: `stored.open, stored.high, …`. */
export function valuesOf(row: string): string {
  return VALUE_NAMES.map((name) => `${row}.${name}`).join(", ");
}

/** `open = excluded.open, …`, for rows that are there already. */
export const REPLACED_VALUES = VALUE_NAMES.map((name) => `${name} = excluded.${name}`).join(", ");

/** Their sums, without zeros at the end that say nothing. */
export const VALUE_SUMS = VALUE_NAMES.map((name) => `trim_scale(sum(${name}))`).join(", ");
