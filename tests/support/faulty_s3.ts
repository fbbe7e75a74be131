/** A small S3 in memory that does what it is told: fails, cuts connections, refuses, knows no conditions. @module */
import { createHash, createHmac } from "node:crypto";
import type { S3Settings } from "../../lib/config/s3_settings.ts";

/** One request, as the faults judge it. */
export interface AskedS3 {
  /** `PUT part`, `POST begin`, `POST complete`, `DELETE upload`, `GET list`, `GET`, `PUT`, … */
  readonly what: string;
  /** Without the bucket. */
  readonly key: string;
  readonly headers: Headers;
  readonly bytes: number;
}

/**
 * `before`: the connection ends and nothing is done; `after`: it is done, and the answer is lost; `hang`: there is none until
 * the server ends.
 */
export type S3Fault =
  | "hang"
  | "before"
  | "after"
  | {
    readonly status: number;
    readonly code?: string;
    readonly message?: string;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };

export interface FaultyS3 {
  readonly settings: S3Settings & { readonly endpoint: string };
  readonly bucket: string;
  /** Whole objects by key. */
  readonly objects: Map<string, { readonly bytes: Uint8Array; readonly mark: string | null }>;
  /** Unfinished uploads by id. */
  readonly uploads: Map<
    string,
    { readonly key: string; readonly parts: Map<number, Uint8Array>; readonly begun: string }
  >;
  readonly asked: AskedS3[];
  /** Says what goes wrong with a request. @default nothing */
  fault: (asked: AskedS3) => S3Fault | undefined;
  /** Whether If-Match and If-None-Match are ignored. */
  ignoresConditions: boolean;
  /** How many objects a list names at once. */
  pageKeys: number;
}

const BUCKET = "candles";
const SETTINGS = {
  accessKeyId: "AKIATESTTESTTESTTEST",
  secretAccessKey: "secret/of+the=access-key-0123456789",
  sessionToken: undefined,
  region: "eu-central-1",
} as const;

/** Starts it for the length of `use`. */
export async function withFaultyS3<T>(use: (server: FaultyS3) => Promise<T>): Promise<T> {
  const state: FaultyS3 = {
    settings: { ...SETTINGS, endpoint: "" },
    bucket: BUCKET,
    objects: new Map(),
    uploads: new Map(),
    asked: [],
    fault: () => undefined,
    ignoresConditions: false,
    pageKeys: 1000,
  };
  const closing = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => answerOne(state, request, closing.signal),
  );
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  Object.assign(state.settings, { endpoint });
  try {
    return await use(state);
  } finally {
    closing.abort();
    await server.shutdown();
  }
}

async function answerOne(
  state: FaultyS3,
  request: Request,
  closing: AbortSignal,
): Promise<Response> {
  const url = new URL(request.url);
  const bytes = new Uint8Array(await request.arrayBuffer());
  const path = decodeURIComponent(url.pathname);
  const [, bucket = "", key = ""] = /^\/([^/]*)\/?(.*)$/.exec(path) ?? [];
  const asked = {
    what: `${request.method} ${detailOf(request.method, url.searchParams, key)}`.trim(),
    key,
    headers: request.headers,
    bytes: bytes.length,
  };
  state.asked.push(asked);
  const fault = state.fault(asked);
  if (fault === "hang") await ended(closing);
  if (fault === "hang" || fault === "before") return cut();
  if (typeof fault === "object") return faulty(fault);
  const sent = request.headers.get("x-amz-content-sha256");
  if (sent !== sha256(bytes)) return refuse(400, "XAmzContentSHA256Mismatch");
  if (!isSigned(request, url, state.settings)) return refuse(403, "SignatureDoesNotMatch");
  if (bucket !== state.bucket) return refuse(404, "NoSuchBucket");
  const answer = done(state, { request, url, key, bytes, what: asked.what });
  return fault === "after" ? cut() : answer;
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function detailOf(method: string, query: URLSearchParams, key: string): string {
  if (query.has("partNumber")) return "part";
  if (query.has("uploads")) return method === "POST" ? "begin" : "uploads";
  if (query.has("uploadId")) return method === "POST" ? "complete" : "upload";
  return method === "GET" && key === "" ? "list" : "";
}

interface Work {
  readonly request: Request;
  readonly url: URL;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly what: string;
}

function done(state: FaultyS3, { request, url, key, bytes, what }: Work): Response {
  const { objects, uploads } = state;
  const uploadId = url.searchParams.get("uploadId") ?? "";
  const upload = uploads.get(uploadId);
  const there = objects.get(key);
  switch (what) {
    case "GET list":
      return listed(state, url.searchParams);
    case "GET uploads":
      return new Response(
        [...uploads].map(([id, { key, begun }]) =>
          `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${begun}</Initiated></Upload>`
        ).join(""),
      );
    case "POST begin": {
      const id = `upload-${uploads.size + 1}`;
      const mark = request.headers.get("x-amz-meta-titan10-upload");
      uploads.set(id, { key: `${key}\n${mark}`, parts: new Map(), begun: "2024-03-15T12:00:00Z" });
      return new Response(`<R><UploadId>${id}</UploadId></R>`);
    }
    case "PUT part":
      if (upload === undefined) return refuse(404, "NoSuchUpload");
      upload.parts.set(Number(url.searchParams.get("partNumber")), bytes);
      return new Response(null, { headers: { etag: etagOf(bytes) } });
    case "POST complete": {
      if (upload === undefined) return refuse(404, "NoSuchUpload");
      const [, mark = ""] = upload.key.split("\n");
      const parts = [...upload.parts].sort(([one], [other]) => one - other);
      objects.set(key, { bytes: joined(parts.map(([, part]) => part)), mark });
      uploads.delete(uploadId);
      return new Response("<CompleteMultipartUploadResult/>");
    }
    case "DELETE upload":
      return uploads.delete(uploadId)
        ? new Response(null, { status: 204 })
        : refuse(404, "NoSuchUpload");
    case "PUT":
      if (!state.ignoresConditions && !isMet(request.headers, there?.bytes)) {
        return refuse(412, "PreconditionFailed");
      }
      objects.set(key, { bytes, mark: null });
      return new Response(null, { headers: { etag: etagOf(bytes) } });
    case "DELETE":
      objects.delete(key);
      return new Response(null, { status: 204 });
    default: {
      if (there === undefined) return refuse(404, "NoSuchKey");
      const headers = {
        etag: etagOf(there.bytes),
        ...(there.mark !== null && { "x-amz-meta-titan10-upload": there.mark }),
      };
      if (what === "HEAD") {
        return new Response(null, {
          headers: { ...headers, "content-length": String(there.bytes.length) },
        });
      }
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "") ?? [];
      return first === undefined
        ? new Response(new Uint8Array(there.bytes), { headers })
        : new Response(there.bytes.slice(Number(first), Number(last) + 1), {
          status: 206,
          headers,
        });
    }
  }
}

function listed({ objects, pageKeys }: FaultyS3, query: URLSearchParams): Response {
  const prefix = query.get("prefix") ?? "";
  const after = query.get("continuation-token") ?? "";
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, pageKeys);
  const isMore = page.length < keys.length;
  const entry = (key: string): string =>
    `<Contents><Key>${escaped(key)}</Key><Size>${objects.get(key)!.bytes.length}</Size></Contents>`;
  const next = isMore
    ? `<NextContinuationToken>${escaped(page.at(-1)!)}</NextContinuationToken>`
    : "";
  return new Response(
    `<ListBucketResult>${
      page.map(entry).join("")
    }<IsTruncated>${isMore}</IsTruncated>${next}</ListBucketResult>`,
  );
}

function isMet(headers: Headers, there: Uint8Array | undefined): boolean {
  const match = headers.get("if-match");
  if (match !== null) return there !== undefined && etagOf(there) === match;
  return headers.get("if-none-match") === null || there === undefined;
}

/** Signature version 4, computed anew from what arrived. */
function isSigned(request: Request, url: URL, settings: S3Settings): boolean {
  const { headers, method } = request;
  const [, scope = "", signed = "", signature = ""] =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)$/
      .exec(headers.get("authorization") ?? "") ?? [];
  const raw = url.pathname;
  const query = url.search.slice(1).split("&").filter((part) => part !== "").sort().join("&");
  const lines = signed.split(";").map((name) =>
    `${name}:${name === "host" ? url.host : headers.get(name)}\n`
  );
  const hash = headers.get("x-amz-content-sha256");
  const canonical = [method, raw, query, lines.join(""), signed, hash].join("\n");
  const [day = "", region = ""] = scope.split("/");
  const text = ["AWS4-HMAC-SHA256", headers.get("x-amz-date"), scope, sha256(canonical)].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce(
    (key: string | Uint8Array, part) => createHmac("sha256", key).update(part).digest(),
    `AWS4${settings.secretAccessKey}`,
  );
  const isPlaced = region === settings.region &&
    headers.get("x-amz-date")?.startsWith(day) === true;
  return isPlaced && createHmac("sha256", key).update(text).digest("hex") === signature;
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#x${character.charCodeAt(0).toString(16)};`);
}

function refuse(status: number, code: string): Response {
  return faulty({ status, code });
}

function faulty(
  { status, code = "", message = "", body, headers = {} }: Exclude<S3Fault, string>,
): Response {
  const text =
    `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  const type = { "content-type": "application/xml" };
  return new Response(body ?? text, { status, headers: { ...type, ...headers } });
}

/** Ends the connection where the answer should go on: its body is shorter than it says. */
function cut(): Response {
  const broken = new ReadableStream({ pull: (controller) => controller.close() });
  return new Response(broken, { headers: { "content-length": "1000" } });
}
