/** Writes candles as Parquet for pandas, Polars and DuckDB, one row group at a time. @module */
import type { ParquetWriter } from "hyparquet-writer";
import type { ExportPage } from "./candle_export.ts";
import type { CandleWriter, ColumnChoice } from "./candle_csv.ts";
import { isoTime } from "./candle_csv.ts";
import type { Output } from "./output.ts";
import { parquetFile, type Schema, textColumn, TIME_COLUMN } from "./parquet_file.ts";

/**
 * How prices and volumes are written. `double` works best in every reader and keeps 15 digits. `exact` is
 * DECIMAL(38, 18): it keeps all digits if they fit, but readers compute with it more slowly.
 */
export type Numbers = "double" | "exact";

interface ParquetOptions extends ColumnChoice {
  readonly numbers: Numbers;
}

/**
 * Rows per row group: enough that readers can skip groups, few enough for memory. Fewer for `exact`, where each value is
 * an object in memory until it is written.
 */
const GROUP_ROWS: Readonly<Record<Numbers, number>> = { double: 65_536, exact: 32_768 };

const DECIMAL_DIGITS = 38;
const DECIMAL_SCALE = 18;
const DECIMAL_BYTES = 16;

/** The columns of values, in the order of a candle's. */
export const VALUES = ["open", "high", "low", "close", "volume", "volume_base"] as const;

/** Those that a candle may lack: a price that nobody trades has no volume, and not every volume is known in the base currency. */
const NULLABLE: ReadonlySet<string> = new Set(["volume", "volume_base"]);

/**
 * Writes Parquet. Names are dictionary-encoded, times are TIMESTAMP in milliseconds, UTC.
 *
 * @throws Error when `numbers` is `exact` and a value does not fit DECIMAL(38, 18).
 */
export function parquetWriter(output: Output, options: ParquetOptions): CandleWriter {
  const { parquet, flush } = parquetFile(output, columnsOf(options));
  const rowsMax = GROUP_ROWS[options.numbers];
  let group = new RowGroup(rowsMax, options);
  const writeGroup = async (): Promise<void> => {
    if (group.rows === 0) return;
    parquet.write({ columnData: group.columns(), rowGroupSize: group.rows });
    group = new RowGroup(rowsMax, options);
    await flush();
  };
  return {
    async write(page): Promise<void> {
      for (let taken = 0; taken < page.rows.length;) {
        taken += group.take(page, taken);
        if (group.rows === rowsMax) await writeGroup();
      }
    },
    async finish(): Promise<void> {
      await writeGroup();
      parquet.schema = parquet.schema.map(withConvertedDecimal);
      parquet.finish();
      await flush();
    },
  };
}

/** The column of a value. */
export function valueColumn(name: string, numbers: Numbers): Schema[number] {
  const repetition_type = NULLABLE.has(name) ? "OPTIONAL" : "REQUIRED";
  return numbers === "double" ? { name, type: "DOUBLE", repetition_type } : {
    name,
    type: "FIXED_LEN_BYTE_ARRAY",
    type_length: DECIMAL_BYTES,
    logical_type: { type: "DECIMAL", precision: DECIMAL_DIGITS, scale: DECIMAL_SCALE },
    precision: DECIMAL_DIGITS,
    scale: DECIMAL_SCALE,
    repetition_type,
  };
}

function columnsOf({ isMerged, isMarked, numbers }: ParquetOptions): Schema {
  const mark: Schema[number] = {
    name: "provisional",
    type: "BOOLEAN",
    repetition_type: "REQUIRED",
  };
  return [
    ...(isMerged ? [] : [textColumn("exchange")]),
    textColumn("symbol"),
    textColumn("timeframe"),
    TIME_COLUMN,
    ...VALUES.map((name) => valueColumn(name, numbers)),
    ...(isMerged ? [textColumn("sources")] : []),
    ...(isMarked ? [mark] : []),
  ];
}

/**
 * Adds the older notation for decimals. Without it, readers such as DuckDB read a decimal as bytes. It is added only at
 * the end, because with it the library would encode each value itself.
 */
export function withConvertedDecimal(element: Schema[number]): Schema[number] {
  if (element.logical_type?.type !== "DECIMAL") return element;
  return { ...element, converted_type: "DECIMAL" };
}

type Columns = Parameters<ParquetWriter["write"]>[0]["columnData"];

/** The columns of a row group, filled page by page. Rows as text would take ten times the memory. */
class RowGroup {
  rows = 0;
  readonly #options: ParquetOptions;
  readonly #rowsMax: number;
  readonly #names = { exchange: [], symbol: [], timeframe: [], sources: [] } as Record<
    "exchange" | "symbol" | "timeframe" | "sources",
    string[]
  >;
  readonly #times: BigInt64Array;
  readonly #marks: boolean[] = [];
  readonly #decimals = new Map<string, Uint8Array>();
  readonly #values: readonly (Float64Array | (Uint8Array | null)[])[];
  /** The rows that lack a value. */
  readonly #lacking = VALUES.map((): number[] => []);

  constructor(rowsMax: number, options: ParquetOptions) {
    this.#options = options;
    this.#rowsMax = rowsMax;
    this.#times = new BigInt64Array(rowsMax);
    this.#values = VALUES.map(() => options.numbers === "double" ? new Float64Array(rowsMax) : []);
  }

  /** Takes rows of a page, starting at index `from`, until the group is full. Returns how many it took. */
  take(page: ExportPage, from: number): number {
    const { numbers, isMerged, isMarked } = this.#options;
    const taken = Math.min(page.rows.length - from, this.#rowsMax - this.rows);
    for (let i = from; i < from + taken; i++) {
      const row = page.rows[i]!;
      this.#times[this.rows] = BigInt(row[0]);
      for (let value = 0; value < VALUES.length; value++) {
        const text = row[value + 1] as string | null;
        if (text === null) {
          this.#lacking[value]!.push(this.rows);
          if (numbers === "exact") this.#values[value]![this.rows] = null;
          continue;
        }
        this.#values[value]![this.rows] = numbers === "double"
          ? Number(text)
          : this.#decimalBytes(text, page, row[0]);
      }
      if (isMerged) this.#names.sources.push((row[7] as string[]).join(" "));
      else this.#names.exchange.push(page.exchange ?? "");
      this.#names.symbol.push(page.symbol);
      this.#names.timeframe.push(page.timeframe);
      if (isMarked) this.#marks.push(row.at(-1) === true);
      this.rows++;
    }
    return taken;
  }

  /** The bytes of a decimal. Cached, because prices repeat. */
  #decimalBytes(text: string, page: ExportPage, timeMs: number): Uint8Array {
    const known = this.#decimals.get(text);
    if (known !== undefined) return known;
    const bytes = decimalBytes(text, page, timeMs);
    this.#decimals.set(text, bytes);
    return bytes;
  }

  #dataOf(value: number): Columns[number]["data"] {
    const data = this.#values[value]!.slice(0, this.rows);
    const lacking = this.#lacking[value]!;
    if (lacking.length === 0 || Array.isArray(data)) return data;
    const withNulls: (number | null)[] = Array.from(data);
    for (const row of lacking) withNulls[row] = null;
    return withNulls;
  }

  columns(): Columns {
    const { isMerged, isMarked, numbers } = this.#options;
    const names = (name: "exchange" | "symbol" | "timeframe" | "sources"): Columns[number] => ({
      name,
      data: this.#names[name],
      encoding: "RLE_DICTIONARY",
    });
    return [
      ...(isMerged ? [] : [names("exchange")]),
      names("symbol"),
      names("timeframe"),
      { name: "time", data: this.#times.subarray(0, this.rows), encoding: "DELTA_BINARY_PACKED" },
      ...VALUES.map((name, value): Columns[number] => ({
        name,
        data: this.#dataOf(value),
        // No statistics for decimals: the library would compare their bytes as unsigned text.
        statistics: numbers === "double",
      })),
      ...(isMerged ? [names("sources")] : []),
      ...(isMarked ? [{ name: "provisional", data: this.#marks }] : []),
    ];
  }
}

/** What a value is of, for messages. */
type ValueOf = Pick<ExportPage, "exchange" | "symbol" | "timeframe">;

/**
 * The bytes of a decimal.
 *
 * @throws Error when it does not fit DECIMAL(38, 18).
 */
export function decimalBytes(text: string, of: ValueOf, timeMs: number): Uint8Array {
  const bytes = new Uint8Array(DECIMAL_BYTES);
  const view = new DataView(bytes.buffer);
  const units = scaledUnits(text, of, timeMs);
  view.setBigInt64(0, units >> 64n);
  view.setBigUint64(8, BigInt.asUintN(64, units));
  return bytes;
}

/** `1.5` → 1500000000000000000n, scaled by 10^18. */
function scaledUnits(
  text: string,
  { exchange, symbol, timeframe }: ValueOf,
  timeMs: number,
): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  const digits = fraction.replace(/0+$/, "");
  const isTooLong = digits.length > DECIMAL_SCALE ||
    whole.length > DECIMAL_DIGITS - DECIMAL_SCALE;
  if (isTooLong) {
    throw new Error(
      `Cannot write ${text} of ${[exchange ?? "merged", symbol, timeframe].join(" ")} at ${
        isoTime(timeMs)
      } exactly: DECIMAL(${DECIMAL_DIGITS}, ${DECIMAL_SCALE}) has no room for it. ` +
        "Use --numbers double, or CSV, which keeps every digit",
    );
  }
  return BigInt(whole + digits.padEnd(DECIMAL_SCALE, "0"));
}
