/** Writes one object of a bucket: whole in one request, or in parts where it is long. @module */
import type { Output } from "./output.ts";
import type { S3Client } from "./s3_client.ts";
import { firstText, insides, xmlText } from "./s3_document.ts";

/**
 * The length of a part, and of what is held in memory. All but the last are of the same length, which Cloudflare R2 asks
 * for; S3 takes 10,000 parts of at least 5 MiB.
 */
export const PART_BYTES = 8 * 1024 * 1024;
const PARTS_MAX = 10_000;

const BUFFER_BYTES = 64 * 1024;

/** What is left of an upload is removed even when the program ends, which waits for 9 seconds. */
const ABORT_ATTEMPTS = 3;
const ABORT_MS = 5_000;

/** Uploads that a killed program left are older. One that is under way is not touched. */
const LEFT_MS = 24 * 60 * 60_000;

/** Tells our upload from another one of the same object. */
const MARK = "x-amz-meta-titan10-upload";

/** An object that is there when it is finished, and not before. */
export function openUpload(client: S3Client, key: string): Output {
  let buffer = new ArrayBuffer(BUFFER_BYTES);
  let length = 0;
  let upload: PartedUpload | undefined;
  let isOver = false;
  const taken = (): Uint8Array<ArrayBuffer> => new Uint8Array(buffer, 0, length);
  return {
    async write(bytes): Promise<void> {
      for (let at = 0; at < bytes.length;) {
        // Only when more comes: what is one part long needs no parts.
        if (length === PART_BYTES) {
          upload ??= await beginUpload(client, key);
          await upload.send(taken());
          length = 0;
        }
        const end = Math.min(bytes.length, at + PART_BYTES - length);
        const needed = length + end - at;
        if (needed > buffer.byteLength) {
          buffer = buffer.transfer(Math.min(PART_BYTES, Math.max(needed, 2 * buffer.byteLength)));
        }
        new Uint8Array(buffer).set(bytes.subarray(at, end), length);
        length = needed;
        at = end;
      }
    },
    async finish(): Promise<void> {
      if (upload === undefined) {
        const { headers } = await client.ask({
          action: "write",
          method: "PUT",
          key,
          body: taken(),
        });
        if (headers.get("etag") === null) throw unreadable("write", key);
      } else {
        if (length > 0) await upload.send(taken());
        await upload.complete();
      }
      isOver = true;
    },
    async close(): Promise<void> {
      buffer = new ArrayBuffer(0);
      length = 0;
      if (isOver) return;
      isOver = true;
      await upload?.abort();
    },
  };
}

interface PartedUpload {
  /** Sends the next part. The bytes may be used again afterwards. */
  send(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Makes one object of the parts. */
  complete(): Promise<void>;
  /** Removes the parts, which would be paid for. A failure is logged. */
  abort(): Promise<void>;
}

async function beginUpload(client: S3Client, key: string): Promise<PartedUpload> {
  const mark = crypto.randomUUID();
  const { bytes } = await client.ask({
    action: "write",
    method: "POST",
    key,
    query: { uploads: "" },
    headers: { [MARK]: mark },
  });
  const uploadId = firstText(textOf(bytes), "UploadId") ?? "";
  if (uploadId === "") throw unreadable("begin the upload of", key);
  const tags: string[] = [];
  return {
    async send(body): Promise<void> {
      if (tags.length === PARTS_MAX) {
        throw new Error(
          `Cannot write ${key}: it is longer than ${PARTS_MAX} parts of ${PART_BYTES} bytes`,
        );
      }
      const query = { partNumber: String(tags.length + 1), uploadId };
      const { headers } = await client.ask({ action: "write", method: "PUT", key, query, body });
      const tag = headers.get("etag");
      if (tag === null) throw unreadable("upload a part of", key);
      tags.push(tag);
    },
    async complete(): Promise<void> {
      const parts = tags.map((tag, index) =>
        `<Part><PartNumber>${index + 1}</PartNumber><ETag>${xmlText(tag)}</ETag></Part>`
      );
      const text = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
      const answer = await client.ask({
        action: "write",
        method: "POST",
        key,
        query: { uploadId },
        headers: { "content-type": "application/xml" },
        body: new TextEncoder().encode(text),
        understood: ["NoSuchUpload"],
      });
      const isTold = answer.code === "" &&
        /<CompleteMultipartUploadResult\b/.test(textOf(answer.bytes));
      if (answer.code === "" && !isTold && !await isThere()) throw unreadable("write", key);
      if (answer.code === "NoSuchUpload" && !(answer.isRepeated && await isThere())) {
        throw new Error(
          `Cannot write ${key}: the server has removed the parts that were uploaded. Run it again, and ` +
            "look whether a rule of the bucket removes unfinished uploads too early",
        );
      }
    },
    abort: () => abortUpload(client, { key, uploadId }),
  };

  /** Where an answer was lost, the object is there all the same, with our mark. */
  async function isThere(): Promise<boolean> {
    const { headers } = await client.ask({
      action: "write",
      method: "HEAD",
      key,
      understood: [404],
    });
    return headers.get(MARK) === mark;
  }
}

async function abortUpload(
  client: S3Client,
  { key, uploadId }: { readonly key: string; readonly uploadId: string },
): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const over = new AbortController();
  // The ground's signal may have ended the upload. What it has left is removed all the same.
  client.clock.sleep(ABORT_MS, { signal: over.signal }).then(
    () => waiting.abort(new Error("it took too long")),
    () => {},
  );
  try {
    await client.ask({
      action: "remove the unfinished upload of",
      method: "DELETE",
      key,
      query: { uploadId },
      understood: [404],
      attempts: ABORT_ATTEMPTS,
      signal,
    });
  } catch (error) {
    client.log.warn("parts of an unfinished upload are left in the bucket", { key, error });
  } finally {
    over.abort();
  }
}

/** Removes the parts that a killed program left under `prefix`. What may not be listed is left to the bucket's own rules. */
export async function removeLeftUploads(client: S3Client, prefix: string): Promise<void> {
  try {
    const { bytes, headers } = await client.ask({
      action: "list the unfinished uploads of",
      method: "GET",
      query: { uploads: "", prefix },
      attempts: 1,
    });
    const nowMs = Date.parse(headers.get("date") ?? "");
    for (const upload of insides(textOf(bytes), "Upload")) {
      const [key, uploadId, begun] = ["Key", "UploadId", "Initiated"]
        .map((name) => firstText(upload, name) ?? "");
      const isLeft = nowMs - Date.parse(begun!) > LEFT_MS;
      if (isLeft && key!.startsWith(prefix)) {
        await abortUpload(client, { key: key!, uploadId: uploadId! });
      }
    }
  } catch (error) {
    client.log.debug("unfinished uploads were not looked for", { error });
  }
}

function unreadable(action: string, key: string): Error {
  return new Error(
    `Cannot ${action} ${key}: the answer is not S3's. Check AWS_ENDPOINT_URL_S3, and that no proxy ` +
      "stands between",
  );
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
