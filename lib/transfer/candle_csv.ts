/** Writes candles as CSV, with all stored digits and times in ISO 8601. @module */
import type { ExportPage } from "./candle_export.ts";
import type { Output } from "./output.ts";

/** Writes candles in one format, page by page. */
export interface CandleWriter {
  write(page: ExportPage): Promise<void>;
  /** Call after the last page. */
  finish(): Promise<void>;
}

const HEAD = "exchange,symbol,timeframe,time,open,high,low,close,volume";
const MERGED_HEAD = "symbol,timeframe,time,open,high,low,close,volume,sources";

/** Writes CSV (RFC 4180, but with `\n` newlines). Sources of a merged candle are joined by spaces. */
export function csvWriter(
  output: Output,
  { isMerged }: { readonly isMerged: boolean },
): CandleWriter {
  const encoder = new TextEncoder();
  let head = `${isMerged ? MERGED_HEAD : HEAD}\n`;
  return {
    async write({ exchange, symbol, timeframe, rows }): Promise<void> {
      const series = (exchange === null ? [symbol, timeframe] : [exchange, symbol, timeframe])
        .map(csvField).join(",");
      let text = head;
      head = "";
      for (const [timeMs, open, high, low, close, volume, sources] of rows) {
        const end = sources === undefined ? "" : `,${csvField(sources.join(" "))}`;
        text += `${series},${isoTime(timeMs)},${open},${high},${low},${close},${volume}${end}\n`;
      }
      await output.write(encoder.encode(text));
    },
    async finish(): Promise<void> {
      if (head !== "") await output.write(encoder.encode(head));
    },
  };
}

/** `2024-01-01T00:00:00Z`, with milliseconds only if they are not zero. */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(".000Z", "Z");
}

/** A field, in quotes if it needs them. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
