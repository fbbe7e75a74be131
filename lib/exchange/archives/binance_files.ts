/**
 * Binance's files, as https://github.com/binance/binance-public-data describes them: a ZIP for each month and each day,
 * with twelve columns, and a checksum beside it.
 * @module
 */
import { CandleRun } from "../../market/candle_run.ts";
import { PlainRow } from "../../market/plain_row.ts";
import { marketSymbol, type Price, priceOf } from "../../market/price.ts";
import { kindOf } from "../../market/symbol.ts";
import type { Series } from "../../market/series.ts";
import { isAligned, nominalMs } from "../../market/timeframe.ts";
import {
  type FiledSeries,
  FileFaultError,
  type FilePeriod,
  type PublishedFile,
  type PublishedFormat,
  type PublishedRow,
  type SeriesFiles,
} from "./published_file.ts";

const HOST = "data.binance.vision";

const ROOT = `https://${HOST}/data`;

/** Whose markets the files are of: host of the candles → its folder. Other hosts (Binance US, testnets) have other markets. */
const FOLDERS: Readonly<Record<string, string>> = {
  "api.binance.com": "spot",
  "fapi.binance.com": "futures/um",
  "dapi.binance.com": "futures/cm",
};

const KINDS: Readonly<Record<string, string>> = {
  "spot": "spot",
  "futures/um": "linear",
  "futures/cm": "inverse",
};

const PRICES: Readonly<Record<Price, string>> = {
  trade: "klines",
  mark: "markPriceKlines",
  index: "indexPriceKlines",
  premium: "premiumIndexKlines",
};

/** Those of at most a day: the rows of longer ones lie in several months. */
const TIMEFRAMES: ReadonlySet<string> = new Set(
  "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d".split(" "),
);

/** A month of seconds has 2.7 million rows: too many for one file in memory. */
const BY_DAY_ONLY: ReadonlySet<string> = new Set(["1s"]);

const COLUMNS = 12;

/** The columns that are read, where a file names them. In another order its values would be others. */
const NAMES = "open_time,open,high,low,close,volume,close_time";

/** Microseconds, as spot files have them since 2025. */
const MICROS_DIGITS = 16;
const MILLIS_DIGITS = 13;

export const BINANCE_FILES: PublishedFormat = {
  filesOf,
  readRows,
  readRun,
  probeUrl: `${ROOT}/spot/monthly/klines/BTCUSDT/1d/BTCUSDT-1d-2020-01.zip.CHECKSUM`,
};

function filesOf({ series, marketId, host }: FiledSeries): SeriesFiles | undefined {
  const folder = Object.hasOwn(FOLDERS, host) ? FOLDERS[host] : undefined;
  const { text } = series.timeframe;
  const isKnown = folder !== undefined && TIMEFRAMES.has(text) &&
    KINDS[folder] === kindOf(marketSymbol(series.symbol)) &&
    !(folder !== "spot" && text === "1s") && /^[A-Z0-9_]+$/.test(marketId);
  if (!isKnown) return undefined;
  const price = priceOf(series.symbol);
  // An index is that of an underlying, whatever its contracts are called: BTCUSD_PERP → BTCUSD.
  const id = price === "index" ? marketId.split("_")[0]! : marketId;
  return {
    host: HOST,
    fileAt: (period, sinceMs) => {
      if (period === "month" && BY_DAY_ONLY.has(text)) return undefined;
      const name = `${id}-${text}-${dateText(period, sinceMs)}.zip`;
      const path = [folder, FOLDER_OF[period], PRICES[price], id, text, name].join("/");
      return {
        series,
        name,
        url: `${ROOT}/${path}`,
        window: { sinceMs, untilMs: nextStart(period, sinceMs) },
      };
    },
  };
}

const FOLDER_OF: Readonly<Record<FilePeriod, string>> = { month: "monthly", day: "daily" };

function dateText(period: FilePeriod, sinceMs: number): string {
  return new Date(sinceMs).toISOString().slice(0, period === "month" ? 7 : 10);
}

function nextStart(period: FilePeriod, sinceMs: number): number {
  const date = new Date(sinceMs);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return period === "month" ? Date.UTC(year, month + 1, 1) : Date.UTC(year, month, day + 1);
}

/**
 * Reads the rows, ascending, each time once. Some files begin with names and some do not, and some have rows twice. The time of
 * a row's close proves the timeframe and the unit of the times.
 */
function readRows(file: PublishedFile, text: string): PublishedRow[] {
  const { series, window: { sinceMs, untilMs } } = file;
  const volumeAt = volumeColumn(series);
  const lengthMs = nominalMs(series.timeframe);
  const rows: PublishedRow[] = [];
  let digits: number | undefined;
  let isSorted = true;
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (line === "" || line === "\r" || (number === 1 && line.startsWith(NAMES))) continue;
    if (line.startsWith("open_time")) fail(file, number, `it does not name the columns ${NAMES}`);
    const fields = line.split(",");
    if (fields.length !== COLUMNS) fail(file, number, `${fields.length} columns, not ${COLUMNS}`);
    const [openText, closeText] = [fields[0]!, fields[6]!];
    digits ??= openText.length;
    if (openText.length !== digits || closeText.length !== digits) {
      fail(file, number, "its times have several units");
    }
    const openTimeMs = readTime(openText, digits);
    const closeMs = readTime(closeText, digits);
    if (openTimeMs === undefined || !Number.isInteger(openTimeMs)) {
      fail(file, number, "it begins with no time");
    }
    if (!isAligned(series.timeframe, openTimeMs)) fail(file, number, "its time is not aligned");
    if (closeMs === undefined || closeMs <= openTimeMs || closeMs >= openTimeMs + lengthMs) {
      fail(file, number, `it is not of ${series.timeframe.text} by its close time`);
    }
    if (openTimeMs < sinceMs || openTimeMs >= untilMs) {
      fail(file, number, "it is of another time than the file");
    }
    isSorted &&= openTimeMs > (rows.at(-1)?.[0] ?? -Infinity);
    rows.push([openTimeMs, fields[1]!, fields[2]!, fields[3]!, fields[4]!, fields[volumeAt]!]);
  }
  return isSorted ? rows : eachOnce(file, rows);
}

/** COIN-M writes contracts where the others write the base volume, and that two columns later. */
function volumeColumn({ symbol }: Series): number {
  return kindOf(marketSymbol(symbol)) === "inverse" && priceOf(symbol) === "trade" ? 7 : 5;
}

/**
 * The same rows as candles, if all of them are that, in their order, and each once, as in nearly all files: this takes a tenth
 * of the time. Undefined of other files, which {@linkcode readRows} judges.
 */
function readRun({ series, window }: PublishedFile, bytes: Uint8Array): CandleRun | undefined {
  const { timeframe, symbol } = series;
  if (priceOf(symbol) !== "trade" || bytes.at(-1) !== LF) return undefined;
  const values = [1, 2, 3, 4, volumeColumn(series)];
  const lengthMs = nominalMs(timeframe);
  const run = new CandleRun(timeframe);
  const row = PlainRow.separatedBy(",")!;
  const hasNames = HEAD.every((byte, at) => bytes[at] === byte);
  let digits: number | undefined;
  for (let at = hasNames ? bytes.indexOf(LF) + 1 : 0; at < bytes.length;) {
    const end = row.read(bytes, at);
    if (end < 0 || row.width !== COLUMNS) return undefined;
    digits ??= row.ends[0]! - row.starts[0]!;
    const [openMs, closeMs] = [wholeTime(row, 0, digits), wholeTime(row, CLOSE_TIME, digits)];
    const isWhole = closeMs > openMs && closeMs < openMs + lengthMs && openMs >= window.sinceMs &&
      openMs < window.untilMs;
    if (!isWhole || !run.add(row, openMs, values)) return undefined;
    at = end + 1;
  }
  return run;
}

const LF = 10;
const CLOSE_TIME = 6;
const HEAD = new TextEncoder().encode(NAMES);

/** NaN where it is not a time of this many digits. */
function wholeTime(row: PlainRow, at: number, digits: number): number {
  if (row.decimals[at] !== 0 || row.ends[at]! - row.starts[at]! !== digits) return NaN;
  row.readNumber(at);
  const time = row.numbers[at]!;
  if (digits === MICROS_DIGITS) return time / 1000;
  return digits === MILLIS_DIGITS ? time : NaN;
}

/** Milliseconds, with fractions of the time of a close; undefined when it is not a time of a known unit. */
function readTime(text: string, digits: number): number | undefined {
  const time = Number(text);
  if (!Number.isSafeInteger(time) || time < 0) return undefined;
  if (digits === MICROS_DIGITS) return time / 1000;
  return digits === MILLIS_DIGITS ? time : undefined;
}

/** Rows that are there twice count once, if they say the same. */
function eachOnce(file: PublishedFile, rows: readonly PublishedRow[]): PublishedRow[] {
  const kept: PublishedRow[] = [];
  for (const row of rows.toSorted(([one], [other]) => one - other)) {
    const last = kept.at(-1);
    if (last?.[0] !== row[0]) kept.push(row);
    else if (!row.every((value, at) => value === last[at])) {
      throw new FileFaultError(
        `Cannot use the published file ${file.name}: it has ${
          new Date(row[0]).toISOString()
        } twice with different values`,
      );
    }
  }
  return kept;
}

function fail(file: PublishedFile, line: number, why: string): never {
  throw new FileFaultError(`Cannot use the published file ${file.name}: line ${line}: ${why}`);
}
