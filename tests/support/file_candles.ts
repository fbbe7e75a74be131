/** Candles of files that tests make, and how such files are written. @module */

export const MINUTE_MS = 60_000;
export const BEGIN_MS = Date.UTC(2024, 2, 1);

export interface FileCandle {
  readonly t: number;
  readonly o: string;
  readonly h: string;
  readonly l: string;
  readonly c: string;
  readonly v: string;
  /** Turnover in the quote currency. */
  readonly q: string;
}

/** Candles whose opens are the closes before. */
export function candles(count: number, stepMs = MINUTE_MS, price = 400): readonly FileCandle[] {
  let last = price;
  return Array.from({ length: count }, (_, n) => {
    const open = last;
    const close = open + ((n * 7919) % 13 - 6) / 4 + 0.25;
    last = close;
    const volume = 1 + (n * 31) % 17 + 0.125;
    return {
      t: BEGIN_MS + n * stepMs,
      o: open.toFixed(2),
      h: (Math.max(open, close) + 0.5).toFixed(2),
      l: (Math.min(open, close) - 0.75).toFixed(2),
      c: close.toFixed(2),
      v: volume.toFixed(3),
      q: (volume * (open + close) / 2).toFixed(4),
    };
  });
}

export const M = candles(60);
export const H = candles(48, 60 * MINUTE_MS);
export const D = candles(40, 1440 * MINUTE_MS);
export const PLAIN = "time,open,high,low,close,volume";
export const plain = ({ t, o, h, l, c, v }: FileCandle): string => [t, o, h, l, c, v].join();
export const binance = (row: FileCandle, stepMs: number): string =>
  `${plain(row)},${row.t + stepMs - 1},${row.q},17,${row.v},${row.q},0`;
export const text = (...lines: readonly string[]): string => lines.join("\n") + "\n";
export const day = (t: number): string => new Date(t).toISOString().slice(0, 10);
export const clock = (t: number): string => new Date(t).toISOString().slice(11, 16);

/** With a byte order mark. */
export function utf16(content: string): Uint8Array {
  const codes = Uint16Array.from(`\uFEFF${content}`, (character) => character.charCodeAt(0));
  return new Uint8Array(codes.buffer);
}
