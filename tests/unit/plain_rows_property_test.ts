/** Rows of numbers that are read from bytes are read as they are from text: whatever stands in a file. @module */
import assert from "node:assert/strict";
import { checkRow } from "../../lib/market/candle.ts";
import { isPlainCandle } from "../../lib/market/candle_run.ts";
import { csvFields } from "../../lib/market/csv_candle.ts";
import { PlainRow } from "../../lib/market/plain_row.ts";
import { seriesName } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { readCandleFile } from "../../lib/transfer/candle_file.ts";
import type { FilePiece } from "../../lib/transfer/candle_import.ts";
import type { LineFile } from "../../lib/transfer/file_lines.ts";
import { textTable } from "../../lib/transfer/file_text.ts";
import { decimals, fc } from "../support/property.ts";

const HOUR_MS = 3_600_000;
const BEGIN_MS = Date.UTC(2024, 2, 1);
const SERIES = { exchange: "kraken", symbol: "BTC/USD", timeframe: parseTimeframe("1h") };

/** What files have in place of a number, and what only looks like one. */
const oddFields = fc.constantFrom(
  ...["", " ", " 1.5", "1.5 ", "1e3", "-2", "+2", '"1.5"', '"a,b"', "NaN", "null", "0", "0.0"],
  ...["00.50", "1.", ".5", "1.5.5", "1,5", "12K", "true", "BTC", "é", "\u0001", "\0", "x\ry"],
  ...["\ufeff1", "0x10"],
  ...["9007199254740993", "0.1000000000000000000001", "123456789012345678.5", "1".repeat(101)],
  ...["12345678901.00000000", "98765432.12345678", "0.00000000000000000000001", "Infinity"],
);

const anyField = fc.oneof({ weight: 4, arbitrary: decimals }, { weight: 1, arbitrary: oddFields });

Deno.test("a number that is read from bytes is that of its text, to the last bit", () => {
  fc.assert(
    fc.property(
      fc.array(anyField, { minLength: 1, maxLength: 9 }),
      fc.boolean(),
      (fields, isLast) => {
        const line = fields.join(";");
        const bytes = new TextEncoder().encode(`${line}${isLast ? "\r\n" : "\n7;8\n"}`);
        const row = PlainRow.separatedBy(";")!;
        const end = row.read(bytes, 0);
        const isPlain = /^[\x20-\x7e]*$/.test(line) && !line.includes('"');
        assert.equal(end >= 0, isPlain, JSON.stringify(line));
        if (!isPlain) return;
        assert.equal(bytes[end], 10);
        const texts = csvFields(line, ";");
        assert.deepEqual(texts.map((_, at) => row.text(at)), texts);
        assert.equal(row.width, texts.length);
        for (const [at, text] of texts.entries()) {
          const isNumber = text.length <= 40 && /^\d+(?:\.\d+)?$/.test(text);
          assert.equal(row.decimals[at], isNumber ? text.split(".")[1]?.length ?? 0 : -1, text);
          row.readNumber(at);
          assert.equal(row.numbers[at], Number(text), text);
        }
      },
    ),
  );
});

Deno.test("what is taken for a candle without its texts passes the check of rows", () => {
  const near = fc.constantFrom(
    "1.5",
    "1.50",
    "1.5000000000000001",
    "01.5",
    "0",
    "2",
    "1.49999",
    "0.0",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(near, decimals), { minLength: 5, maxLength: 5 }), (values) => {
      const row = PlainRow.separatedBy(",")!;
      row.read(new TextEncoder().encode(`${values.join()}\n`), 0);
      const { candle } = checkRow(SERIES.timeframe, [BEGIN_MS, ...values]);
      if (isPlainCandle(row, [0, 1, 2, 3, 4])) assert.ok(candle !== undefined, values.join());
      else {fc.pre(
          candle === undefined || values.some((value) => !/^\d+(\.\d+)?$/.test(value)) ||
            hasTies(values),
        );}
    }),
  );
});

/** Whether two of the prices are one number in two ways of writing, which is left to the check of rows. */
function hasTies(values: readonly string[]): boolean {
  return new Set(values.map(Number)).size < new Set(values).size;
}

/** A file of hours, and what is wrong with it. */
const files = fc.record({
  layout: fc.constantFrom("plain", "binance", "named", "confirm", "two", "close", "counted"),
  time: fc.constantFrom("ms", "s", "us", "iso"),
  separator: fc.constantFrom(",", ",", ";", "\t"),
  lineEnd: fc.constantFrom("\n", "\n", "\r\n", "\r\r\n", "\r"),
  isEnded: fc.boolean(),
  rows: fc.integer({ min: 1, max: 60 }),
  order: fc.constantFrom("up", "up", "up", "down"),
  odd: fc.array(
    fc.record({
      row: fc.nat({ max: 59 }),
      column: fc.nat({ max: 11 }),
      change: fc.oneof(
        fc.record({ field: oddFields }),
        fc.constantFrom("twice", "blank", "head", "moved", "unaligned", "shorter", "swapped"),
      ),
    }),
    { maxLength: 3 },
  ),
  /** How many candles the rows are apart. */
  step: fc.constantFrom(1, 1, 1, 2, 24),
  /** Whether the last candle had not closed when the file was written. */
  isForming: fc.boolean(),
  chunk: fc.constantFrom(7, 64, 1000, 1_000_000),
});

type OddFile = typeof files extends fc.Arbitrary<infer T> ? T : never;

Deno.test("a file is judged and read alike from bytes and from text, odd rows included", async () => {
  let read = 0;
  await fc.assert(
    fc.asyncProperty(files, async (file) => {
      const content = written(file);
      const [fromBytes, fromText] = [
        await outcome(content, file, true),
        await outcome(content, file, false),
      ];
      assert.deepEqual(fromBytes, fromText);
      if (typeof fromBytes !== "string") read++;
    }),
  );
  assert.ok(read > 0, "all files were refused");
});

Deno.test("the names of columns that come again among the rows are no row, and no blank line is", async () => {
  const lines = written(COUNTED).trimEnd().split("\n");
  const content = `${[...lines, "\t\t\t\t\t\t", ...lines].join("\n")}\n`;
  const read = await outcome(content, COUNTED, true);
  assert.equal(typeof read, "object", String(read));
  assert.deepEqual(read, await outcome(content, COUNTED, false));
});

Deno.test("a file whose later bytes are no text is refused by its name", async () => {
  const bytes = new TextEncoder().encode(written({ ...COUNTED, rows: 60 }));
  bytes[bytes.length - 5] = 0xff;
  const read = await outcome(bytes, { ...COUNTED, chunk: 1000 }, true);
  assert.match(String(read), /^Error: Cannot read file\.csv: it is not text in UTF-8/);
});

/** Why a file is refused, or all that is known and stored of it. */
async function outcome(
  content: string | Uint8Array,
  file: OddFile,
  hasBlocks: boolean,
): Promise<unknown> {
  const lastMs = BEGIN_MS + (file.rows - 1) * file.step * HOUR_MS;
  const writtenMs = file.isForming ? lastMs + HOUR_MS / 2 : undefined;
  const table = tableOf(content, { ...file, writtenMs });
  try {
    const candles = await readCandleFile(
      hasBlocks ? table : { ...table, blocks: undefined },
      {
        ...SERIES,
        timeframe: "1h",
        knownExchanges: ["kraken"],
        volumeUnit: "base",
        ...file.layout === "two" ? { instrument: "BTCUSD" } : {},
        timeIs: file.layout === "close" ? "close" : "open",
      } as Parameters<typeof readCandleFile>[1],
    );
    const { understood, cutLine, series } = candles;
    const pieces = (await Array.fromAsync(candles.pieces())).flat();
    const rows = await Array.fromAsync(candles.rows());
    const stored = pieces.flatMap(storedOf);
    assert.deepEqual(stored.toSorted(bySeries), rows.flatMap(storedOf).toSorted(bySeries));
    return { understood, cutLine, series, stored, sha256: table.sha256() };
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return String(error);
  }
}

function storedOf(piece: FilePiece): readonly (readonly [string, string, unknown])[] {
  const name = seriesName(piece.series);
  if ("run" in piece) {
    return Array.from(
      { length: piece.run.length },
      (_, at) => [name, "candle", { candle: piece.run.candle(at) }],
    );
  }
  const { state, row, series } = piece;
  return [[name, state, state === "candle" ? checkRow(series.timeframe, row) : row]];
}

const bySeries = (
  [one]: readonly [string, ...unknown[]],
  [other]: readonly [string, ...unknown[]],
): number => one < other ? -1 : one > other ? 1 : 0;

function tableOf(
  content: string | Uint8Array,
  { chunk, writtenMs }: { readonly chunk: number; readonly writtenMs: number | undefined },
): LineFile {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return textTable({
    path: "file.csv",
    name: "file.csv",
    writtenMs,
    kept: undefined,
    async *bytes(reading): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < bytes.length; at += chunk) {
        const own = await Promise.resolve(bytes.slice(at, at + chunk));
        yield own;
        // The next chunk comes into the same memory.
        if (reading?.isReused === true) own.fill(0);
      }
    },
  }, new AbortController().signal);
}

const HEADS: Readonly<Record<string, readonly string[]>> = {
  plain: [],
  binance: [],
  named: ["symbol", "time", "open", "high", "low", "close", "volume"],
  confirm: ["time", "open", "high", "low", "close", "volume", "confirm"],
  two: ["symbol", "time", "open", "high", "low", "close", "volume"],
  close: ["time", "open", "high", "low", "close", "volume"],
  counted: ["time", "open", "high", "low", "close", "volume", "trades"],
};

const COUNTED: OddFile = {
  ...{ layout: "counted", time: "ms", separator: "\t", lineEnd: "\n", isEnded: true, rows: 30 },
  ...{ order: "up", odd: [], step: 1, isForming: false, chunk: 1_000_000 },
};

function written(file: OddFile): string {
  const { separator, lineEnd, isEnded } = file;
  const head = HEADS[file.layout]!;
  let lines = Array.from({ length: file.rows }, (_, at) => fieldsOf(file, at));
  if (file.order === "down") lines.reverse();
  for (const { row, column, change } of file.odd) {
    lines = changed(lines, { row: row % lines.length, column, change, head });
  }
  const texts = [...head.length > 0 ? [head] : [], ...lines].map((fields) =>
    fields.join(separator)
  );
  return texts.join(lineEnd) + (isEnded ? lineEnd : "");
}

function changed(
  lines: readonly (readonly string[])[],
  { row, column, change, head }: {
    readonly row: number;
    readonly column: number;
    readonly change: OddFile["odd"][number]["change"];
    readonly head: readonly string[];
  },
): (readonly string[])[] {
  const fields = lines[row]!;
  const at = column % Math.max(1, fields.length);
  const put = (...own: readonly (readonly string[])[]): (readonly string[])[] =>
    lines.toSpliced(row, 1, ...own);
  if (fields.length === 0) return [...lines];
  if (typeof change !== "string") return put(fields.with(at, change.field));
  if (fields.length < 6) return [...lines];
  if (change === "twice") return put(fields, fields);
  if (change === "blank") return put(fields, [" "]);
  if (change === "head") return put(fields, head);
  if (change === "shorter") return put(fields.slice(0, -1));
  if (change === "moved") return [...lines.toSpliced(row, 1), fields];
  if (change === "swapped") return put(fields.with(2, fields[3]!).with(3, fields[2]!));
  return put(fields.map((field) => field.replace(/00$/, "01")));
}

function fieldsOf({ layout, time, step }: OddFile, at: number): readonly string[] {
  const openMs = BEGIN_MS + at * step * HOUR_MS;
  const open = 400 + at / 4;
  const close = open + ((at * 7919) % 13 - 6) / 4 + 0.25;
  const texts = [open, Math.max(open, close) + 0.5, Math.min(open, close) - 0.75, close].map((
    price,
  ) => price.toFixed(2));
  const volume = (1 + (at * 31) % 17 + 0.125).toFixed(8);
  const row = [timeText(openMs, time), ...texts, volume];
  if (layout === "binance") {
    const turnover = (Number(volume) * (open + close) / 2).toFixed(8);
    return [...row, timeText(openMs + HOUR_MS - 1, time), turnover, "17", volume, turnover, "0"];
  }
  if (layout === "confirm" || layout === "counted") return [...row, "1"];
  if (layout === "close") return [timeText(openMs + HOUR_MS, time), ...row.slice(1)];
  if (layout === "two") {
    return [
      at % 2 === 0 ? "BTCUSD" : "ETHUSD",
      timeText(openMs - at % 2 * step * HOUR_MS, time),
      ...row.slice(1),
    ];
  }
  return layout === "named" ? ["BTCUSD", ...row] : row;
}

function timeText(timeMs: number, how: OddFile["time"]): string {
  if (how === "iso") return new Date(timeMs).toISOString();
  return how === "s" ? String(timeMs / 1000) : how === "us" ? `${timeMs}000` : String(timeMs);
}
