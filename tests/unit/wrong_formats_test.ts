/**
 * Every known format with two columns exchanged, with its times moved, with another unit of time: what is read is the
 * truth, or what the file itself says of its volume and its time zone, or nothing.
 * @module
 */
import assert from "node:assert/strict";
import { Command } from "@commander-js/extra-typings";
import { addFormatFlags, formatOf } from "../../lib/cli/import_format_flags.ts";
import { csvFields } from "../../lib/market/csv_candle.ts";
import { readCandleFile } from "../../lib/transfer/candle_file.ts";
import type { FileLine, LineFile } from "../../lib/transfer/file_lines.ts";
import { EXCHANGE_FORMATS } from "../support/file_formats/exchange_formats.ts";
import type { FileCandle, FileFormat, Try } from "../support/file_formats/format.ts";
import { PROGRAM_FORMATS } from "../support/file_formats/program_formats.ts";

const EXCHANGES = [
  ...["binance", "binanceusdm", "binancecoinm", "kraken", "okx", "bybit", "gate", "htx", "kucoin"],
  ...["kucoinfutures", "bitget", "coinbase", "bitfinex", "bitstamp", "alpaca"],
];
const ROWS_MIN = 20;
const HOUR_MS = 60 * 60_000;

const READ = [...EXCHANGE_FORMATS, ...PROGRAM_FORMATS].flatMap((format) =>
  typeof format.bytes !== "string" ? [] : format.tries.filter(({ stored }) => stored !== undefined)
    .map((one) => ({
      format,
      one,
      lines: (format.bytes as string).replaceAll("\r", "").split("\n"),
    }))
);

Deno.test("what is read of a known format is the truth", async () => {
  for (const { format, one, lines } of READ) {
    const { rows, why } = await read(format, one, lines);
    assert.equal(why, undefined, format.name);
    assert.deepEqual(rows, one.stored!.map(full), format.name);
  }
});

Deno.test("two columns that are exchanged give no wrong price", async () => {
  let [files, refused] = [0, 0];
  const wrong: string[] = [];
  for (const { format, one, lines } of READ) {
    // Fewer rows, or some with others between them, prove little: what their source says counts.
    if (one.stored!.length < ROWS_MIN || hasHoles(one.stored!)) continue;
    const { mark, begin } = shape(lines);
    const width = csvFields(lines[begin]!, mark).length;
    for (let a = 0; a < width; a++) {
      for (let b = a + 1; b < width; b++) {
        const changed = lines.map((line, at) =>
          at < begin || line === "" ? line : exchanged(line, { mark, a, b })
        );
        if (changed.join() === lines.join()) continue;
        files++;
        const { rows, why } = await read(format, one, changed);
        if (why !== undefined) refused++;
        else if (rows!.map(prices).join() !== one.stored!.map((row) => prices(full(row))).join()) {
          wrong.push(`${format.name}, columns ${a + 1} and ${b + 1}, ${one.flags.join(" ")}`);
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(files > 1000 && refused > files / 3, `${refused} of ${files} were refused`);
});

Deno.test("times that are half an hour off are no times of hours and days", async () => {
  let files = 0;
  for (const { format, one, lines } of READ) {
    if (one.stored![1]!.t - one.stored![0]!.t < HOUR_MS) continue;
    const { mark, begin } = shape(lines);
    const changed = lines.map((line, at) =>
      at < begin || line === "" ? line : moved(line, { mark, byMs: HOUR_MS / 2 })
    );
    if (changed.join() === lines.join()) continue;
    files++;
    const { rows, why } = await read(format, one, changed);
    assert.equal(rows, undefined, format.name);
    assert.match(why!, /^Cannot /);
  }
  assert.ok(files >= 3, `only ${files} files could be moved`);
});

Deno.test("another unit of time gives the same times, or none", async () => {
  let files = 0;
  for (const { format, one, lines } of READ) {
    const { mark, begin } = shape(lines);
    for (const zeros of ["000", "000000"]) {
      const changed = lines.map((line, at) =>
        at < begin || line === ""
          ? line
          : line.split(mark).map((field) => /^1709\d{6,9}$/.test(field) ? field + zeros : field)
            .join(mark)
      );
      if (changed.join() === lines.join()) continue;
      files++;
      const { rows } = await read(format, one, changed);
      if (rows !== undefined) assert.deepEqual(rows, one.stored!.map(full), format.name);
    }
  }
  assert.ok(files > 40, `only ${files} files have numbers for times`);
});

function hasHoles(candles: readonly FileCandle[]): boolean {
  const stepMs = candles[1]!.t - candles[0]!.t;
  return stepMs === 3 * 60_000 ||
    candles.some(({ t }, at) => at > 0 && t - candles[at - 1]!.t !== stepMs);
}

function full({ t, o, h, l, c, v }: FileCandle): string {
  return [t, ...[o, h, l, c, v].map(Number)].join();
}

function prices(row: string): string {
  return row.slice(0, row.lastIndexOf(","));
}

/** The mark between columns, and the line of the first row. */
function shape(lines: readonly string[]): { readonly mark: string; readonly begin: number } {
  const last = lines.findLast((line) => line !== "")!;
  const mark = [";", "\t", "|", ","].find((one) => last.includes(one)) ?? " ";
  const width = csvFields(last, mark).length;
  const begin = lines.findIndex((line) =>
    csvFields(line, mark).length === width &&
    !/open|OPEN|Open|Ticker|datatype|group|default/.test(line)
  );
  return { mark, begin };
}

function exchanged(
  line: string,
  { mark, a, b }: { readonly mark: string; readonly a: number; readonly b: number },
): string {
  const fields = [...csvFields(line, mark)];
  [fields[a], fields[b]] = [fields[b]!, fields[a]!];
  return fields.map((field) => field.includes(mark) && mark !== " " ? `"${field}"` : field).join(
    mark,
  );
}

/** All times of a row, moved. */
function moved(
  line: string,
  { mark, byMs }: { readonly mark: string; readonly byMs: number },
): string {
  return line.split(mark).map((field) => {
    if (/^1709\d{6}$|^171\d{7}$/.test(field)) return String(Number(field) + byMs / 1000);
    if (/^1709\d{9}$|^171\d{10}$/.test(field)) return String(Number(field) + byMs);
    return field.replace(
      /\b(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)/,
      (_, date, between, clock) =>
        new Date(Date.parse(`${date}T${clock}Z`) + byMs).toISOString().slice(0, 19).replace(
          "T",
          between,
        ),
    );
  }).join(mark);
}

async function read(
  { path }: FileFormat,
  { flags, as }: Try,
  lines: readonly string[],
): Promise<{ readonly rows?: readonly string[]; readonly why?: string }> {
  const command = new Command().exitOverride();
  addFormatFlags(command as unknown as Command);
  for (const name of ["exchange", "symbol", "timeframe", "instrument"]) {
    command.option(`--${name} <x>`);
  }
  command.parse([...flags], { from: "user" });
  const given: Record<string, string> = command.opts();
  const file: LineFile = {
    path,
    name: path.slice(path.lastIndexOf("/") + 1),
    writtenMs: undefined,
    place: (line) => `line ${line}`,
    async *lines(): AsyncGenerator<FileLine, void> {
      for (const [at, text] of lines.entries()) {
        if (text !== "") yield await Promise.resolve({ text, number: at + 1, isEnded: true });
      }
    },
    sha256: () => "",
    close: () => Promise.resolve(),
  };
  try {
    const { rows } = await readCandleFile(file, {
      exchange: given["exchange"],
      symbol: given["symbol"],
      timeframe: given["timeframe"],
      instrument: given["instrument"],
      ...formatOf(command.opts()),
      knownExchanges: EXCHANGES,
    });
    const found: (readonly [number, string])[] = [];
    for await (const { series, row: [timeMs, ...values], state } of rows()) {
      if (as !== undefined) {
        assert.equal(`${series.exchange} ${series.symbol} ${series.timeframe.text}`, as, path);
      }
      const row = [timeMs, ...values.map(Number)].join();
      if (state === "candle") found.push([timeMs as number, row]);
    }
    return { rows: found.sort(([a], [b]) => a - b).map(([, row]) => row) };
  } catch (error) {
    assert.ok(error instanceof Error && /^Cannot /.test(error.message), String(error));
    return { why: error.message };
  }
}
