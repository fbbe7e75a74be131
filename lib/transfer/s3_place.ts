/** A dataset's files as the objects of a bucket. @module */
import type { S3Address } from "../config/s3_settings.ts";
import {
  type DatasetPlace,
  otherWriter,
  type PlacedFile,
  type SmallFile,
} from "./dataset_place.ts";
import type { Output } from "./output.ts";
import { nameOf, type S3Answer, S3Client, type S3Ground } from "./s3_client.ts";
import { firstText, insides } from "./s3_document.ts";
import { openUpload, PART_BYTES, removeLeftUploads } from "./s3_upload.ts";

/** Files that are read whole: manifests, of some kilobytes a month. */
const SMALL_BYTES_MAX = 128 * 1024 * 1024;

/** A place in a bucket, and what only a bucket may lack. */
export interface S3Place extends DatasetPlace {
  /**
   * Whether the server keeps two writers apart by itself: whether it refuses to replace a file by If-None-Match. Writes a
   * small object and removes it.
   */
  keepsWritersApart(): Promise<boolean>;
}

/**
 * Sends nothing yet.
 *
 * @throws Error when credentials, region or server are not set, or wrong.
 */
export function s3Place(address: S3Address, ground: S3Ground): S3Place {
  const client = new S3Client(address, ground);
  const root = address.prefix === "" ? "" : `${address.prefix}/`;
  const at = (path: string): S3File => ({ client, path, key: root + path });
  let lookedForLeft: Promise<void> | undefined;
  return {
    name: nameOf(address),
    read: (path) => read(at(path)),
    slice: (path, start, end) => slice(at(path), start, end),
    replace: (path, bytes, version) => replace(at(path), new Uint8Array(bytes), version),
    remove: (path) => remove(at(path)),
    write(path): Promise<Output> {
      const output = openUpload(client, root + path);
      let length = 0;
      return Promise.resolve({
        ...output,
        async write(bytes: Uint8Array): Promise<void> {
          length += bytes.length;
          if (length > PART_BYTES) await (lookedForLeft ??= removeLeftUploads(client, root));
          await output.write(bytes);
        },
      });
    },
    list: () => filesIn(client, root),
    keepsWritersApart: () => keepsWritersApart(at(`.titan10-${crypto.randomUUID()}.unfinished`)),
  };
}

interface S3File {
  readonly client: S3Client;
  /** In the dataset, for messages. */
  readonly path: string;
  /** The name of the object. */
  readonly key: string;
}

async function read({ client, key }: S3File): Promise<SmallFile | undefined> {
  const { code, bytes, headers } = await client.ask({
    action: "read",
    method: "GET",
    key,
    understood: ["NoSuchKey"],
    bytesMax: SMALL_BYTES_MAX,
  });
  return code === "" ? { bytes, version: versionOf(headers, key) } : undefined;
}

async function slice(
  { client, key }: S3File,
  start: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (start >= end) return new Uint8Array();
  const { bytes } = await client.ask({
    action: "read",
    method: "GET",
    key,
    headers: { range: `bytes=${start}-${end - 1}` },
    bytesMax: end - start,
  });
  if (bytes.length === end - start) return bytes;
  throw new Error(`Cannot read ${nameOf(client.address, key)}: it ends too early`);
}

async function remove({ client, key }: S3File): Promise<void> {
  await client.ask({ action: "remove", method: "DELETE", key, understood: ["NoSuchKey"] });
}

async function put(
  { client, key }: S3File,
  body: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Promise<S3Answer> {
  return await client.ask({
    action: "write",
    method: "PUT",
    key,
    headers,
    body,
    understood: [412, "NoSuchKey", 501, "NotImplemented"],
  });
}

/**
 * Two writers are kept apart by If-Match and If-None-Match. Before they are sent we look by ourselves whether another
 * writer was there, and where the server does not know them, once more afterwards: then two are found out unless they
 * write in the same moment.
 */
async function replace(
  file: S3File,
  bytes: Uint8Array<ArrayBuffer>,
  version: string | undefined,
): Promise<void> {
  const { client, path, key } = file;
  const other = (): Error => otherWriter(nameOf(client.address), path);
  const { status, headers } = await client.ask({
    action: "read",
    method: "HEAD",
    key,
    understood: [404],
  });
  if ((status === 404 ? undefined : versionOf(headers, key)) !== version) throw other();
  const answer = await put(file, bytes, conditionOf(version));
  const isUnknown = answer.status === 501 || answer.code === "NotImplemented";
  if (!isUnknown && answer.status < 300) return;
  // By the other writer, or by an attempt of our own whose answer was lost.
  if (!isUnknown && !answer.isRepeated) throw other();
  if (isUnknown) await put(file, bytes, {});
  const stored = await read(file);
  if (stored === undefined || !isSame(stored.bytes, bytes)) throw other();
}

async function keepsWritersApart(probe: S3File): Promise<boolean> {
  const body = new TextEncoder().encode(probe.path);
  try {
    await put(probe, body, {});
    const { status } = await put(probe, body, conditionOf(undefined));
    return status === 412;
  } finally {
    await remove(probe);
  }
}

function conditionOf(version: string | undefined): Readonly<Record<string, string>> {
  return version === undefined ? { "if-none-match": "*" } : { "if-match": version };
}

/** @throws Error when the server has none. */
function versionOf(headers: Headers, key: string): string {
  const tag = headers.get("etag");
  // Of two answers for the same bytes one may say it weakly, or without quotes, where a proxy stands between.
  if (tag !== null) return `"${tag.replace(/^W\//, "").replace(/^"|"$/g, "")}"`;
  throw new Error(
    `Cannot read ${key}: the answer has no ETag, so that another writer could not be seen. Check ` +
      "AWS_ENDPOINT_URL_S3, and that no proxy stands between",
  );
}

async function* filesIn(client: S3Client, root: string): AsyncGenerator<PlacedFile, void> {
  let token: string | undefined;
  for (;;) {
    const { bytes } = await client.ask({
      action: "list",
      method: "GET",
      query: {
        "list-type": "2",
        prefix: root,
        ...(token !== undefined && { "continuation-token": token }),
      },
    });
    const xml = new TextDecoder().decode(bytes);
    const truncated = firstText(xml, "IsTruncated");
    // What a list lacks that was cut short would count as gone.
    const isWhole = /<\/ListBucketResult>\s*$/.test(xml);
    if (!isWhole || (truncated !== "true" && truncated !== "false")) throw noList(client);
    for (const object of insides(xml, "Contents")) {
      const key = firstText(object, "Key") ?? "";
      // A name with a slash at its end stands for a folder, which some tools make.
      if (!key.startsWith(root) || key.endsWith("/")) continue;
      const size = firstText(object, "Size") ?? "";
      if (!/^\d{1,15}$/.test(size)) throw noList(client);
      yield { path: key.slice(root.length), bytes: Number(size) };
    }
    if (truncated === "false") return;
    const next = firstText(xml, "NextContinuationToken");
    if (next === undefined || next === token) {
      throw new Error(
        `Cannot list ${nameOf(client.address)}: the server does not say how it goes on`,
      );
    }
    token = next;
  }
}

function noList({ address }: S3Client): Error {
  return new Error(
    `Cannot list ${nameOf(address)}: the answer is not S3's list of objects, version 2. Check ` +
      "AWS_ENDPOINT_URL_S3",
  );
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
