/**
 * Writes feather files, which are Arrow IPC files: a time and five doubles a row, in record batches, so that memory does not
 * grow with the file. Arrow's libraries for JavaScript want all rows before they write the first.
 * See https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format and Arrow's `Message.fbs`, `Schema.fbs`, `File.fbs`.
 * @module
 */
import type { Output } from "./output.ts";
import {
  byte,
  flatBuffer,
  long,
  references,
  type Referred,
  short,
  structs,
  table,
  text,
} from "./flat_buffer.ts";

/** Time in milliseconds, open, high, low, close and volume. */
export type FeatherRow = readonly [number, number, number, number, number, number];

export interface FeatherWriter {
  write(rows: Iterable<FeatherRow>): Promise<void>;
  /** Call after the last row. */
  finish(): Promise<void>;
}

/** Rows of a record batch: 3 MB, which readers skip or take at once. */
const BATCH_ROWS = 65_536;

const TIME = "date";
const VALUES = ["open", "high", "low", "close", "volume"];
const COLUMNS = 1 + VALUES.length;
const VALUE_BYTES = 8;

const MAGIC = "ARROW1";
const VERSION_5 = 4;
const HEADER = { schema: 1, recordBatch: 3 };
const TYPE = { floatingPoint: 3, timestamp: 10 };
const DOUBLE = 2;
const MILLISECOND = 1;
/** Says that the length of a message follows. */
const CONTINUATION = 0xffffffff;
const PREFIX_BYTES = 8;

/** Where a record batch is: its offset in the file, the bytes of its message with the prefix, those of its values. */
type Block = readonly [offset: number, messageBytes: number, bodyBytes: number];

/** Writes the columns `date`, `open`, `high`, `low`, `close` and `volume`, the first in UTC and milliseconds. */
export function featherWriter(output: Output): FeatherWriter {
  let offset = 0;
  const blocks: Block[] = [];
  const batch = new Batch();
  const write = async (bytes: Uint8Array): Promise<void> => {
    await output.write(bytes);
    offset += bytes.length;
  };
  const begin = async (): Promise<void> => {
    await write(new TextEncoder().encode(`${MAGIC}\0\0`));
    await write(message(HEADER.schema, SCHEMA, 0));
  };
  const writeBatch = async (): Promise<void> => {
    if (offset === 0) await begin();
    if (batch.rows === 0) return;
    const head = message(HEADER.recordBatch, batch.header(), batch.bytes);
    blocks.push([offset, head.length, batch.bytes]);
    await write(head);
    for (const column of batch.columns()) await write(column);
    batch.clear();
  };
  return {
    async write(rows): Promise<void> {
      for (const row of rows) {
        batch.add(row);
        if (batch.rows === BATCH_ROWS) await writeBatch();
      }
    },
    async finish(): Promise<void> {
      await writeBatch();
      await write(footer(blocks));
    },
  };
}

/** Rows that wait for their batch to be full, column by column. */
class Batch {
  rows = 0;
  readonly #times = new BigInt64Array(BATCH_ROWS);
  readonly #values = VALUES.map(() => new Float64Array(BATCH_ROWS));

  get bytes(): number {
    return COLUMNS * VALUE_BYTES * this.rows;
  }

  add(row: FeatherRow): void {
    this.#times[this.rows] = BigInt(row[0]);
    for (const [number, column] of this.#values.entries()) {
      column[this.rows] = row[number + 1] as number;
    }
    this.rows++;
  }

  clear(): void {
    this.rows = 0;
  }

  header(): Referred {
    const columnBytes = VALUE_BYTES * this.rows;
    return table(
      long(this.rows),
      structs(Array.from({ length: COLUMNS }, () => [this.rows, 0])),
      // Each column has a buffer that says which values are null, which is empty where none is, and one of values.
      structs(
        Array.from({ length: COLUMNS }, (_, column) => columnBytes * column)
          .flatMap((offset) => [[offset, 0], [offset, columnBytes]]),
      ),
    );
  }

  *columns(): Generator<Uint8Array, void> {
    for (const column of [this.#times, ...this.#values]) {
      // A copy: the columns are filled again while it may still be on its way.
      yield new Uint8Array(column.buffer.slice(0, VALUE_BYTES * this.rows));
    }
  }
}

const SCHEMA = table(
  undefined,
  references([
    field(TIME, TYPE.timestamp, table(short(MILLISECOND), text("UTC"))),
    ...VALUES.map((name) => field(name, TYPE.floatingPoint, table(short(DOUBLE)))),
  ]),
);

function field(name: string, type: number, parameters: Referred): Referred {
  return table(text(name), byte(1), byte(type), parameters, undefined, references([]));
}

function message(type: number, header: Referred, bodyBytes: number): Uint8Array {
  const metadata = flatBuffer(table(short(VERSION_5), byte(type), header, long(bodyBytes)));
  const bytes = new Uint8Array(PREFIX_BYTES + metadata.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, CONTINUATION, true);
  view.setInt32(4, metadata.length, true);
  bytes.set(metadata, PREFIX_BYTES);
  return bytes;
}

/** The mark that no message follows, then what readers look for first: where each batch is. */
function footer(blocks: readonly Block[]): Uint8Array {
  const metadata = flatBuffer(table(short(VERSION_5), SCHEMA, structs([]), structs(blocks)));
  const magic = new TextEncoder().encode(MAGIC);
  const bytes = new Uint8Array(PREFIX_BYTES + metadata.length + 4 + magic.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, CONTINUATION, true);
  bytes.set(metadata, PREFIX_BYTES);
  view.setInt32(PREFIX_BYTES + metadata.length, metadata.length, true);
  bytes.set(magic, bytes.length - magic.length);
  return bytes;
}
