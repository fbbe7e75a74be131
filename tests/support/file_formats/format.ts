/** Real formats of files: how they are written from one truth, and what must become of them. @module */
import { D, type FileCandle, H, M, MINUTE_MS, text } from "../file_candles.ts";

export interface FileFormat {
  readonly name: string;
  /** Where its form is published. */
  readonly source: string;
  /** The file's path, as its publisher calls it. */
  readonly path: string;
  readonly bytes: string | Uint8Array;
  /** What a user may give, in turn, and what must happen. */
  readonly tries: readonly Try[];
}

export interface Try {
  readonly flags: readonly string[];
  /** What is stored: candles, or else the series with them. */
  readonly stored?: readonly FileCandle[];
  /** The series that it must be stored as, if the flags do not name it. */
  readonly as?: string;
  /** Why it is refused, with the option to give. */
  readonly refused?: RegExp;
}

export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export { D, type FileCandle, H, M, MINUTE_MS, text };

/** The flags of a series. */
export function series(
  exchange: string,
  symbol: string,
  timeframe: string,
  ...more: readonly string[]
): readonly string[] {
  return ["--exchange", exchange, "--symbol", symbol, "--timeframe", timeframe, ...more];
}

/** A file of rows, one a candle, with a head if it has one. */
export function rows(
  candles: readonly FileCandle[],
  write: (candle: FileCandle, index: number) => string,
  head?: string,
): string {
  return text(...(head === undefined ? [] : [head]), ...candles.map(write));
}

/** A time as `2024-03-01 00:00:00`, moved by a zone. */
export function local(timeMs: number, aheadMs = 0): string {
  return new Date(timeMs + aheadMs).toISOString().slice(0, 19).replace("T", " ");
}

/** A dollar contract's count of a hundred dollars each, of a candle's turnover. */
export function contracts({ q }: FileCandle, size = 100): string {
  return String(Math.max(1, Math.round(Number(q) / size)));
}

/** Candles whose volume is another of their values. */
export function withVolume(
  candles: readonly FileCandle[],
  volume: (candle: FileCandle) => string,
): readonly FileCandle[] {
  return candles.map((candle) => ({ ...candle, v: volume(candle) }));
}
