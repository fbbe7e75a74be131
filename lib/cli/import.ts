/** `titan10 import`: adds candles from a CSV file to the archive. @module */
import { basename } from "node:path";
import { lookThroughImport } from "../gap/look_through.ts";
import { type Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { exchangeIds } from "../exchange/ccxt.ts";
import { type ImportReport, importRows } from "../transfer/candle_import.ts";
import { seriesName } from "../market/series.ts";
import { prepareDatabase } from "../daemon/open_archive.ts";
import { printable } from "../text/printable.ts";
import { readCandleFile } from "../transfer/candle_file.ts";
import type { LineFile } from "../transfer/file_lines.ts";
import { openTables } from "../transfer/open_tables.ts";
import { readZone } from "../market/csv_time.ts";
import { addSettingFlags, type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { count, minute } from "./text.ts";
import { timeFlag } from "./time_flag.ts";
import { withArchive } from "./with_archive.ts";

const HELP = `
The file is CSV as titan10 export writes it, or any other whose first line names
time, open, high, low, close and volume. Without names, the order of the columns
and the unit of the volume are taken only if all rows prove them. Times are ISO
8601 in UTC or numbers since 1970. Gzip is unpacked, whatever the file's name.

The whole file is checked before anything is stored. It is refused if a line
lacks fields, a date does not exist, the rows are of another timeframe or of
several instruments, or the volume counts contracts; the message names the line
and the option that helps. If a file names instruments, --symbol chooses one.

Rows are checked like those of an exchange: malformed ones go to the table
rejected_candles, candles that have not closed are left out. If a candle is
stored already with other values, it is kept and the file's values go to the
table import_conflicts. With --replace the file's values are stored and the old
ones go to candle_revisions.

Only the candles in the file count as fetched. What lies between them is still
requested from the exchange, unless --complete says that it does not exist:
between --since and --until, or without these from the file's first candle to
its last. The table imports records which file brought what. If an import is
stopped, run the same command again: it continues.`;

/** Adds the command's options and its action. */
export function makeImport(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .argument("<file>", "the file; - is standard input")
    .option("--exchange <id>", "for a file that does not name it")
    .option("--symbol <symbol>", "for a file that does not name it")
    .option("--timeframe <timeframe>", "for a file that does not name it")
    .option("--instrument <name>", "import only rows with this instrument name")
    .option(
      "--columns <names>",
      "names of the columns: time,open,high,low,close,volume,-",
      columnsFlag,
    )
    .option("--timezone <offset>", "time zone of times without one: +02:00", zoneFlag)
    .option("--since <time>", "only from this time on: 2024-01-31 or 2024-01-31T12:00Z", timeFlag)
    .option("--until <time>", "stop before this time", timeFlag)
    .option("--complete", "candles that are not in the file do not exist")
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
  readonly instrument?: string;
  readonly columns?: readonly string[];
  readonly timezone?: number;
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
  const input = path === "-" ? shell.input : undefined;
  for await (const file of openTables(path, { input, signal: shell.signal })) {
    await importTable(shell, { path, file }, flags);
  }
  return EXIT.done;
}

async function importTable(
  shell: Shell,
  { path, file }: { readonly path: string; readonly file: LineFile },
  flags: ImportFlags & Flags,
): Promise<void> {
  const ground = await readGround(shell, flags, { logLevelDefault: "error" });
  try {
    // Judged first: a file that is refused should not even make a database.
    const candles = await readCandleFile(file, {
      exchange: flags.exchange,
      symbol: flags.symbol,
      timeframe: flags.timeframe,
      instrument: flags.instrument,
      columns: flags.columns,
      zoneMs: flags.timezone,
      knownExchanges: await exchangeIds(),
    });
    const reports = await withArchive(ground, {
      here: async (database) => {
        const { timescaledb } = await prepareDatabase(database, ground);
        const reports = await importRows(
          { ...ground, database, hasTimescaledb: timescaledb !== null },
          candles.rows(),
          {
            file: path === "-" ? path : basename(path),
            sinceMs: flags.since,
            untilMs: flags.until,
            isComplete: flags.complete === true,
            isCut: candles.cutLine !== undefined,
            replaces: flags.replace === true,
            signal: shell.signal,
            sha256: file.sha256,
            onRows: shell.canRedraw ? (rows) => shell.draw([`${count(rows)} rows`]) : undefined,
          },
        );
        for (const { series, added, replaced } of reports) {
          const from = path === "-" ? "standard input" : basename(path);
          ground.events?.note({
            kind: "imported",
            exchange: series.exchange,
            symbol: series.symbol,
            timeframe: series.timeframe.text,
            candles: added + replaced,
            text: `${seriesName(series)}: imported from ${from}`,
          });
        }
        await lookThroughImport({ ...ground, database });
        return reports;
      },
    });
    if (shell.canRedraw) shell.draw([]);
    if (candles.cutLine !== undefined) {
      shell.tell(
        `Line ${candles.cutLine} is the last line and has no line end. It may be incomplete and was left out`,
      );
    }
    if (flags.json === true) shell.print(JSON.stringify({ series: reports.map(document) }));
    else for (const report of reports) shell.print(summary(report));
  } finally {
    await file.close();
  }
}

function columnsFlag(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}

/** How far a time zone is ahead of UTC. Milliseconds. */
function zoneFlag(text: string): number {
  const zoneMs = readZone(text.trim());
  if (zoneMs === undefined) throw new InvalidArgumentError("expected UTC or an offset, as +02:00");
  return zoneMs;
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
    [report.unclosed, "not closed, only just, or provisional: left out"],
    [report.blank, "without values: no candle"],
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
