/** Rows of a file that belong together, and what speaks against them: other names, another time, another unit of volume. @module */
import { volumeUnit } from "../exchange/volume_units.ts";
import { csvFields } from "../market/csv_candle.ts";
import { isOtherCoin, kindInWords } from "../market/instrument.ts";
import { priceOf } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import { kindOf } from "../market/symbol.ts";
import { printable } from "../text/printable.ts";
import type { FileFormat } from "./file_format.ts";
import type { LineFile } from "./file_lines.ts";
import type { RowNames } from "./file_series.ts";
import { nameContradiction } from "./file_source.ts";
import type { Spacing } from "./row_spacing.ts";
import type { SeriesEvidence } from "./series_evidence.ts";

/** Rows with the same names. */
export interface Group {
  readonly names: RowNames;
  readonly series: Series;
  readonly isMeant: boolean;
  /** Whether its prices are those of trades. */
  readonly isTraded: boolean;
  readonly evidence: SeriesEvidence;
  readonly spacing: Spacing;
  /** What columns say that a file of one series has once. */
  readonly constants: Map<number, string>;
  /** Of the last candle, when it had not closed. */
  openMs: number | undefined;
}

/** Columns that must not change: those with a known name, and texts that nobody knows. */
export function constantColumns({ head, columns }: FileFormat): readonly number[] {
  const { exchange, instrument, timeframe, time, clock, closeTime, confirm, provisional } = columns;
  const known = [exchange, ...instrument, timeframe, time, clock, closeTime, confirm, provisional]
    .concat(columns.values);
  const names = head.text === undefined ? [] : csvFields(head.text, head.separator);
  return Array.from({ length: columns.width }, (_, at) => at)
    .filter((at) =>
      !known.includes(at) && !/time|date|source|day|comment|note/i.test(names[at] ?? "")
    );
}

export function checkConstant(
  { constants, evidence, series }: Group,
  { at, own, line, format }: {
    readonly at: number;
    /** What the row says there. */
    readonly own: string;
    readonly line: number;
    readonly format: FileFormat;
  },
): void {
  // Nearly all are numbers, which say nothing here.
  const isNumber = own.charCodeAt(0) >= 48 && own.charCodeAt(0) <= 57;
  if (isNumber && !format.columns.constant.includes(at)) return;
  const text = own.trim();
  if (!format.columns.constant.includes(at) && !/^\p{L}[\p{L}\p{N}]*[^\s]*$/u.test(text)) return;
  if (/^(?:nan|null|none|n\/?a|inf|true|false)$/i.test(text)) return;
  const known = constants.get(at);
  const coin = coinOf(format, at, series);
  if (coin !== undefined && isOtherCoin(text, coin)) {
    evidence.doubt(
      `${evidence.place(line)} is of ${
        printable(JSON.stringify(text.slice(0, 40)))
      }, not of ${coin}`,
    );
  }
  if (known === undefined) {
    constants.set(at, text);
    const other = contradiction(text, { at, format, series });
    if (other !== undefined) evidence.doubt(`${evidence.place(line)} ${other}`);
  } else if (known !== text) {
    evidence.doubt(
      `column ${at + 1} says ${printable(JSON.stringify(known.slice(0, 40)))} and, in ` +
        `${evidence.place(line)}, ${printable(JSON.stringify(text.slice(0, 40)))}: ` +
        "the file holds several instruments. Leave the rows of one",
    );
  }
}

/** Columns that say what is traded, or of what the prices are: `category`, `market_type`, `price_type`. */
const SAYS_KIND = /(?:type|category|kind)$/i;

/** Why what such a column says is not of the series; undefined if it may be. */
function contradiction(
  text: string,
  { at, format: { head }, series: { symbol } }: {
    readonly at: number;
    readonly format: FileFormat;
    readonly series: Series;
  },
): string | undefined {
  const name = head.text === undefined ? "" : csvFields(head.text, head.separator)[at]!.trim();
  if (!SAYS_KIND.test(name)) return undefined;
  const [, price] = /^(mark|index|premium)(?:[ _-]?(?:price|index))?$/i.exec(text) ?? [];
  if (price !== undefined && price.toLowerCase() !== priceOf(symbol)) {
    return `is of the ${price.toLowerCase()} price: its symbol ends with @${price.toLowerCase()}`;
  }
  const kind = kindInWords(text);
  if (kind === undefined || (kind === "spot") === (kindOf(symbol) === "spot")) return undefined;
  return `says ${printable(text.slice(0, 40))}, and ${symbol} is a symbol of ` +
    `${kind === "spot" ? "a contract" : "a spot market"}. Give the right one with --symbol`;
}

/** The base or quote that a column should name, if it is one that names one. */
function coinOf({ columns }: FileFormat, at: number, { symbol }: Series): string | undefined {
  const [base, rest = ""] = symbol.split("/");
  if (columns.base === at) return base;
  return columns.quote === at ? rest.split(":")[0] : undefined;
}

/** @throws Error when the file's name is of another series. */
export function checkName(
  file: LineFile,
  { source }: FileFormat,
  { series, knownExchanges }: {
    readonly series: Series;
    readonly knownExchanges: readonly string[];
  },
): void {
  const why = nameContradiction(source, series, knownExchanges);
  if (why === undefined) return;
  throw new Error(
    `Cannot import candles of ${printable(seriesName(series))} from ${
      printable(file.path)
    }: ${why}. ` +
      "If that is wrong, --name '{any}' leaves names of files aside. Nothing was stored",
  );
}

export function checkSpan(
  { evidence }: Group,
  { line, timeMs, format }: {
    readonly line: number;
    readonly timeMs: number;
    readonly format: FileFormat;
  },
): void {
  const { span } = format.source.names;
  if (span === undefined || (timeMs >= span.sinceMs && timeMs < span.untilMs)) return;
  evidence.doubt(
    `${evidence.place(line)} opens at ${
      new Date(timeMs).toISOString()
    }, which is not of the day or the month in ` +
      "the file's name. If the name is wrong, --name '{any}' leaves names of files aside",
  );
}

/** @throws Error when the volume counts something else than the exchange's own. */
export function checkVolume(file: LineFile, { volume }: FileFormat, series: Series): void {
  const { exchange, symbol } = series;
  if (priceOf(symbol) !== "trade" || volume.unit === "stored") return;
  const own = volumeUnit(exchange, kindOf(symbol));
  if (volume.unit === own || own === undefined && volume.unit !== "quote") return;
  if (volume.unit === undefined && own === "base") return;
  const counts = volume.unit === undefined
    ? "nothing says what its volume counts"
    : `its volume counts ${UNIT_WORDS[volume.unit]}`;
  throw new Error(
    `Cannot import candles of ${printable(seriesName(series))} from ${
      printable(file.path)
    }: ${counts}, and volumes of these candles count ${
      UNIT_WORDS[own ?? "base"]
    }, as those of the exchange. ` +
      "One cannot be worked out exactly from the other. Name the column of the right one with --columns, or say what " +
      `it counts with --volume-unit ${own ?? "base"}. Nothing was stored`,
  );
}

const UNIT_WORDS = {
  base: "the base currency",
  quote: "the quote currency",
  contracts: "contracts",
} as const;
