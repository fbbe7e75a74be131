/** Writes candles as CSV, with all stored digits and times in ISO 8601. @module */
import type { ExportPage } from "./candle_export.ts";
import type { Output } from "./output.ts";

/** Writes candles in one format, page by page. */
export interface CandleWriter {
  write(page: ExportPage): Promise<void>;
  /** Call after the last page. */
  finish(): Promise<void>;
}

/** What the rows of a file have besides the values of candles. */
export interface ColumnChoice {
  /** Whether they name their sources instead of one exchange. */
  readonly isMerged: boolean;
  /** Whether they say, in the last column, which candles are provisional. */
  readonly isMarked: boolean;
}

/**
 * Writes CSV (RFC 4180, but with `\n` newlines). Sources of a merged candle are joined by spaces; a volume that is not known
 * is an empty field.
 */
export function csvWriter(
  output: Output,
  { field = csvField, ...choice }: ColumnChoice & { readonly field?: CsvField },
): CandleWriter {
  const encoder = new TextEncoder();
  let head = headOf(choice);
  return {
    async write({ exchange, symbol, timeframe, rows }): Promise<void> {
      const series = (exchange === null ? [symbol, timeframe] : [exchange, symbol, timeframe])
        .map(field).join(",");
      let text = head;
      head = "";
      for (const row of rows) {
        const [timeMs, ...cells] = row;
        text += `${series},${isoTime(timeMs)}`;
        for (const cell of cells) {
          text += `,${Array.isArray(cell) ? field(cell.join(" ")) : cell ?? ""}`;
        }
        text += "\n";
      }
      await output.write(encoder.encode(text));
    },
    async finish(): Promise<void> {
      if (head !== "") await output.write(encoder.encode(head));
    },
  };
}

function headOf({ isMerged, isMarked }: ColumnChoice): string {
  const names = "symbol,timeframe,time,open,high,low,close,volume,volume_base";
  const head = isMerged ? `${names},sources` : `exchange,${names}`;
  return `${head}${isMarked ? ",provisional" : ""}\n`;
}

/** `2024-01-01T00:00:00Z`, with milliseconds only if they are not zero. */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(".000Z", "Z");
}

/** Writes one field. */
export type CsvField = (text: string) => string;

/** A field, in quotes if it needs them. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What spreadsheets take for the beginning of a formula, full-width forms included; numbers are none. */
const FORMULA = /^(?![+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$)[\s\0]*[=+\-@＝＋－＠]/i;

/** The same with an apostrophe before what a spreadsheet would calculate. Other readers see the apostrophe, too. */
export function spreadsheetField(text: string): string {
  return csvField(FORMULA.test(text) ? `'${text}` : text);
}
