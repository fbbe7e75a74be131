/** The manifest of a dataset while a run changes the files that it names. @module */
import type { DatasetArchive } from "../store/dataset_months.ts";
import {
  type DatasetFileEntry,
  type DatasetManifest,
  isoOf,
  manifestBytes,
  parseManifest,
  ROOT,
} from "./dataset_manifest.ts";
import type { MonthContext } from "./dataset_month.ts";
import { otherWriter } from "./dataset_place.ts";

interface RootContext extends Pick<MonthContext, "place" | "clock" | "choice" | "numbers"> {
  /** The program and its version. */
  readonly program: string;
  readonly archive: DatasetArchive;
}

/** So many files are written before the manifest is: what it lacks after a crash is found beside the files. */
const FILES_A_MANIFEST = 50;

/** Which files there are, by path. It is written before the first change, now and then, and at the end of a run with changes. */
export class DatasetRoot {
  readonly files = new Map<string, DatasetFileEntry>();
  readonly #context: RootContext;
  /** What the manifest is now; undefined where there is none. */
  #version: string | undefined;
  #isClaimed = false;
  #unnamed = 0;

  constructor(context: RootContext) {
    this.#context = context;
  }

  /** Reads it. @throws Error when this is not the dataset that is to be written */
  async read(present: Iterable<string>): Promise<void> {
    const { place, numbers, archive: { id, copiedFrom } } = this.#context;
    const refuse = (why: string): never => {
      throw new Error(`Cannot write the dataset ${place.name}: ${why}`);
    };
    const found = await place.read(ROOT);
    if (found === undefined) {
      const other = [...present].find((path) => !isUnfinished(path));
      if (other !== undefined) {
        const remedy = other.startsWith("timeframe=")
          ? `Bring ${ROOT} back from a copy, or give`
          : "Give";
        refuse(
          `it holds ${other}, and no ${ROOT}. ${remedy} an empty place, or one that does not exist`,
        );
      }
      return;
    }
    const manifest = parseManifest(found.bytes, `${ROOT} of ${place.name}`);
    this.#version = found.version;
    if (manifest.archive !== id && manifest.archive !== copiedFrom) {
      refuse(
        `it is of another archive (${manifest.archive}; this one is ${id}). Give another place`,
      );
    }
    const made = flagsOf(manifest.numbers, manifest.choice);
    const asked = flagsOf(numbers, this.#choice());
    if (made !== asked) {
      refuse(
        `it was made with ${made}, and this command has ${asked}. Give the same flags, or another place`,
      );
    }
    for (const file of manifest.files) this.files.set(file.path, file);
  }

  /** Call before the first change: another program that writes here finds out by it. */
  async claim(): Promise<void> {
    if (this.#isClaimed) return;
    this.#isClaimed = true;
    await this.#replace();
    await this.#refuseOneCase();
  }

  /** Enters a file that was written. */
  async enter(entry: DatasetFileEntry): Promise<void> {
    this.files.set(entry.path, entry);
    this.#unnamed++;
    if (this.#unnamed >= FILES_A_MANIFEST) await this.#replace();
  }

  /** Call at the end. Without a change nothing is written. */
  async finish(): Promise<void> {
    if (this.#isClaimed) await this.#replace();
  }

  async #replace(): Promise<void> {
    const { place, clock, numbers, program, archive } = this.#context;
    const manifest: DatasetManifest = {
      schema: 1,
      program,
      archive: archive.id,
      writtenAt: isoOf(clock.now()),
      numbers,
      choice: this.#choice(),
      files: [...this.files.values()].sort((a, b) => a.path < b.path ? -1 : 1),
    };
    const bytes = manifestBytes({ list: "files", ...manifest });
    await place.replace(ROOT, bytes, this.#version);
    const written = await place.read(ROOT);
    if (written === undefined || !isSame(written.bytes, bytes)) throw otherWriter(place.name, ROOT);
    this.#version = written.version;
    this.#unnamed = 0;
  }

  /** @throws Error where names that differ in case alone are one: `timeframe=1m` and `timeframe=1M` would be. */
  async #refuseOneCase(): Promise<void> {
    const { place } = this.#context;
    if (await place.read(ROOT.toUpperCase()) === undefined) return;
    throw new Error(
      `Cannot write the dataset ${place.name}: this place does not tell capital letters from small ones, ` +
        "as in timeframe=1M and timeframe=1m. Give another place",
    );
  }

  #choice(): DatasetManifest["choice"] {
    const { exchanges, symbols, timeframes, sinceMs, untilMs } = this.#context.choice;
    return {
      exchanges: [...exchanges].sort(),
      symbols: [...symbols].sort(),
      timeframes: [...timeframes].sort(),
      since: sinceMs === null ? null : isoOf(sinceMs),
      until: untilMs === null ? null : isoOf(untilMs),
    };
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** Whether a killed run has left a file. */
export function isUnfinished(path: string): boolean {
  return /(^|\/)\.[^/]*\.unfinished$/.test(path);
}

/** What is chosen, as flags, for people and to compare. */
function flagsOf(numbers: string, choice: DatasetManifest["choice"]): string {
  const lists = ([
    ["exchange", choice.exchanges],
    ["symbol", choice.symbols],
    ["timeframe", choice.timeframes],
  ] as const).filter(([, names]) => names.length > 0)
    .map(([flag, names]) => `--${flag} ${names.join(",")}`);
  return [
    `--numbers ${numbers}`,
    ...lists,
    ...(choice.since === null ? [] : [`--since ${choice.since}`]),
    ...(choice.until === null ? [] : [`--until ${choice.until}`]),
  ].join(" ");
}
