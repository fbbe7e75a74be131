/** `titan10 export`: writes candles, gaps or revisions as CSV or Parquet, by series and time range. @module */
import { type Command, Option } from "@commander-js/extra-typings";
import { csvField, csvWriter, spreadsheetField } from "../transfer/candle_csv.ts";
import { exportPages } from "../transfer/candle_export.ts";
import { COMPRESSIONS } from "../transfer/compressed_output.ts";
import { parquetWriter } from "../transfer/candle_parquet.ts";
import type { Output } from "../transfer/output.ts";
import { type DatasetFlags, refuseForDataset, writeDataset } from "./export_dataset.ts";
import {
  chosenBy,
  type ExportFlags,
  type FlagRefusal,
  isMarked as hasMarks,
  refuse,
} from "./export_flags.ts";
import { type OutputFormat, outputFormat } from "./export_format.ts";
import { exportForFreqtrade, freqtradeOptions } from "./export_freqtrade.ts";
import { fundingFlagProblem, writeFunding } from "./export_funding.ts";
import { recordFlagProblem, writeRecords } from "./export_records.ts";
import { exportedPages } from "./exported_pages.ts";
import { nameFlag } from "./name_flag.ts";
import { addSettingFlags, type Flags } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { count } from "./text.ts";
import { timeFlag } from "./time_flag.ts";
import { writeOutput } from "./written_output.ts";

const HELP = `
Candles come series by series, oldest first, and are read in pages: a large
archive needs no more memory than a small one. A file has its name only when it
is complete; pipes and devices get what is read at once.

The ending says what is written: .csv, .csv.gz, .csv.zst or .parquet. Without an
ending, and on standard output, it is CSV or what --format and --compress say.
CSV keeps every digit. Parquet holds prices and volumes as doubles, which all
programs can read, or with --numbers exact as DECIMAL(38, 18). Exchanges choose
the names of their markets, which may look like formulas: --quote-formulas makes
CSV safe for a spreadsheet.

A candle that came over a stream is provisional until an answer of the exchange
confirms it, gives it other values or takes it back. These are left out, and
merged candles that are made of one. --provisional writes them, too, and adds a
last column, provisional, which is true for them. --final-only also leaves out
what closed only just, before candles are merged.

The column volume is as the exchange gives it: of contracts it may count these,
or the quote currency. volume_base is the volume in the base currency, empty
where it does not follow exactly; by it merged candles are weighted.

A --timeframe of ROLLUPS is written where it is not archived itself; --source
rollup writes only what is calculated. A candle is left out while candles in it
may still come.

--what gaps writes where candles are missing, since when and why, --what
revisions the values that stored candles had before, and those that replaced
them, --what funding the funding rates of perpetuals.

--format freqtrade writes DIR/<exchange>/BTC_USDT-1h.feather and the like, for
-o DIR, which is freqtrade's user_data/data; files of these names are replaced.
With a contract come its mark prices by the hour, made of finer ones where only
those are archived, and its funding rates. The volume is that in the base
currency: series of which it is not known are left out, and the exit code is 1.

--dataset DIR writes candles.parquet in DIR/timeframe=1m/exchange=binance/
month=2024-03 and the like, final candles only, for DuckDB, Polars, pandas or
Spark to read as one table. Run again, it writes only the months that have
changed. Give it the same flags each time. DIR/_manifest.json names the files,
and _candles.json beside each says what it covers and why candles are missing.

While the daemon uses the embedded database, all comes from the daemon.`;

/** Adds the command's options and its action. */
export function makeExport(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .option(
      "-o, --output <file>",
      "file to write; standard output by default or with -; freqtrade's folder of data",
    )
    .addOption(
      new Option(
        "--format <format>",
        "csv, parquet, or freqtrade for a folder of feather files; by default as the file's name says",
      ).choices(["csv", "parquet", "freqtrade"]),
    )
    .addOption(new Option("--compress <method>", "compress CSV").choices(COMPRESSIONS))
    .addOption(
      new Option("--what <what>", "what to write: see below")
        .choices(["candles", "gaps", "revisions", "funding"]).default("candles"),
    )
    .option(
      "--dataset <place>",
      "keep a dataset of Parquet files, in a folder or s3://bucket/prefix, in step with the archive: see below",
    )
    .option("--dry-run", "of a dataset, write nothing and say which files would be")
    .option("--exchange <ids>", "only these, separated by commas", nameFlag)
    .option("--symbol <symbols>", "only these, separated by commas", nameFlag)
    .option("--timeframe <timeframes>", "only these, separated by commas", nameFlag)
    .option("--since <time>", "from this time on: 2024-01-31 or 2024-01-31T12:00Z", timeFlag)
    .option("--until <time>", "before this time", timeFlag)
    .option("--final-only", "leave out candles that may still change: see below")
    .option("--provisional", "also candles of streams, marked as such: see below")
    .addOption(new Option("--mark-provisional", "what --provisional was called").hideHelp())
    .addOption(
      new Option(
        "--source <source>",
        "each exchange's own candles, merged ones, or those of ROLLUPS",
      ).choices(["exchange", "merged", "rollup"]).default("exchange"),
    )
    .addOption(
      new Option(
        "--merge <method>",
        "how to merge: primary takes the first exchange that has the candle, in the order of --exchange or else of volume; volume weights by volume in the base currency",
      ).choices(["primary", "volume"]).default("primary"),
    )
    .option(
      "--quote-formulas",
      "in CSV, put an apostrophe before text that a spreadsheet would calculate",
    )
    .addOption(
      new Option("--numbers <numbers>", "numbers in Parquet: see below").choices([
        "double",
        "exact",
      ]),
    )
    .addHelpText("after", HELP);
  addSettingFlags(command, ["DATA_DIR", "LOG_LEVEL"]).action((flags: unknown) =>
    perform(() => exportAsked(shell, flags as ExportFlags & DatasetFlags & Flags, command))
  );
}

/** Exports what the flags ask for, in their format. */
async function exportAsked(
  shell: Shell,
  flags: ExportFlags & DatasetFlags & Flags,
  command: FlagRefusal,
): Promise<ExitCode> {
  if (flags.dataset !== undefined) {
    refuseForDataset(flags, command);
    return await writeDataset(shell, flags);
  }
  if (flags.dryRun === true) refuse(command, "--dry-run is only for --dataset");
  if (flags.format === "freqtrade") {
    return await exportForFreqtrade(shell, flags, freqtradeOptions(flags, command));
  }
  const { format, compression } = outputFormat(flags, command);
  if (flags.numbers !== undefined && format === "csv") {
    refuse(command, "--numbers is only for Parquet; CSV always keeps every digit");
  }
  if (flags.quoteFormulas === true && format === "parquet") {
    refuse(
      command,
      "--quote-formulas is only for CSV; spreadsheets calculate nothing in Parquet",
    );
  }
  const problem = flagProblem(flags);
  if (problem !== undefined) refuse(command, problem);
  const path = flags.output;
  const written = await writeOutput(
    shell,
    path,
    (output) => writeAsked(shell, flags, { output, format }),
    { compression },
  );
  if (written === undefined) return EXIT.done;
  const { rows, what } = written;
  if (path !== undefined && path !== "-") shell.tell(`${what} in ${path}`);
  else if (rows === 0) shell.tell(`${what}: there are none in that range`);
  return EXIT.done;
}

/** Why flags do not go together with what is to be written; undefined when they do. */
function flagProblem(flags: ExportFlags): string | undefined {
  if (flags.what === "candles") return undefined;
  return flags.what === "funding" ? fundingFlagProblem(flags) : recordFlagProblem(flags);
}

interface Writing {
  readonly output: Output;
  readonly format: OutputFormat["format"];
}

interface Written {
  readonly rows: number;
  /** How many of what, in words. */
  readonly what: string;
}

function writeAsked(
  shell: Shell,
  flags: ExportFlags & Flags,
  writing: Writing,
): Promise<Written> {
  const { what } = flags;
  if (what === "candles") return writeCandles(shell, flags, writing);
  if (what === "funding") return writeFunding(shell, flags, writing);
  return writeRecords(shell, flags, { what, ...writing });
}

/** Writes the candles. Returns how many of how many series, in words. */
async function writeCandles(
  shell: Shell,
  flags: ExportFlags & Flags,
  { output, format }: Writing,
): Promise<Written> {
  const isMerged = flags.source === "merged";
  const isMarked = hasMarks(flags);
  const writer = format === "csv"
    ? csvWriter(output, {
      isMerged,
      isMarked,
      field: flags.quoteFormulas === true ? spreadsheetField : csvField,
    })
    : parquetWriter(output, { isMerged, isMarked, numbers: flags.numbers ?? "double" });
  const pages = exportedPages(shell, flags, {
    asked: {
      ...chosenBy(flags),
      timeframes: flags.timeframe ?? [],
      merge: isMerged ? flags.merge : null,
      isRollup: flags.source === "rollup",
      isFinalOnly: flags.finalOnly === true,
      isMarked,
    },
    read: exportPages,
  });
  const series = new Set<string>();
  let rows = 0;
  for await (const page of pages) {
    await writer.write(page);
    series.add(`${page.exchange} ${page.symbol} ${page.timeframe}`);
    rows += page.rows.length;
  }
  await writer.finish();
  return { rows, what: `${count(rows)} candles of ${count(series.size)} series` };
}
