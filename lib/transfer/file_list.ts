/** Finds the files that are meant by names of files, of folders, and by patterns that no shell has expanded. @module */
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";
import { hasWildcard, wildcard } from "../text/wildcard.ts";

/** A file that may hold candles. */
export interface ListedFile {
  readonly path: string;
  /** Its size; 0 where it is not known, as of standard input. */
  readonly bytes: number;
}

interface FileList {
  /** Always in the same order: as they were named, and within a folder by their names. Each file once. */
  readonly files: readonly ListedFile[];
  /** What was named and cannot be read, and what cannot be read of folders. */
  readonly refused: readonly RefusedFile[];
  /** Files of folders that are obviously something else. */
  readonly leftOut: LeftOutFiles;
}

export interface RefusedFile {
  readonly path: string;
  /** A sentence. */
  readonly reason: string;
}

export interface LeftOutFiles {
  readonly count: number;
  readonly first: readonly string[];
}

/** So many names fit in little memory; a tree with more is another one than was meant. */
const FILES_MAX = 1_000_000;

/** How many names are told. */
const TOLD_MAX = 3;

/** What `-` names. */
const STANDARD_INPUT = "-";

/**
 * Lists the files. Links are followed; a folder is read once, so links cannot lead in a circle. Of folders, hidden files and
 * those of other kinds are left out. A file that is named itself is always listed.
 *
 * @throws Error when there are too many.
 */
export async function listFiles(
  named: readonly string[],
  { signal }: { readonly signal: AbortSignal },
): Promise<FileList> {
  const list = new Listing(signal);
  for (const name of named) {
    if (name === STANDARD_INPUT) list.addFile(name, name, 0);
    else if (!hasWildcard(name) || await exists(name)) await list.addNamed(name);
    else await list.addMatching(name);
  }
  return list;
}

class Listing implements FileList {
  readonly files: ListedFile[] = [];
  readonly refused: RefusedFile[] = [];
  readonly leftOut = { count: 0, first: [] as string[] };
  readonly #signal: AbortSignal;
  /** Without links: a file or folder that is reached by two ways is one. */
  readonly #known = new Set<string>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  addFile(path: string, realPath: string, bytes: number): void {
    if (this.#known.has(realPath)) return;
    if (this.files.length === FILES_MAX) {
      throw new Error(
        `Cannot import more than ${FILES_MAX} files at once: name fewer of their folders`,
      );
    }
    this.#known.add(realPath);
    this.files.push({ path, bytes });
  }

  /** A file or folder that was named itself. */
  async addNamed(path: string): Promise<void> {
    await this.#try(path, async () => {
      const info = await Deno.stat(path);
      if (!info.isDirectory) return this.addFile(path, await Deno.realPath(path), info.size);
      const before = this.files.length + this.refused.length;
      const isNew = await this.#addFolder(path);
      if (!isNew || this.files.length + this.refused.length > before) return;
      throw new Error("it holds no file of candles");
    });
  }

  async addMatching(pattern: string): Promise<void> {
    const [first = "", ...parts] = pattern.split(/\/+/);
    const isAbsolute = pattern.startsWith("/");
    let folders = [isAbsolute ? "/" : ""];
    const segments = isAbsolute ? parts : [first, ...parts];
    const last = segments.at(-1) === "" ? segments.length - 2 : segments.length - 1;
    let matched = 0;
    for (let at = 0; at <= last; at++) {
      const next: string[] = [];
      for (const folder of folders) {
        for (const path of await this.#matching(folder, segments[at]!)) {
          if (at < last) next.push(path);
          else {
            matched++;
            await this.#addEntry(path);
          }
        }
      }
      folders = next;
    }
    if (matched > 0) return;
    this.refused.push({
      path: pattern,
      reason: `Cannot read ${printable(pattern)}: no file matches`,
    });
  }

  /** What matches one part of a pattern, by name. `**` is the folder and all below it. */
  async #matching(folder: string, part: string): Promise<readonly string[]> {
    if (!hasWildcard(part)) {
      const path = below(folder, part);
      return await exists(path) ? [path] : [];
    }
    const found: string[] = [];
    const names = await this.#namesIn(folder === "" ? "." : folder);
    if (part === "**") {
      found.push(folder);
      for (const { name, isDirectory } of names) {
        // Links are not followed here, as in a shell.
        if (!isDirectory || isHidden(name)) continue;
        for (const inner of await this.#matching(below(folder, name), part)) found.push(inner);
      }
      return found;
    }
    const expression = wildcard(part);
    return names.filter(({ name }) => expression.test(name)).map(({ name }) => below(folder, name));
  }

  /** Returns whether it was not read before. */
  async #addFolder(path: string): Promise<boolean> {
    const realPath = await Deno.realPath(path);
    if (this.#known.has(realPath)) return false;
    this.#known.add(realPath);
    for (const { name } of await this.#namesIn(path)) {
      const inner = below(path, name);
      if (isHidden(name)) this.#leaveOut(inner);
      else await this.#addEntry(inner);
    }
    return true;
  }

  /** What was found by a folder or a pattern. */
  async #addEntry(path: string): Promise<void> {
    await this.#try(path, async () => {
      const info = await Deno.stat(path);
      if (info.isDirectory) await this.#addFolder(path);
      else if (!info.isFile || isForeign(path)) this.#leaveOut(path);
      else this.addFile(path, await Deno.realPath(path), info.size);
    });
  }

  /** What a folder holds, by name: numbers in names count as numbers, so that months and days follow each other. */
  async #namesIn(folder: string): Promise<readonly Deno.DirEntry[]> {
    this.#signal.throwIfAborted();
    const entries: Deno.DirEntry[] = [];
    await this.#try(folder, async () => {
      for await (const entry of Deno.readDir(folder)) entries.push(entry);
    });
    return entries.sort((one, other) => byName(one.name, other.name));
  }

  #leaveOut(path: string): void {
    this.leftOut.count++;
    if (this.leftOut.first.length < TOLD_MAX) this.leftOut.first.push(path);
  }

  /** Refuses what cannot be read, and goes on. */
  async #try(path: string, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      if (this.files.length === FILES_MAX) throw error;
      this.#signal.throwIfAborted();
      const why = printable(fileReason(errorText(error)));
      this.refused.push({ path, reason: `Cannot read ${printable(path)}: ${why}` });
    }
  }
}

function below(folder: string, name: string): string {
  return folder === "" || folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}

const NATURAL = new Intl.Collator("en", { numeric: true });

function byName(one: string, other: string): number {
  return NATURAL.compare(one, other) || (one < other ? -1 : one > other ? 1 : 0);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** Names that begin with `_` are notes of those who write data sets: `_SUCCESS`, `_metadata`. */
function isHidden(name: string): boolean {
  return /^[._]/.test(name);
}

/** What people keep beside their data. Not `txt` or `json`, which may hold candles: those are read, and judged by their rows. */
const FOREIGN_ENDINGS = new Set(
  ("md rst pdf doc docx odt rtf html htm css js ts py pyc ipynb r jl sh bat ps1 exe dll so png jpg jpeg gif svg webp ico " +
    "mp4 log yaml yml toml ini cfg conf env xml sql db sqlite sqlite3 duckdb checksum md5 sha1 sha256 sha512 asc sig " +
    "torrent part partial crdownload tmp bak swp lock").split(" "),
);

const FOREIGN_NAMES =
  /^(?:readme|licen[cs]e|changelog|checksums?|makefile|dockerfile|thumbs\.db|manifest\.json)(?:\.\w+)?$/i;

function isForeign(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const ending = name.includes(".") ? name.slice(name.lastIndexOf(".") + 1).toLowerCase() : "";
  return FOREIGN_NAMES.test(name) || FOREIGN_ENDINGS.has(ending) || name.endsWith("~");
}
