/** `titan10 export --format freqtrade`: a folder of feather files, as freqtrade's backtests read them. @module */
import { dirname, join } from "node:path";
import { someNames } from "../market/event.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";
import { type FeatherWriter, featherWriter } from "../transfer/feather.ts";
import {
  type FreqtradePage,
  freqtradePages,
  type FreqtradeRequest,
  type Lack,
} from "../transfer/freqtrade_pages.ts";
import { openOutput, type Output } from "../transfer/output.ts";
import { chosenBy, type ExportFlags, type FlagRefusal, isMarked, refuse } from "./export_flags.ts";
import { exportedPages } from "./exported_pages.ts";
import type { Flags } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count } from "./text.ts";

interface FolderOptions {
  /** freqtrade's `user_data/data`. */
  readonly folder: string;
  readonly request: FreqtradeRequest;
}

/** What the flags mean for freqtrade, which wants no others. */
export function freqtradeOptions(flags: ExportFlags, command: FlagRefusal): FolderOptions {
  const { output: folder } = flags;
  if (folder === undefined || folder === "-") {
    return refuse(
      command,
      "--format freqtrade writes a folder of files: name it with -o, such as -o user_data/data",
    );
  }
  if (flags.source !== "exchange") {
    refuse(
      command,
      `--format freqtrade is only for each exchange's own candles: leave out --source ${flags.source}`,
    );
  }
  if (flags.what !== "candles") {
    refuse(
      command,
      `--format freqtrade writes candles and funding rates: leave out --what ${flags.what}`,
    );
  }
  const without = [
    ["--numbers", flags.numbers],
    ["--quote-formulas", flags.quoteFormulas],
    ["--provisional", isMarked(flags) || undefined],
    ["--compress", flags.compress],
  ].find(([, value]) => value !== undefined);
  if (without !== undefined) {
    refuse(command, `${without[0]} is not for --format freqtrade, whose files have fixed columns`);
  }
  return {
    folder,
    request: {
      layout: "freqtrade",
      ...chosenBy(flags),
      timeframes: flags.timeframe ?? [],
      isFinalOnly: flags.finalOnly === true,
    },
  };
}

/** Writes the folder. Fails where a series had to be left out. */
export async function exportForFreqtrade(
  shell: Shell,
  flags: Flags,
  { folder, request }: FolderOptions,
): Promise<ExitCode> {
  const pages = exportedPages(shell, flags, { asked: request, read: freqtradePages });
  const files = new Files(shell, folder);
  const lacks: Lack[] = [];
  try {
    for await (const page of pages) {
      if ("lacks" in page) {
        if (page.lacks === "volume") await files.leaveOut(page.file);
        lacks.push(page);
      } else await files.write(page);
    }
    await files.finish();
  } finally {
    await files.close();
  }
  const { written, rows } = files;
  shell.tell(
    written === 0
      ? "0 candles: there are none in that range"
      : `${count(rows)} rows in ${count(written)} ${written === 1 ? "file" : "files"} in ${folder}`,
  );
  for (const line of lackLines(lacks)) shell.tell(line);
  return lacks.some(({ lacks }) => lacks === "volume") ? EXIT.failed : EXIT.done;
}

interface OpenFile {
  readonly file: string;
  readonly output: Output;
  readonly writer: FeatherWriter;
  rows: number;
}

/** The files of a folder, written one after the other. Each has its name only when it is complete. */
class Files {
  written = 0;
  rows = 0;
  readonly #shell: Shell;
  readonly #folder: string;
  #current: OpenFile | undefined;

  constructor(shell: Shell, folder: string) {
    this.#shell = shell;
    this.#folder = folder;
  }

  async write({ file, rows }: Exclude<FreqtradePage, Lack>): Promise<void> {
    if (this.#current?.file !== file) {
      await this.finish();
      this.#current = await this.#open(file);
    }
    await this.#current.writer.write(rows);
    this.#current.rows += rows.length;
  }

  async #open(file: string): Promise<OpenFile> {
    const path = join(this.#folder, file);
    await makeFolder(dirname(path));
    const output = await openOutput(this.#shell, path);
    return { file, output, writer: featherWriter(output), rows: 0 };
  }

  /** Gives the file that is being written its name. */
  async finish(): Promise<void> {
    if (this.#current === undefined) return;
    const { output, writer, rows } = this.#current;
    await writer.finish();
    await output.finish();
    this.#current = undefined;
    this.written++;
    this.rows += rows;
  }

  /** Writes no more of a file, of which nothing remains. */
  async leaveOut(file: string): Promise<void> {
    if (this.#current?.file === file) await this.close();
  }

  /** Removes what is there of the file that is being written. */
  async close(): Promise<void> {
    await this.#current?.output.close();
    this.#current = undefined;
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    throw new Error(`Cannot create ${path}: ${fileReason(errorText(error))}`, { cause: error });
  }
}

const LACKS: Readonly<Record<Lack["lacks"], (names: string) => string>> = {
  volume: (names) =>
    `Left out: ${names}, of which the volume in the base currency, which freqtrade reads, is not known`,
  mark: (names) =>
    `freqtrade needs mark prices for backtests of futures. None are archived by the hour or finer of ${names}: ` +
    "add the symbol with @mark to SYMBOLS, and 1h to TIMEFRAMES",
  hours: (names) =>
    `freqtrade needs candles of 1h for backtests of futures. None are archived of ${names}: add 1h to TIMEFRAMES`,
  funding: (names) =>
    `freqtrade needs funding rates for backtests of futures. None are archived of ${names}`,
};

function lackLines(all: readonly Lack[]): readonly string[] {
  return (Object.keys(LACKS) as Lack["lacks"][]).flatMap((lacks) => {
    const names = all.filter((one) => one.lacks === lacks).map(({ of }) => of);
    if (names.length === 0) return [];
    const noun = nounOf(lacks, names.length);
    return [LACKS[lacks](`${count(names.length)} ${noun} (${someNames(names)})`)];
  });
}

function nounOf(lacks: Lack["lacks"], number: number): string {
  if (lacks === "volume") return "series";
  return number === 1 ? "perpetual" : "perpetuals";
}
