/** `titan10 import`: adds candles from files to the archive. @module */
import { lookThroughImport } from "../gap/look_through.ts";
import type { Command } from "@commander-js/extra-typings";
import { exchangeIds } from "../exchange/ccxt.ts";
import { seriesName } from "../market/series.ts";
import type { Ground } from "../daemon/open_archive.ts";
import type { Database } from "../store/connection/database.ts";
import { StoreError } from "../store/connection/store_error.ts";
import { readCheckpoints } from "../store/ledger.ts";
import { errorText } from "../text/redact.ts";
import type { FileOptions } from "../transfer/candle_file.ts";
import { listFiles } from "../transfer/file_list.ts";
import { importFiles } from "../transfer/import_batch.ts";
import type { AskedImport, ImportFlags } from "./asked_import.ts";
import { tryImport } from "./import_dry_run.ts";
import { addFormatFlags, formatOf } from "./import_format_flags.ts";
import { ImportProgressLines } from "./import_progress.ts";
import { importDocument, importText, onlyCutText, refusalText } from "./import_report.ts";
import { ImportSum } from "./import_sum.ts";
import { LateArchive } from "./late_archive.ts";
import { addSettingFlags, type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { count } from "./text.ts";
import { timeFlag } from "./time_flag.ts";

const HELP = `
Files of exchanges, programs and sellers are known by their head or name, or by
--preset; docs/files.md has them all. Any other file names time, open, high,
low, close and volume in its first line or by --columns. Without names, their
order and the unit of the volume are taken only if all rows prove them. Times
are ISO 8601 in UTC or numbers since 1970, or as --time-format says. Folders are
searched with all below them; members of archives are files, too.

Each file is checked as a whole before anything of it is stored. It is refused
if a line lacks fields, a date does not exist, the rows are of another timeframe
or of several instruments, or the volume counts something else than that of the
exchange; the message names the line and the option that helps. A file that is
refused stops no other: the exit code is 1 then. If a file names instruments,
--symbol chooses one.

Rows are checked like those of an exchange: malformed ones go to the table
rejected_candles, candles that have not closed are left out. If a candle is
stored already with other values, it is kept and the file's values go to the
table import_conflicts; files are read in the order of their names. With
--replace the file's values are stored and the old ones go to candle_revisions.

Only the candles in the files count as fetched. What lies between them is still
requested from the exchange, unless --complete says that it does not exist:
between --since and --until, or without these from a file's first candle to its
last. The table imports records which file brought what. If an import is
stopped, run the same command again: files that were imported as a whole with
the same options are not imported again, unless --again says so.`;

/** Adds the command's options and its action. */
export function makeImport(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .argument("<file...>", "files, folders, or patterns as 'data/*.zip'; - is standard input")
    .option("--exchange <id>", "for a file that does not name it")
    .option("--symbol <symbol>", "for a file that does not name it")
    .option("--timeframe <timeframe>", "for a file that does not name it")
    .option("--instrument <name>", "import only rows with this instrument name")
    .option("--since <time>", "only from this time on: 2024-01-31 or 2024-01-31T12:00Z", timeFlag)
    .option("--until <time>", "stop before this time", timeFlag)
    .option("--complete", "candles that are not in the file do not exist")
    .option("--replace", "replace stored candles that differ")
    .option("--again", "import files again that were imported before")
    .option("--dry-run", "store nothing: show how each file is understood")
    .option("--json", "print JSON")
    .addHelpText("after", HELP);
  addFormatFlags(command as unknown as Command);
  addSettingFlags(command as unknown as Command, ["DATA_DIR", "COMPRESS_AFTER", "LOG_LEVEL"]);
  command.action((named, flags: unknown) =>
    perform(() => importNamed(shell, named, flags as ImportFlags & Flags))
  );
}

async function importNamed(
  shell: Shell,
  named: readonly string[],
  flags: ImportFlags & Flags,
): Promise<ExitCode> {
  const ground = await readGround(shell, flags, {
    logLevelDefault: "error",
    keepsPermissions: true,
  });
  const list = await listFiles(named, { signal: shell.signal });
  const format: FileOptions = {
    exchange: flags.exchange,
    symbol: flags.symbol,
    timeframe: flags.timeframe,
    instrument: flags.instrument,
    ...formatOf(flags),
    knownExchanges: await exchangeIds(),
  };
  const asked = { shell, ground, flags, list, format };
  return flags.dryRun === true ? await tryImport(asked) : await importListed(asked);
}

async function importListed(asked: AskedImport): Promise<ExitCode> {
  const { shell, ground, flags, list } = asked;
  const sum = new ImportSum(list.files.length, list.leftOut);
  const archive = new LateArchive(ground);
  let ended: { readonly error: unknown } | undefined;
  try {
    await importAll(asked, { sum, archive }).catch((error: unknown) => ended = { error });
    const opened = await archive.opened();
    if (opened !== undefined) {
      await noteImported(ground, opened.database, sum);
      if (ended === undefined) await settle(ground, opened.database, sum);
    }
  } finally {
    await archive.close();
  }
  const { refusedAlone } = sum;
  if (ended === undefined && refusedAlone !== undefined) throw refusedAlone.error;
  const cut = onlyCutText(sum);
  if (cut !== undefined) shell.tell(cut);
  if (ended === undefined || sum.tables > 0) {
    shell.print(flags.json === true ? JSON.stringify(importDocument(sum)) : importText(sum));
  }
  if (ended !== undefined) throw sum.files === 1 ? ended.error : leftError(ended.error, sum);
  return sum.refusals === 0 ? EXIT.done : EXIT.failed;
}

/** @throws what ended the import early. */
async function importAll(
  { shell, ground, flags, list, format }: AskedImport,
  { sum, archive }: { readonly sum: ImportSum; readonly archive: LateArchive },
): Promise<void> {
  const { files } = list;
  const bytes = files.reduce((total, { bytes }) => total + bytes, 0);
  const progress = new ImportProgressLines(shell, { files: files.length, bytes });
  const refuse = refuser(shell, list, sum);
  for (const { path, reason } of list.refused) refuse(path, new Error(reason));
  try {
    await importFiles({ ...ground, open: () => archive.open() }, files, {
      format,
      reading: readingOf(flags),
      sinceMs: flags.since,
      untilMs: flags.until,
      isComplete: flags.complete === true,
      replaces: flags.replace === true,
      isAgain: flags.again === true,
      atOnce: atOnceOf(ground),
      input: shell.input,
      signal: shell.signal,
      onTaken: (table) => sum.take(table),
      onRefused: refuse,
      onLeftOut: (path) => sum.leaveOut(path),
      onProgress: (now) => {
        sum.filesDone = now.filesDone;
        progress.update(now);
      },
    });
  } finally {
    progress.end();
  }
}

/** Counts what is refused, and tells of it at once: who watches may stop the rest. */
function refuser(
  shell: Shell,
  { files, refused }: AskedImport["list"],
  sum: ImportSum,
): (path: string, error: unknown) => void {
  const isOnly = files.length + refused.length === 1;
  return (path, error) => {
    sum.refuse(path, error);
    // The only file's fault ends the command, which tells of it.
    if (!isOnly) shell.tell(`Refused: ${refusalText(path, errorText(error))}`);
  };
}

/** How the files are read, as it was asked for. What flags were parsed to has the text that it was parsed from. */
function readingOf(flags: ImportFlags): Readonly<Record<string, unknown>> {
  const { exchange, symbol, timeframe, instrument } = flags;
  const { nameTemplate, timeFormat, zone, ...texts } = formatOf(flags);
  return {
    ...{ exchange, symbol, timeframe, instrument, ...texts },
    nameTemplate: nameTemplate?.text,
    timeFormat: timeFormat?.name,
    zone: zone?.name,
  };
}

/** More files at once than processors only hold memory. */
const AT_ONCE_MAX = 4;

/** How many files are read at once. The embedded database has one connection. */
function atOnceOf({ config: { databaseUrl, dbPoolMax } }: Ground): number {
  if (databaseUrl === undefined) return 1;
  return Math.max(1, Math.min(dbPoolMax, navigator.hardwareConcurrency, AT_ONCE_MAX));
}

/** How many events wait at most until they are written. */
const EVENTS_AT_ONCE = 100;

/** One event a series, of however many files. */
async function noteImported(ground: Ground, database: Database, sum: ImportSum): Promise<void> {
  let noted = 0;
  for (const { report: { series, added, replaced }, tables, file } of sum.series) {
    const one = file === "-" ? "standard input" : file;
    const from = tables === 1 ? one : `${count(tables)} files`;
    ground.events?.note({
      kind: "imported",
      exchange: series.exchange,
      symbol: series.symbol,
      timeframe: series.timeframe.text,
      candles: added + replaced,
      text: `${seriesName(series)}: imported from ${from}`,
    });
    if (++noted % EVENTS_AT_ONCE === 0) await ground.events?.flush(database);
  }
}

/** Brings up to date what depends on all files. */
async function settle(ground: Ground, database: Database, sum: ImportSum): Promise<void> {
  if (sum.series.length === 0) return;
  await lookThroughImport({ ...ground, database });
  if (sum.series.every(({ tables }) => tables === 1)) return;
  const checkpoints = await readCheckpoints(database);
  const covered = new Map(checkpoints.map((one) => [seriesName(one.series), one.covered]));
  sum.settleOwed((series) => covered.get(seriesName(series)) ?? []);
}

/** The error of an import that ended early, with what is left. */
function leftError(error: unknown, { files, filesDone }: ImportSum): unknown {
  if (!(error instanceof StoreError)) return error;
  return new StoreError(
    error.kind,
    `${error.message}. ${count(filesDone)} of ${count(files)} files are done: ` +
      "run the same command again to go on",
    { cause: error },
  );
}
