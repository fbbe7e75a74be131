/** `titan10 export --dataset`: keeps a dataset of Parquet files in step with the archive. @module */
import { type DatasetReport, exportDataset } from "../transfer/dataset_export.ts";
import { datasetPages, type DatasetSource } from "../transfer/dataset_source.ts";
import { openPlace } from "../transfer/open_place.ts";
import { VERSION } from "../version.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import { streamDaemon } from "./control.ts";
import { chosenBy, type ExportFlags, type FlagRefusal, isMarked, refuse } from "./export_flags.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count } from "./text.ts";
import { withArchive } from "./with_archive.ts";

/** The flags that only a dataset has. */
export interface DatasetFlags {
  readonly dataset?: string;
  readonly dryRun?: true;
}

/** Ends the command over a flag that is not for datasets. */
export function refuseForDataset(flags: ExportFlags & DatasetFlags, command: FlagRefusal): void {
  const named = ([
    ["--output", flags.output !== undefined],
    ["--format", flags.format !== undefined],
    [`--what ${flags.what}`, flags.what !== "candles"],
    ["--compress", flags.compress !== undefined],
    [`--source ${flags.source}`, flags.source !== "exchange"],
    ["--quote-formulas", flags.quoteFormulas !== undefined],
    ["--provisional", isMarked(flags)],
  ] as const).find(([, isGiven]) => isGiven)?.[0];
  if (named !== undefined) {
    refuse(
      command,
      `${named} is not for --dataset, which writes Parquet files of candles that are final. Leave it out`,
    );
  }
}

/** Writes what has changed of the dataset, and says so. */
export async function writeDataset(
  shell: Shell,
  flags: ExportFlags & DatasetFlags & Flags,
): Promise<ExitCode> {
  const ground = await readGround(shell, flags, {
    logLevelDefault: "error",
    keepsPermissions: true,
  });
  const isDryRun = flags.dryRun === true;
  await using place = await openPlace(flags.dataset!, { ...ground, signal: shell.signal }, {
    isDryRun,
  });
  const run = (source: DatasetSource): Promise<DatasetReport> =>
    exportDataset({
      place,
      source,
      clock: shell.clock,
      signal: shell.signal,
      choice: { ...chosenBy(flags), timeframes: flags.timeframe ?? [] },
      numbers: flags.numbers ?? "double",
      program: `titan10 ${VERSION}`,
      isDryRun,
      onProgress: (done, months, rows) => {
        if (shell.canRedraw) {
          shell.draw([`${count(done)} of ${count(months)} months, ${count(rows)} candles written`]);
        }
      },
    });
  const report = await withArchive(ground, {
    mustExist: true,
    here: async (database) => {
      await requireArchive(database);
      return await run((request) => datasetPages(database, request));
    },
    daemon: () =>
      run((asked) =>
        streamDaemon(ground.config.dataDir, "/export", {
          asked,
          signal: shell.signal,
        }) as ReturnType<DatasetSource>
      ),
  });
  if (shell.canRedraw) shell.draw([]);
  for (const line of reportLines(report, { name: place.name, isDryRun })) {
    shell.tell(line);
  }
  return EXIT.done;
}

/** The most paths that a dry run names. */
const NAMED_MAX = 20;

function reportLines(
  { written, retold, removed, kept, rows, files, allRows }: DatasetReport,
  { name, isDryRun }: { readonly name: string; readonly isDryRun: boolean },
): readonly string[] {
  const also = [
    ...(retold.length > 0 ? [`${count(retold.length)} told why candles are missing`] : []),
    ...(removed.length > 0 ? [`${count(removed.length)} removed`] : []),
    `${count(kept)} unchanged`,
  ].join(", ");
  if (!isDryRun) {
    return [
      `${count(written.length)} ${written.length === 1 ? "file" : "files"} written with ${
        count(rows)
      } candles, ${also}`,
      `${name}: ${count(allRows)} candles in ${count(files)} ${files === 1 ? "file" : "files"}`,
    ];
  }
  const more = written.length - NAMED_MAX;
  return [
    `${count(written.length)} files would be written, ${also}`,
    ...written.slice(0, NAMED_MAX),
    ...(more > 0 ? [`and ${count(more)} more`] : []),
  ];
}
