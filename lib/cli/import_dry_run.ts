/** `titan10 import --dry-run`: shows how files are understood, without an archive. @module */
import { seriesName } from "../market/series.ts";
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import type { UnderstoodFile } from "../transfer/understood_file.ts";
import { type TriedTable, tryFiles } from "../transfer/import_trial.ts";
import type { AskedImport } from "./asked_import.ts";
import { leftOutText, refusalText } from "./import_report.ts";
import { EXIT, type ExitCode } from "./shell.ts";
import { count, cut, minute, table as textTable } from "./text.ts";

/** Reads all files and prints each as it is understood. Returns 1 when something would be refused. */
export async function tryImport(
  { shell, flags, list, format }: AskedImport,
): Promise<ExitCode> {
  const isJson = flags.json === true;
  const leftOut = { count: list.leftOut.count, first: [...list.leftOut.first] };
  const refused: { readonly file: string; readonly reason: string }[] = [];
  const documents: unknown[] = [];
  let refusals = 0;
  let understood = 0;
  const refuse = (path: string, error: unknown): void => {
    refusals++;
    const reason = errorText(error);
    if (!isJson) shell.print(`Would be refused: ${refusalText(path, reason)}`);
    else if (refused.length < LISTED_MAX) refused.push({ file: path, reason });
  };
  for (const { path, reason } of list.refused) refuse(path, new Error(reason));
  await tryFiles(list.files, {
    format,
    sinceMs: flags.since,
    untilMs: flags.until,
    nowMs: shell.clock.now(),
    input: shell.input,
    signal: shell.signal,
    onTried: (table) => {
      understood++;
      if (!isJson) shell.print(tableText(table, shell.columns));
      else if (documents.length < LISTED_MAX) documents.push(tableDocument(table));
    },
    onRefused: refuse,
    onLeftOut: (path) => {
      leftOut.count++;
      if (leftOut.first.length < LEFT_OUT_TOLD) leftOut.first.push(path);
    },
  });
  if (isJson) shell.print(JSON.stringify({ tables: documents, refused, refusals, leftOut }));
  else {
    const tables = `${count(understood)} ${understood === 1 ? "table" : "tables"} understood`;
    shell.print([
      ...leftOutText(leftOut),
      `${tables}, ${count(refusals)} would be refused. Nothing was stored.`,
    ].join("\n"));
  }
  return refusals === 0 ? EXIT.done : EXIT.failed;
}

/** So many tables and refusals are in the document. */
const LISTED_MAX = 10_000;

const LEFT_OUT_TOLD = 3;

function tableText(table: TriedTable, columns: number): string {
  const { path, series, rejected, place, candles } = table;
  const first = series.find(({ first }) => first.length > 0);
  const cutLine = candles.cutLine === undefined
    ? []
    : [`  ${place(candles.cutLine)} has no line end: it may be incomplete and would be left out`];
  const lines = [
    printable(path),
    `  ${understoodText(candles.understood)}`,
    ...series.map((one) => `  ${seriesText(one)}`),
    ...cutLine,
    ...rejected.map(({ line, why }) => `  ${place(line)} would be rejected: ${why}`),
    ...(first === undefined
      ? []
      : rowsText(first, { columns: columns - 2, understood: candles.understood }).map((line) =>
        `  ${line}`
      )),
  ];
  return lines.map((line) => cut(line, columns)).join("\n");
}

function seriesText(tried: TriedTable["series"][number]): string {
  const { series, rows, firstMs, lastMs } = tried;
  const span = firstMs === undefined ? "" : `, ${minuteOf(firstMs)} to ${minuteOf(lastMs!)}`;
  const others = (["rejected", "unclosed", "blank", "outside"] as const)
    .filter((name) => tried[name] > 0)
    .map((name) => `, ${count(tried[name])} ${name}`);
  return printable(
    `${seriesName(series)}: ${count(rows)} ${rows === 1 ? "row" : "rows"}${span}${others.join("")}`,
  );
}

/** Where it is from, and what was not sure before. */
function understoodText({ preset, times, volume }: UnderstoodFile): string {
  return printable([
    preset === undefined ? "no preset" : `preset ${preset}`,
    `times: ${times}`,
    ...(volume === undefined ? [] : [VOLUME_WORDS[volume]]),
  ].join(", "));
}

const VOLUME_WORDS = {
  base: "volume in the base currency",
  quote: "volume in the quote currency",
  contracts: "volume in contracts",
  stored: "volume as the exchange counts it",
} as const;

const HEAD = ["time (UTC)", "open", "high", "low", "close"];

/** The first rows, as they would be stored. */
function rowsText(
  { series, first }: TriedTable["series"][number],
  { columns, understood }: { readonly columns: number; readonly understood: UnderstoodFile },
): readonly string[] {
  const head = [...HEAD, `volume${unitText(series.symbol, understood.volume)}`];
  const rows = first.map(({ openTimeMs, open, high, low, close, volume }) => [
    new Date(openTimeMs).toISOString().slice(0, 19).replace("T", " "),
    ...[open, high, low, close, volume ?? ""].map(withoutZeros),
  ]);
  return textTable(head, rows, { numeric: [1, 2, 3, 4, 5], columns }).split("\n");
}

/** Eight decimals, as exchanges write them, would leave no room for the volume in a terminal of 80 columns. */
function withoutZeros(number: string): string {
  return number.includes(".") ? number.replace(/\.?0+$/, "") : number;
}

/** ` (BTC)`: the coin, where the volume counts one. */
function unitText(symbol: string, unit: UnderstoodFile["volume"]): string {
  const [base, quote] = symbol.split(":")[0]!.split("/");
  const of = unit === "base"
    ? base
    : unit === "quote"
    ? quote
    : unit === "stored"
    ? undefined
    : unit;
  return of === undefined ? "" : ` (${printable(of)})`;
}

function minuteOf(timeMs: number): string {
  return minute(new Date(timeMs).toISOString());
}

function tableDocument({ path, series, rejected, place, candles }: TriedTable): unknown {
  const { preset, fields, times, volume } = candles.understood;
  return {
    file: path,
    preset: preset ?? null,
    columns: Object.fromEntries(fields.map(({ name, column }) => [name, column])),
    times,
    volume: volume ?? null,
    series: series.map(({ series, first, firstMs, lastMs, ...counts }) => ({
      exchange: series.exchange,
      symbol: series.symbol,
      timeframe: series.timeframe.text,
      ...counts,
      first: firstMs === undefined ? null : new Date(firstMs).toISOString(),
      last: lastMs === undefined ? null : new Date(lastMs).toISOString(),
      firstRows: first.map(({ openTimeMs, ...values }) => ({
        time: new Date(openTimeMs).toISOString(),
        ...values,
      })),
    })),
    rejected: rejected.map(({ line, why }) => ({ place: place(line), reason: why })),
  };
}
