/**
 * Chooses which of the files that an exchange publishes are fetched: those that bring owed candles sooner than its API at the
 * pace in force.
 * @module
 */
import type {
  FilePeriod,
  PublishedFile,
  SeriesFiles,
} from "../exchange/archives/published_file.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import {
  type Coverage,
  coverageCandles,
  coverageOf,
  intersect,
  subtract,
} from "../market/coverage.ts";
import { type Series, seriesName } from "../market/series.ts";
import { countCandles, nominalMs } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Owed } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { type Markets } from "../archive/markets_in_force.ts";
import { marketIdOf } from "./market_time.ts";
import { requestTimes } from "./poll_capacity.ts";

/** A file and what is owed of its time. */
export interface ChosenFile {
  readonly file: PublishedFile;
  /** Ascending. */
  readonly owed: Coverage;
  /** The exchange's id of the market that the file is of. */
  readonly marketId: string;
  /** Where the file is, for people. */
  readonly host: string;
  /** About how long it takes beside others. Milliseconds. */
  readonly ms: number;
}

/**
 * Files of one exchange in flight: fetched, checked or stored. More would hold more memory, about 30 MB each, and not be
 * quicker, since the database is busy with these.
 */
export const FILES_IN_FLIGHT = 3;

/** The least time of a file: two requests, over a connection that is open. Milliseconds. */
const FILE_MS = 2 * 150 / FILES_IN_FLIGHT;

/** How many rows a second are read and stored, from files and from answers alike. */
const ROWS_PER_SECOND = 100_000;

/** A file is not asked for sooner after the end of its time. Milliseconds. */
const PUBLISHED_MS = 6 * 60 * 60_000;

/** A month whose file is not there is taken by days only while that file may be late. Milliseconds. */
const LATE_MS = 35 * 24 * 60 * 60_000;

interface ChooseOptions {
  readonly markets: Markets;
  readonly nowMs: number;
  /** Whether a file is not to be asked for. */
  readonly isLeftOut: (file: PublishedFile) => boolean;
}

/** The files that should be fetched, newest first. Sends nothing. */
export async function chooseFiles(
  { config }: Pick<Archive, "config">,
  exchange: ArchivedExchange,
  owed: readonly Owed[],
  { markets, ...options }: ChooseOptions,
): Promise<readonly ChosenFile[]> {
  const { client } = exchange;
  if (settingsOf(config, exchange.id).history === "off") return [];
  const published: { readonly owed: Owed; readonly files: SeriesFiles; marketId: string }[] = [];
  for (const one of owed) {
    const host = await client.hostOf(one.series, markets.list);
    const marketId = marketIdOf(markets, one.series);
    const files = client.files.of(one.series, { marketId, host });
    if (files !== undefined && marketId !== undefined) {
      published.push({ owed: one, files, marketId });
    }
  }
  const asked = published.map(({ owed: { series } }) => ({
    series,
    window: fullPage(exchange, series),
  }));
  const requestMs = await requestTimes(exchange, asked, markets.list);
  const chosen = published.flatMap(({ owed: { series, owed }, files, marketId }) => {
    const pageRows = exchange.pageRowsMax(series);
    const pageMs = Math.max(requestMs(series), rowsMs(pageRows));
    const replacedMs = markets.replacedMs.get(series.symbol) ?? -Infinity;
    return filesOfSeries({ series, owed }, {
      ...options,
      files,
      marketId,
      // Of a file in whose time the symbol came to mean another market, some rows may be of the former one.
      fromMs: replacedMs,
      apiMs: (candles) => candles / pageRows * pageMs,
    });
  });
  return chosen.sort((one, other) => other.file.window.untilMs - one.file.window.untilMs);
}

/** What is owed outside of the time of these files. */
export function withoutFiles(
  owed: readonly Owed[],
  files: readonly ChosenFile[],
): readonly Owed[] {
  const bySeries = Map.groupBy(files, ({ file }) => seriesName(file.series));
  return owed.flatMap(({ series, owed }) => {
    const taken = bySeries.get(seriesName(series)) ?? [];
    const left = subtract(owed, coverageOf(taken.map(({ file }) => file.window)));
    return left.length === 0 ? [] : [{ series, owed: left }];
  });
}

function filesOfSeries(
  { series, owed }: Owed,
  { files, marketId, fromMs, nowMs, isLeftOut, apiMs }: Omit<ChooseOptions, "markets"> & {
    readonly files: SeriesFiles;
    readonly marketId: string;
    readonly fromMs: number;
    /** How long the API takes for so many candles. */
    readonly apiMs: (candles: number) => number;
  },
): readonly ChosenFile[] {
  const { timeframe } = series;
  const chosen = (file: PublishedFile | undefined): ChosenFile | undefined => {
    if (file === undefined || file.window.sinceMs < fromMs || isLeftOut(file)) return undefined;
    const parts = intersect(owed, [file.window]);
    const whole = countCandles(timeframe, file.window.sinceMs, file.window.untilMs);
    const ms = Math.max(FILE_MS, rowsMs(whole));
    if (apiMs(coverageCandles(timeframe, parts)) <= ms) return undefined;
    return { file, marketId, owed: parts, host: files.host, ms };
  };
  const all: ChosenFile[] = [];
  for (const month of spans("month", owed)) {
    if (month.untilMs + PUBLISHED_MS <= nowMs) {
      const file = files.fileAt("month", month.sinceMs);
      const one = chosen(file);
      if (one !== undefined) all.push(one);
      if (one !== undefined || (file !== undefined && month.untilMs + LATE_MS < nowMs)) continue;
    }
    for (const day of spans("day", intersect(owed, [month]))) {
      if (day.untilMs + PUBLISHED_MS > nowMs) continue;
      const one = chosen(files.fileAt("day", day.sinceMs));
      if (one !== undefined) all.push(one);
    }
  }
  return all;
}

/** The months or days in which something is owed, ascending. */
function spans(period: FilePeriod, owed: Coverage): readonly Window[] {
  const all: Window[] = [];
  for (const { sinceMs, untilMs } of owed) {
    let next = Math.max(startOf(period, sinceMs), all.at(-1)?.untilMs ?? -Infinity);
    while (next < untilMs) {
      const endMs = startOf(period, next, 1);
      all.push({ sinceMs: next, untilMs: endMs });
      next = endMs;
    }
  }
  return all;
}

/** The beginning of the month or day in UTC that contains a time, or of one that comes later. */
function startOf(period: FilePeriod, timeMs: number, later = 0): number {
  const date = new Date(timeMs);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return period === "month"
    ? Date.UTC(year, month + later, 1)
    : Date.UTC(year, month, date.getUTCDate() + later);
}

function rowsMs(rows: number): number {
  return rows / ROWS_PER_SECOND * 1000;
}

/** A page as long as they come. */
function fullPage(exchange: ArchivedExchange, series: Series): Window {
  const untilMs = Date.UTC(2020, 0, 1);
  return { sinceMs: untilMs - exchange.pageRowsMax(series) * nominalMs(series.timeframe), untilMs };
}
