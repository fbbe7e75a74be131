/** Finds out how a file of candles is to be read: by its names, by its source, by its rows, or by what the user says. @module */
import type { CsvColumns } from "../market/csv_candle.ts";
import { readColumns } from "../market/csv_candle.ts";
import { type NumberStyle } from "../market/csv_number.ts";
import { PLAIN_TIMES, type TimeFormat } from "../market/csv_time_format.ts";
import { ODD } from "../market/csv_layout.ts";
import { priceOf } from "../market/price.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import type { VolumeUnit } from "../market/terms.ts";
import { fixedZone, type TimeZone } from "../market/time_zone.ts";
import { printable } from "../text/printable.ts";
import { type FileHead, type FirstLine, namedColumns, readFirstLine } from "./file_head.ts";
import type { LineFile } from "./file_lines.ts";
import type { RowFormat } from "./file_rows.ts";
import { type FileSource, layoutsOf, readSource } from "./file_source.ts";
import { type Claim, type Survey, survey } from "./file_survey.ts";
import {
  EXAMPLE,
  namedVolume,
  type ReadVolume,
  type Refuse,
  unnamedColumns,
} from "./file_columns.ts";
import type { NameTemplate } from "./name_template.ts";
import type { Layout, Preset } from "./presets/preset.ts";
import { PRESETS } from "./presets/presets.ts";

/** What the user says of how a file is written. */
export interface FormatOptions {
  /** Where the file is from, by the name of a preset. */
  readonly preset?: string | undefined;
  /** What file names say. */
  readonly nameTemplate?: NameTemplate | undefined;
  /** Names of the columns, instead of the file's. */
  readonly columns?: readonly string[] | undefined;
  readonly timeFormat?: TimeFormat | undefined;
  /** Of times that name none. */
  readonly zone?: TimeZone | undefined;
  /** Whether a time is that of the candle's open or of its close. @default "open" */
  readonly timeIs?: "open" | "close" | undefined;
  /** The decimal mark; then the other one may separate thousands. */
  readonly decimal?: "." | "," | undefined;
  readonly delimiter?: string | undefined;
  /** Lines before the head. @default 0 */
  readonly skipLines?: number | undefined;
  /** What the volume in the file counts. */
  readonly volumeUnit?: VolumeUnit | undefined;
}

export interface FileFormat extends RowFormat {
  readonly source: FileSource;
  readonly timeIs: "open" | "close";
  /** What the volume counts, as far as it is known. */
  readonly volume: ReadVolume;
  /** The last line, if it may have been cut within a value; it is left out. */
  readonly cutLine: number | undefined;
}

/** What is known of the series, beside the file. */
interface Meant {
  readonly exchange: string | undefined;
  readonly symbol: string | undefined;
}

/**
 * Reads a whole file to learn its format.
 *
 * @throws Error when the rows allow more than one reading, or contradict what the file's source or the user says.
 */
export async function readFormat(
  file: LineFile,
  options: FormatOptions & Partial<Meant>,
): Promise<FileFormat> {
  const refuse: Refuse = (why) => {
    throw new Error(`Cannot read ${printable(file.path)}: ${printable(why)}. Nothing was stored`);
  };
  const first = await readFirstLine(file, options);
  const source = readSource(file, first, options);
  const symbol = options.symbol ?? source.names.symbol;
  const meant = { exchange: options.exchange ?? source.preset?.exchange, symbol };
  const renamed = source.preset?.renamed;
  const timeIs = options.timeIs;
  const columns = namedColumns(file, first, { columns: options.columns, symbol, renamed, timeIs });
  const head = { ...first, columns };
  const numbers: NumberStyle | undefined = options.decimal === undefined
    ? undefined
    : { decimal: options.decimal, hasThousands: true };
  const { timeFormat = PLAIN_TIMES } = options;
  const found = await survey(file, {
    head,
    numbers,
    timeFormat,
    claims: (width) => claimsOf(source, { width, symbol }),
    isClaimed: source.preset !== undefined,
  });
  if (found.rows === 0) return refuse("it has no rows");
  if (typeof found.numbers === "string") {
    const example = found.numbers || "1,234";
    return refuse(
      `${example} in it may mean ${
        readings(example)
      }. Write numbers with a decimal point, or say the decimal ` +
        "mark with --decimal . or --decimal ,",
    );
  }
  const read = columns === undefined
    ? rowColumns({ found, source, first, meant, options }, refuse)
    : headColumns({ found, source, head, columns, meant, options }, refuse);
  const { values } = read.columns;
  const isCut = found.last !== undefined && !found.last.isEnded &&
    [
      ...values,
      read.columns.time,
      read.columns.confirm,
      read.columns.provisional,
      read.columns.closeTime,
    ]
      .includes(found.width - 1) &&
    !found.isLastWhole;
  const presetZone = source.names.zoneMs ?? source.preset?.zoneMs;
  return {
    head: { ...head, instrument: head.instrument ?? file.instrument?.() },
    ...read,
    source,
    timeIs: timeIs ?? "open",
    numbers: found.numbers,
    timeFormat,
    zone: options.zone ??
      (presetZone === undefined ? undefined : fixedZone(zoneName(presetZone), presetZone)),
    cutLine: isCut ? found.last!.number : undefined,
  };
}

/** Of a source's zone, which is one of whole hours. */
function zoneName(aheadMs: number): string {
  return aheadMs === 0 ? "UTC" : `UTC+${aheadMs / 3_600_000}`;
}

/** What a number with a comma may mean. */
function readings(text: string): string {
  return /^\d+,\d+$/.test(text)
    ? `${text.replace(",", ".")} or ${text.replace(",", "")}`
    : "a number with marks between thousands, or with another decimal mark";
}

interface Read {
  readonly columns: CsvColumns;
  readonly volume: ReadVolume;
}

/** Columns by their names, or by the user's. */
function headColumns(
  { found, source, head, columns, meant, options }: {
    readonly found: Survey;
    readonly source: FileSource;
    readonly head: FileHead;
    readonly columns: CsvColumns;
    readonly meant: Meant;
    readonly options: FormatOptions;
  },
  refuse: Refuse,
): Read {
  const [claim] = found.claims;
  checkOrder(claim!, meant, refuse);
  const volume = namedVolume(
    { head, columns, proof: claim!.volumes },
    {
      ...meant,
      unit: options.volumeUnit,
      preset: source.preset,
      isGiven: options.columns !== undefined,
      refuse,
    },
  );
  return { columns: { ...columns, values: columns.values.with(4, volume.at) }, volume };
}

/** Columns of rows without names: those of the source, or else those that the rows prove. */
function rowColumns(
  { found, source, first, meant, options }: {
    readonly found: Survey;
    readonly source: FileSource;
    readonly first: FirstLine;
    readonly meant: Meant;
    readonly options: FormatOptions;
  },
  refuse: Refuse,
): Read {
  const { preset, isAsked } = source;
  const fitting = preset === undefined
    ? []
    : found.claims.filter(({ order }) => order.fits && !order.isExchanged);
  if (preset !== undefined) {
    const layouts = layoutsOf(preset, { width: found.width, kind: kindIn(meant.symbol) });
    if (layouts.length === 0 && isAsked) {
      refuse(
        `it has no head and ${found.width} columns; files of ${preset.name} have ${
          [...new Set((preset.layouts ?? []).map(({ columns }) => columns.length))].join(" or ") ||
          "a head"
        }. Leave --preset out and name the columns with ${EXAMPLE}`,
      );
    }
    const [claim] = distinct(fitting);
    if (layouts.length > 0 && claim === undefined) {
      refuseLayouts(preset, { layouts, hasClaims: found.claims.length > 0 }, refuse);
    }
    if (claim !== undefined && distinct(fitting).length === 1) {
      checkOrder(claim, meant, refuse);
      const volume = namedVolume(
        {
          head: { ...first, columns: claim.columns },
          columns: claim.columns,
          proof: claim.volumes,
        },
        { ...meant, unit: options.volumeUnit, preset, isGiven: false, refuse },
      );
      return {
        columns: { ...claim.columns, values: claim.columns.values.with(4, volume.at) },
        volume,
      };
    }
  }
  const columns = unnamedColumns(found, meant, { refuse, presets: presetsOf(found, meant) });
  const unit = options.volumeUnit ?? found.volumes.unitOf(columns.values[4]!);
  return {
    columns,
    volume: {
      at: columns.values[4]!,
      unit,
      isProved: options.volumeUnit === undefined && unit !== undefined,
    },
  };
}

/** @throws Error always: none of a source's columns is what the rows allow. */
function refuseLayouts(
  preset: Preset,
  { layouts, hasClaims }: { readonly layouts: readonly Layout[]; readonly hasClaims: boolean },
  refuse: Refuse,
): never {
  const lacking = layouts.find(({ columns }) => !columns.includes("volume"));
  if (lacking !== undefined && !hasClaims) {
    const [unit] = lacking.columns.filter((name) => !LAYOUT_PRICES.has(name));
    refuse(
      `the base volume is not among its columns if they are ${
        lacking.columns.join(", ")
      }, as ${preset.name} ` +
        `writes them. To take the ${unit} as volume: --columns ${
          lacking.columns.map((name) => name === unit ? "volume" : name).join(",")
        }`,
    );
  }
  return refuse(
    `its rows contradict the columns of ${preset.name}, ${layouts[0]!.columns.join(", ")}. ` +
      `Name them with ${EXAMPLE}`,
  );
}

const LAYOUT_PRICES = new Set(["date", "time", "open", "high", "low", "close"]);

/** Claims of which no two read a row alike. */
function distinct(claims: readonly Claim[]): readonly Claim[] {
  const seen = new Map(claims.map((claim) => [claim.columns.values.join(), claim]));
  return [...seen.values()];
}

/** @throws Error when the rows prove that the columns of open and close are exchanged. */
function checkOrder({ order, counts, columns }: Claim, { symbol }: Meant, refuse: Refuse): void {
  if (counts.broken !== undefined) {
    refuse(
      `its column ${
        counts.broken + 1
      } does not count trades: it has fractions. Name the columns with ${EXAMPLE}`,
    );
  }
  // A premium is a small difference, which may double within a minute. What was exported was stored, however odd.
  if (order.isOdd && columns.isOwn !== true && priceOf(symbol ?? "") !== "premium") {
    refuse(`${ODD}. Name the columns with ${EXAMPLE}`);
  }
  if (order.fits && order.isExchanged) {
    refuse(
      "its rows prove that the column of the open holds the close, and that of the close the open. " +
        `Name the columns with ${EXAMPLE}`,
    );
  }
}

/** The columns that a source may have for rows without names. */
function claimsOf(
  { preset }: FileSource,
  { width, symbol }: { readonly width: number; readonly symbol: string | undefined },
): readonly CsvColumns[] {
  const kind = kindIn(symbol);
  const presets = preset === undefined ? PRESETS : [preset];
  return presets.flatMap((one) => layoutsOf(one, { width, kind }))
    .filter(({ columns }) => columns.includes("volume"))
    .map(({ columns }) => readColumns(columns, symbol));
}

/** The presets whose columns the rows allow, for messages. */
function presetsOf(found: Survey, { exchange, symbol }: Meant): readonly string[] {
  const kind = kindIn(symbol);
  const allowed = new Set(
    found.claims.filter(({ order }) => order.fits && !order.isExchanged)
      .filter(({ columns }) => columns.values.every((at) => !found.words.has(at)))
      .map(({ columns }) => columns.values.join()),
  );
  return PRESETS.filter((preset) =>
    (exchange === undefined || preset.exchange === undefined || preset.exchange === exchange) &&
    (kind === undefined || preset.kinds?.includes(kind) !== false) &&
    layoutsOf(preset, { width: found.width, kind }).some(({ columns }) =>
      columns.includes("volume") && allowed.has(readColumns(columns, symbol).values.join())
    )
  ).map(({ name }) => name);
}

function kindIn(symbol: string | undefined): SymbolKind | undefined {
  return symbol === undefined ? undefined : kindOf(symbol);
}
