/** `titan10 export --format freqtrade`: a folder of feather files, as freqtrade's backtests read them. @module */
import { dirname, join } from "node:path";
import { requireArchive } from "../store/connection/migrations.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";
import { featherWriter } from "../transfer/feather.ts";
import {
  type FreqtradePage,
  freqtradePages,
  type FreqtradeRequest,
  type Lack,
} from "../transfer/freqtrade_pages.ts";
import { openOutput, type Output } from "../transfer/output.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count } from "./text.ts";
import { pagesOfArchive } from "./with_archive.ts";

/** At most this many names stand in a message. */
const NAMES_MAX = 3;

/** Ends the command over a flag that it cannot follow. */
export interface FlagRefusal {
  error(message: string, options: { exitCode: number }): never;
}

interface FreqtradeFlags {
  readonly what: "candles" | "funding";
  readonly output?: string;
  readonly exchange?: readonly string[];
  readonly symbol?: readonly string[];
  readonly timeframe?: readonly string[];
  readonly since?: number;
  readonly until?: number;
  readonly finalOnly?: true;
  readonly source: "exchange" | "merged";
  readonly markProvisional?: true;
  readonly numbers?: string;
  readonly quoteFormulas?: true;
}

interface FolderOptions {
  /** freqtrade's `user_data/data`. */
  readonly folder: string;
  readonly request: FreqtradeRequest;
}

/** What the flags mean for freqtrade, which wants no others. */
export function freqtradeOptions(flags: FreqtradeFlags, command: FlagRefusal): FolderOptions {
  const refuse = (message: string): never =>
    command.error(`error: ${message}`, { exitCode: EXIT.usage });
  const { output: folder } = flags;
  if (folder === undefined || folder === "-") {
    return refuse(
      "--format freqtrade writes a folder of files: name it with -o, such as -o user_data/data",
    );
  }
  if (flags.source === "merged") {
    refuse("--format freqtrade is only for each exchange's own candles: leave out --source merged");
  }
  if (flags.what === "funding") {
    refuse("--format freqtrade writes candles and funding rates: leave out --what funding");
  }
  const without = [
    ["--numbers", flags.numbers],
    ["--quote-formulas", flags.quoteFormulas],
    ["--mark-provisional", flags.markProvisional],
  ].find(([, value]) => value !== undefined);
  if (without !== undefined) {
    refuse(`${without[0]} is not for --format freqtrade, whose files have fixed columns`);
  }
  return {
    folder,
    request: {
      layout: "freqtrade",
      exchanges: flags.exchange ?? [],
      symbols: flags.symbol ?? [],
      timeframes: flags.timeframe ?? [],
      sinceMs: flags.since ?? null,
      untilMs: flags.until ?? null,
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
  // Keep the permission to write: files are made as their candles come.
  const ground = {
    ...await readGround(shell, flags, { logLevelDefault: "error" }),
    giveUp: undefined,
  };
  const pages = pagesOfArchive(ground, {
    here: async function* (database): AsyncGenerator<FreqtradePage, void> {
      await requireArchive(database);
      yield* freqtradePages(database, request);
    },
    path: "/export",
    asked: request,
  });
  const files = new Files(shell, folder);
  const lacks: Lack[] = [];
  try {
    for await (const page of pages) {
      shell.signal.throwIfAborted();
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

/** The files of a folder, written one after the other. Each has its name only when it is complete. */
class Files {
  written = 0;
  rows = 0;
  readonly #shell: Shell;
  readonly #folder: string;
  #current: { readonly file: string; readonly output: Output; rows: number } | undefined;
  #writer: ReturnType<typeof featherWriter> | undefined;

  constructor(shell: Shell, folder: string) {
    this.#shell = shell;
    this.#folder = folder;
  }

  async write({ file, rows }: Exclude<FreqtradePage, Lack>): Promise<void> {
    if (this.#current?.file !== file) {
      await this.finish();
      const path = join(this.#folder, file);
      await makeFolder(dirname(path));
      const output = await openOutput(this.#shell, path);
      this.#current = { file, output, rows: 0 };
      this.#writer = featherWriter(output);
    }
    await this.#writer!.write(rows);
    this.#current!.rows += rows.length;
  }

  /** Gives the file that is being written its name. */
  async finish(): Promise<void> {
    if (this.#current === undefined) return;
    const { output, rows } = this.#current;
    await this.#writer!.finish();
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
    const more = names.length - NAMES_MAX;
    const named = names.slice(0, NAMES_MAX).join(", ") +
      (more > 0 ? ` and ${count(more)} more` : "");
    return [LACKS[lacks](`${count(names.length)} ${nounOf(lacks, names.length)} (${named})`)];
  });
}

function nounOf(lacks: Lack["lacks"], number: number): string {
  if (lacks === "volume") return "series";
  return number === 1 ? "perpetual" : "perpetuals";
}
