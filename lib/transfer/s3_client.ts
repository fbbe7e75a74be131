/** Sends signed requests to a bucket, each with a deadline, and again where that may help. @module */
import type { Clock } from "../clock.ts";
import { type S3Address, s3Problems, type S3Settings } from "../config/s3_settings.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import { retry } from "../policy/retry.ts";
import type { Logger } from "../telemetry/log.ts";
import { errorText } from "../text/redact.ts";
import { networkReason } from "../text/system_words.ts";
import { codeOf, refusal, S3Error } from "./s3_refusal.ts";

/** What requests need beside the bucket. */
export interface S3Ground {
  readonly settings: S3Settings;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly retry: { readonly attempts: number; readonly minMs: number; readonly maxMs: number };
  /** Ends all requests. */
  readonly signal?: AbortSignal | undefined;
}

interface S3Request {
  /** What it is for, in messages: `write`. */
  readonly action: string;
  readonly method: "DELETE" | "GET" | "HEAD" | "POST" | "PUT";
  /** The whole name of the object; undefined for the bucket. */
  readonly key?: string | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array<ArrayBuffer> | undefined;
  /** Codes and statuses of refusals that the caller understands. @default none */
  readonly understood?: readonly (string | number)[] | undefined;
  /** A longer answer is refused. @default enough for a document */
  readonly bytesMax?: number | undefined;
  /** In the place of the ground's. */
  readonly signal?: AbortSignal | undefined;
  /** In the place of the ground's. */
  readonly attempts?: number | undefined;
}

export interface S3Answer {
  readonly status: number;
  /** Of a refusal that is understood; empty for none. */
  readonly code: string;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether an attempt before it had no answer: the server may have done what it asked for. */
  readonly isRepeated: boolean;
}

/** A thousand names of a kilobyte, and what stands around them. */
const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** A request without a body, and the slowest network that is waited for: 8 MiB then take less than three minutes. */
const REQUEST_MS = 30_000;
const BYTES_A_MS_MIN = 50;

/** Bytes of an answer take as long. Small files are read, of a few megabytes. */
const READ_MS = 120_000;

/** A server that asks to wait for longer is not waited for. */
const WAIT_MS_MAX = 5 * 60_000;

export class S3Client {
  readonly address: S3Address;
  readonly #ground: S3Ground;
  readonly #base: string;
  /** The keys that sign, by day. */
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  /** @throws Error when credentials, region or server are not set, or wrong. */
  constructor(address: S3Address, ground: S3Ground) {
    const problems = s3Problems(ground.settings);
    if (problems.length > 0) {
      const lines = problems.map(({ variable, allowed }) => `  ${variable}: expected ${allowed}`);
      throw new Error([`Cannot use s3://${address.bucket}:`, ...lines].join("\n"));
    }
    this.address = address;
    this.#ground = ground;
    this.#base = baseUrl(address, ground.settings);
  }

  get log(): Logger {
    return this.#ground.log;
  }

  get clock(): Clock {
    return this.#ground.clock;
  }

  /**
   * Asks until there is an answer.
   *
   * @throws S3Error for a refusal that is not understood, or when no attempt got an answer.
   * @throws the reason of the signal when it aborts first.
   */
  async ask(request: S3Request): Promise<S3Answer> {
    const { clock, random, retry: bounds, log } = this.#ground;
    const { signal = this.#ground.signal, attempts = bounds.attempts } = request;
    let isRepeated = false;
    return await retry(async () => {
      const answer = await this.#askOnce(request, signal);
      return { ...answer, isRepeated };
    }, {
      ...bounds,
      attempts,
      clock,
      random,
      signal,
      isRetryable: (error) =>
        error instanceof S3Error && error.isPassing && (error.waitMs ?? 0) <= WAIT_MS_MAX,
      delayMsMin: (error) => error instanceof S3Error ? error.waitMs : undefined,
      onRetry: ({ attempt, delayMs, error }) => {
        isRepeated = true;
        log.debug("asking a bucket again", { attempt, delayMs, error });
      },
    });
  }

  async #askOnce(
    request: S3Request,
    signal: AbortSignal | undefined,
  ): Promise<Omit<S3Answer, "isRepeated">> {
    const { clock, settings } = this.#ground;
    const { action, understood = [], body, method, bytesMax = DOCUMENT_BYTES_MAX } = request;
    const name = nameOf(this.address, request.key);
    const subject = { address: this.address, settings, action, name };
    const timeoutMs = REQUEST_MS + (body?.length ?? 0) / BYTES_A_MS_MIN +
      (method === "GET" ? READ_MS : 0);
    const options = { clock, signal, name: `the request to ${action} ${name}` };
    const answer = await withDeadline(timeoutMs, async (inner) => {
      const response = await this.#send(request, inner);
      const bytes = await bounded(response, bytesMax);
      return { response, bytes };
    }, options).catch((error: unknown) => {
      if (signal?.aborted) throw error;
      throw unanswered(subject, error);
    });
    const { response: { status, headers, ok }, bytes } = answer;
    if (bytes === undefined) {
      const reason = `the answer has more than ${bytesMax} bytes, which were not asked for`;
      throw new S3Error(subject, reason, { isPassing: false });
    }
    // An answer may begin before the work is done, and end with an error all the same.
    const isLate = ok && method === "POST" && startsAsError(bytes);
    const text = ok && !isLate ? "" : new TextDecoder().decode(bytes);
    const refused = { status: isLate ? 500 : status, headers, body: text };
    const code = codeOf(refused);
    if ((ok && !isLate) || understood.includes(code) || understood.includes(status)) {
      return { status, code, headers, bytes };
    }
    throw refusal(subject, refused, clock.now());
  }

  async #send(
    { method, key, query = {}, headers = {}, body }: S3Request,
    signal: AbortSignal,
  ): Promise<Response> {
    const { settings: { accessKeyId, secretAccessKey, sessionToken, region } } = this.#ground;
    const { AwsV4Signer } = await import("aws4fetch");
    const parts = Object.entries(query).map((one) => one.map(encoded).join("="));
    const path = (key ?? "").split("/").map(encoded).join("/");
    // The hash is signed, and the server compares it with what arrives.
    const hash = new Uint8Array(
      await crypto.subtle.digest("SHA-256", body ?? new Uint8Array()),
    ).toHex();
    const signer = new AwsV4Signer({
      method,
      url: `${this.#base}/${path}${parts.length === 0 ? "" : `?${parts.join("&")}`}`,
      headers: { ...headers, "x-amz-content-sha256": hash },
      accessKeyId: accessKeyId!,
      secretAccessKey: secretAccessKey!,
      ...(sessionToken !== undefined && { sessionToken }),
      ["service"]: "s3",
      region: region!,
      cache: this.#signingKeys,
      datetime: new Date(this.#ground.clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, ""),
    });
    const signed = await signer.sign();
    const sent = new Headers(signed.headers);
    // As it is stored: a proxy that packs it gives it another ETag and no length. Unsigned, for some proxies write it anew.
    sent.set("accept-encoding", "identity");
    return await fetch(signed.url, {
      method,
      headers: sent,
      ...(body !== undefined && { body }),
      // Not followed: credentials go only to the configured address.
      redirect: "manual",
      signal,
    });
  }
}

/** As it is signed: whatever stands between must not write it in another way. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `s3://bucket/key`. */
export function nameOf({ bucket, prefix }: S3Address, key: string = prefix): string {
  return `s3://${bucket}${key === "" ? "" : `/${key}`}`;
}

/** Without a slash at its end. A server of one's own has seldom a name for each bucket, nor a certificate for it. */
function baseUrl({ bucket }: S3Address, { endpoint, region }: S3Settings): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/+$/, "")}/${bucket}`;
  const host = `s3.${region}.amazonaws.com${region!.startsWith("cn-") ? ".cn" : ""}`;
  // The certificate is for one name before the host's.
  return bucket.includes(".") ? `https://${host}/${bucket}` : `https://${bucket}.${host}`;
}

/** Without the URL, which errors of `fetch` repeat. */
function unanswered(
  subject: { readonly action: string; readonly name: string },
  error: unknown,
): S3Error {
  if (error instanceof DeadlineError) {
    const reason = `no answer came within ${Math.round(error.timeoutMs / 1000)} s`;
    return new S3Error(subject, reason, { isPassing: true, cause: error });
  }
  const reason = errorText(error instanceof Error ? networkReason(error) : error);
  return new S3Error(subject, reason, { isPassing: true, cause: error });
}

/** Reads a body; undefined for one that is longer. */
async function bounded(
  { body }: Response,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  // The loop's end cancels the rest.
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) return undefined;
    chunks.push(chunk);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Blanks may come before it, as many as keep the connection open. */
function startsAsError(bytes: Uint8Array): boolean {
  return /^\s*(?:<\?xml[^>]*>)?\s*<Error\b/.test(new TextDecoder().decode(bytes));
}
