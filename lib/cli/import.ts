/** `titan10 import`: adds candles from a CSV file to the archive. @module */
import { basename } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { exchangeIds } from "../exchange/ccxt.ts";
import { type ImportReport, importRows } from "../transfer/candle_import.ts";
import { seriesName } from "../market/series.ts";
import { prepareDatabase } from "../daemon/open_archive.ts";
import { printable } from "../text/printable.ts";
import { fileRows, hashed } from "../transfer/candle_file.ts";
import { addSettingFlags, type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { count, minute } from "./text.ts";
import { timeFlag } from "./time_flag.ts";
import { withArchive } from "./with_archive.ts";

const HELP = `
The file is CSV as titan10 export writes it, or any other whose first line names
time, open, high, low, close and volume, or that holds them in this order. Times
are ISO 8601 in UTC or numbers since 1970. A name ending with .gz is unpacked.

Rows pass the checks of an exchange's: malformed ones go to rejected_candles,
candles that have not closed are left out. What an exchange has said is kept: of
a candle that is stored with other values the file's go to import_conflicts.
With --replace they replace the older ones, which go to candle_revisions.

The file answers for the candles it holds. What lies between them stays owed,
and the exchange is asked for it, unless --complete says that it does not exist.
With --since and --until, --complete speaks of that range; without, of the time
from the file's first candle to its last. The table imports says what came from
where. Stopped half way, it goes on when it is started again.`;

/** Adds the command's options and its action. */
export function makeImport(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .argument("<file>", "the file; - is standard input")
    .option("--exchange <id>", "of the file's candles, where it does not say so")
    .option("--symbol <symbol>", "of the file's candles, where it does not say so")
    .option("--timeframe <timeframe>", "of the file's candles, where it does not say so")
    .option("--since <time>", "only from this time on: 2024-01-31 or 2024-01-31T12:00Z", timeFlag)
    .option("--until <time>", "only up to this time, which is left out itself", timeFlag)
    .option("--complete", "a candle that is not in the file does not exist")
    .option("--replace", "replace stored candles that differ")
    .option("--json", "print JSON")
    .addHelpText("after", HELP);
  addSettingFlags(command as unknown as Command, ["DATA_DIR", "COMPRESS_AFTER", "LOG_LEVEL"]);
  command.action((file, flags: unknown) =>
    perform(() => importFile(shell, file, flags as ImportFlags & Flags))
  );
}

interface ImportFlags {
  readonly exchange?: string;
  readonly symbol?: string;
  readonly timeframe?: string;
  readonly since?: number;
  readonly until?: number;
  readonly complete?: true;
  readonly replace?: true;
  readonly json?: true;
}

async function importFile(
  shell: Shell,
  path: string,
  flags: ImportFlags & Flags,
): Promise<ExitCode> {
  // Open the file first, so that a wrong name does not create a database.
  const input = path === "-" ? shell.input : await openFile(path);
  const { bytes, sha256 } = hashed(input);
  const ground = await readGround(shell, flags, { logLevelDefault: "error" });
  const reports = await withArchive(ground, {
    here: async (database) => {
      const { timescaledb } = await prepareDatabase(database, ground);
      const rows = fileRows(
        /\.gz$/i.test(path) ? bytes.pipeThrough(new DecompressionStream("gzip")) : bytes,
        { path, ...namesOf(flags), knownExchanges: await exchangeIds() },
      );
      return await importRows(
        { ...ground, database, hasTimescaledb: timescaledb !== null },
        rows,
        {
          file: path === "-" ? path : basename(path),
          sinceMs: flags.since,
          untilMs: flags.until,
          isComplete: flags.complete === true,
          replaces: flags.replace === true,
          signal: shell.signal,
          sha256,
          onRows: shell.canRedraw ? (rows) => shell.draw([`${count(rows)} rows`]) : undefined,
        },
      );
    },
  });
  if (shell.canRedraw) shell.draw([]);
  if (flags.json === true) shell.print(JSON.stringify({ series: reports.map(document) }));
  else for (const report of reports) shell.print(summary(report));
  return EXIT.done;
}

function namesOf(
  { exchange, symbol, timeframe }: ImportFlags,
): Pick<ImportFlags, "exchange" | "symbol" | "timeframe"> {
  return {
    ...(exchange === undefined ? {} : { exchange }),
    ...(symbol === undefined ? {} : { symbol }),
    ...(timeframe === undefined ? {} : { timeframe }),
  };
}

async function openFile(path: string): Promise<ReadableStream<Uint8Array>> {
  try {
    return (await Deno.open(path)).readable;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot read ${path}: ${text}`, { cause: error });
  }
}

function document({ series, firstMs, lastMs, ...counts }: ImportReport): unknown {
  const { exchange, symbol, timeframe } = series;
  return {
    exchange,
    symbol,
    timeframe: timeframe.text,
    ...counts,
    first: iso(firstMs),
    last: iso(lastMs),
  };
}

function summary(report: ImportReport): string {
  const { series, rows, firstMs, lastMs } = report;
  const told: readonly (readonly [number, string])[] = [
    [report.added, "added"],
    [report.same, "already stored"],
    [report.replaced, "replaced: the older values are in candle_revisions"],
    [report.conflicts, "stored with other values, which were kept: see import_conflicts"],
    [report.rejected, "rejected: see rejected_candles"],
    [report.unclosed, "not closed yet: left out"],
    [report.expired, "of time that RETENTION has dropped: left out"],
    [report.outside, "outside of --since and --until: left out"],
  ];
  const span = firstMs === undefined ? "" : `, ${minute(iso(firstMs))} to ${minute(iso(lastMs))}`;
  return [
    `${printable(seriesName(series))}: ${count(rows)} ${rows === 1 ? "row" : "rows"}${span}`,
    ...told.filter(([number]) => number > 0).map(([number, what]) => `  ${count(number)} ${what}`),
    ...(report.owed === 0 ? [] : [
      `  ${count(report.owed)} in between ${
        report.owed === 1 ? "is" : "are"
      } lacking, and owed by the exchange;`,
      "  --complete says that they do not exist",
    ]),
  ].join("\n");
}

function iso(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
