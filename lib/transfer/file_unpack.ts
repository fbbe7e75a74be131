/** Unpacks the bytes of a file that is packed by gzip or zstd: its first bytes tell, not its name. @module */
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { ZstdFrames } from "./zstd_frames.ts";

/** Bytes, and what their beginning is. */
interface Unpacked {
  /** The first bytes, as many as any kind of file needs. They come again in `bytes`. */
  readonly first: Uint8Array;
  readonly bytes: AsyncGenerator<Uint8Array, void>;
  /** Whether they were packed. */
  readonly isPacked: boolean;
}

/** Enough to tell any kind of file: the names of the first members of an archive lie behind its head. */
const FIRST_BYTES = 1024;

/** Nobody packs a file more often than this by mistake. */
const LAYERS_MAX = 3;

/**
 * Unpacks as long as there is something to unpack.
 *
 * @throws Error when it is damaged, or its end is missing.
 */
export async function unpack(
  bytes: AsyncGenerator<Uint8Array, void>,
  layers = 0,
): Promise<Unpacked> {
  const peeked = await peek(bytes);
  const kind = PACKED.find(({ begins }) => begins.every((byte, at) => peeked.first[at] === byte));
  if (kind === undefined) return { ...peeked, isPacked: layers > 0 };
  if (layers < LAYERS_MAX) return await unpack(kind.open(peeked.bytes), layers + 1);
  await peeked.bytes.return();
  throw new Error("it is packed several times over: unpack it first");
}

/** The first bytes, and all of them. */
async function peek(
  bytes: AsyncGenerator<Uint8Array, void>,
): Promise<Omit<Unpacked, "isPacked">> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < FIRST_BYTES) {
    const { done, value } = await bytes.next();
    if (done === true) break;
    chunks.push(value);
    length += value.length;
  }
  const first = new Uint8Array(Math.min(length, FIRST_BYTES));
  let at = 0;
  for (const chunk of chunks) {
    first.set(chunk.subarray(0, first.length - at), at);
    at = Math.min(first.length, at + chunk.length);
  }
  return { first, bytes: joined(chunks, bytes) };
}

async function* joined(
  chunks: readonly Uint8Array[],
  rest: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* chunks;
    yield* rest;
  } finally {
    await rest.return();
  }
}

const PACKED: readonly {
  readonly begins: readonly number[];
  readonly open: (bytes: AsyncGenerator<Uint8Array, void>) => AsyncGenerator<Uint8Array, void>;
}[] = [
  { begins: [0x1f, 0x8b], open: unpackGzip },
  { begins: [0x28, 0xb5, 0x2f, 0xfd], open: unpackZstd },
];

/** Not DecompressionStream: it stops after the first member of a file that has several. */
function unpackGzip(bytes: AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
  return decoded(bytes, zlib.createGunzip());
}

/** Frame by frame: the decoder stops after the first, and does not say when the end of one is missing. */
async function* unpackZstd(
  bytes: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  const frames = new ZstdFrames();
  let rest: Uint8Array = new Uint8Array();
  let isDone = false;
  const more = async (): Promise<boolean> => {
    while (rest.length === 0 && !isDone) {
      const { done, value } = await bytes.next();
      isDone = done === true;
      rest = value ?? rest;
    }
    return rest.length > 0;
  };
  const frame = async function* (): AsyncGenerator<Uint8Array, void> {
    while (await more()) {
      const length = frames.read(rest);
      const part = rest.subarray(0, length);
      rest = rest.subarray(length);
      yield part;
      if (frames.isAtEnd) return;
    }
    throw new Error("unexpected end of file");
  };
  try {
    while (await more()) yield* decoded(frame(), zstdDecoder());
  } finally {
    await bytes.return();
  }
}

function zstdDecoder(): zlib.Gunzip {
  try {
    return zlib.createZstdDecompress();
  } catch (error) {
    throw new Error(
      "it is packed by zstd, which this version of Deno cannot unpack: unpack it first",
      {
        cause: error,
      },
    );
  }
}

/** What a decoder of Node makes of bytes. Closes both when the caller stops early. */
export async function* decoded(
  bytes: AsyncGenerator<Uint8Array, void>,
  decoder: zlib.Gunzip,
): AsyncGenerator<Uint8Array, void> {
  const packed = Readable.from(bytes).on("error", (error) => decoder.destroy(error));
  try {
    for await (const chunk of packed.pipe(decoder)) yield chunk as Uint8Array;
  } finally {
    packed.destroy();
    decoder.destroy();
    await bytes.return();
  }
}
