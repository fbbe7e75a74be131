/** Opens a file of candles, whatever it is packed in: one table of lines, or several, each read as often as needed. @module */
import { basename } from "node:path";
import { openArrow } from "./arrow_table.ts";
import { openParquet } from "./parquet_table.ts";
import { type ColumnFile, columnTable } from "./table_lines.ts";
import { printable } from "../text/printable.ts";
import { type ByteSource, explain, KeptFile } from "./byte_source.ts";
import { containerOf } from "./file_kind.ts";
import { textTable } from "./file_text.ts";
import { NO_TABLE_BYTES, noTable } from "./no_table.ts";
import { RandomFile } from "./random_file.ts";
import type { FileLine, LineFile } from "./file_lines.ts";
import { zipMembers } from "./zip_members.ts";

interface OpenOptions {
  /** Read instead of the path, if given. */
  readonly input: ReadableStream<Uint8Array> | undefined;
  readonly signal: AbortSignal;
  /** Called with what is left out of an archive because it is no table, and why. */
  readonly onLeftOut?: ((path: string, why: string) => void) | undefined;
  /** Called with how many bytes of the file were read, packed as they are, each time that some were. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/** Archives in archives in archives are refused. */
const ARCHIVES_MAX = 2;

/**
 * The tables of a file: one, or the members of a ZIP, one after the other. Each is to be closed before the next. A member
 * that cannot be read is a table, too, whose lines say why.
 *
 * @throws Error
 */
export async function* openTables(
  path: string,
  options: OpenOptions,
): AsyncGenerator<LineFile, void> {
  await using kept = await KeptFile.open(path, options);
  const name = path === "-" ? "" : basename(path);
  yield* tablesOf(counted(kept.source({ path, name }), options), options, 0);
}

function counted(source: ByteSource, { onBytes }: OpenOptions): ByteSource {
  if (onBytes === undefined) return source;
  return {
    ...source,
    async *bytes(reading): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of source.bytes(reading)) {
        onBytes(chunk.length);
        yield chunk;
      }
    },
  };
}

/** @param depth How many archives it lies in. */
async function* tablesOf(
  source: ByteSource,
  options: OpenOptions,
  depth: number,
): AsyncGenerator<LineFile, void> {
  const { path } = source;
  const first = await explain(path, () => firstBytes(source));
  const container = containerOf(first);
  const why = depth === 0 || container !== undefined ? undefined : noTable(first);
  if (why !== undefined) return options.onLeftOut?.(path, why);
  if (container === undefined) {
    yield textTable(source, options.signal);
    return;
  }
  await using kept = await explain(path, () => keep(source, options.signal));
  const onDisk = { ...kept.source(source), kept: kept.kept };
  if (container === "zip") {
    yield* membersOf(onDisk, options, depth);
    return;
  }
  const open = (file: RandomFile): Promise<ColumnFile> =>
    container === "parquet" ? openParquet(file) : openArrow(file, container);
  yield columnTable(onDisk, { open, signal: options.signal });
}

async function* membersOf(
  archive: ByteSource & { readonly kept: string },
  options: OpenOptions,
  depth: number,
): AsyncGenerator<LineFile, void> {
  const { path } = archive;
  if (depth === ARCHIVES_MAX) {
    throw new Error(
      `Cannot read ${printable(path)}: it is an archive within archives: unpack it first`,
    );
  }
  using file = new RandomFile(archive.kept, depth === 0 ? options.onBytes : undefined);
  const members = zipMembers(file, archive);
  let tables = 0;
  for (;;) {
    options.signal.throwIfAborted();
    const { done, value: member } = await explain(path, () => members.next());
    if (done === true) break;
    try {
      for await (const table of tablesOf(member, options, depth + 1)) {
        tables++;
        yield table;
      }
    } catch (error) {
      options.signal.throwIfAborted();
      tables++;
      yield failedTable(member, error);
    }
  }
  if (tables === 0 && depth === 0) {
    throw new Error(`Cannot read ${printable(path)}: it is a ZIP archive without a table`);
  }
}

/** A table that cannot be read: the others of its archive may be. */
function failedTable({ path, name, writtenMs }: ByteSource, error: unknown): LineFile {
  return {
    path,
    name,
    writtenMs,
    place: (line) => `line ${line}`,
    // deno-lint-ignore require-yield -- It has none.
    async *lines(): AsyncGenerator<FileLine, void> {
      throw await Promise.resolve(error);
    },
    sha256: () => "",
    close: () => Promise.resolve(),
  };
}

/** The first bytes, as many as show what it is. */
async function firstBytes(source: ByteSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source.bytes()) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= NO_TABLE_BYTES) break;
  }
  return new Uint8Array(
    await new Blob(chunks as BlobPart[]).slice(0, NO_TABLE_BYTES).arrayBuffer(),
  );
}

/** The bytes on disk, where they can be read in any order. */
async function keep(source: ByteSource, signal: AbortSignal): Promise<KeptFile> {
  return source.kept === undefined
    ? await KeptFile.write(ReadableStream.from(source.bytes()), { ...source, signal })
    : await KeptFile.open(source.kept, { input: undefined, signal });
}
