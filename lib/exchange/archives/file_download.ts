/** Fetches an exchange's published files: checked against their checksums, unpacked, and read. @module */
import { createHash } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { checkRow } from "../../market/candle.ts";
import { CandleRun } from "../../market/candle_run.ts";
import { priceOf } from "../../market/price.ts";
import type { Series } from "../../market/series.ts";
import { withDeadline } from "../../policy/deadline.ts";
import { printable } from "../../text/printable.ts";
import { errorText } from "../../text/redact.ts";
import type { CcxtExchange } from "../ccxt.ts";
import { denialOf } from "../denial.ts";
import { FetchError } from "../fetch_error.ts";
import type { Connections } from "../proxy.ts";
import { publishedFormat } from "./file_formats.ts";
import {
  FileFaultError,
  type PublishedFile,
  type PublishedRow,
  type SeriesFiles,
} from "./published_file.ts";
import { unpackOnly } from "./zip_member.ts";

/** A file that came whole. */
export interface FetchedFile {
  /** Its candles. Other rows are left to the API, which says whether the exchange has better ones. */
  readonly candles: CandleRun;
  /** Of the bytes as they came. Hexadecimal. */
  readonly sha256: string;
}

interface DownloadOptions {
  /** The longest silence. Milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface PublishedFilesOptions {
  readonly open: () => Promise<CcxtExchange>;
  readonly connections: Connections;
  readonly clock: Clock;
}

/** CCXT's own rules of proxies. */
interface ProxiedExchange extends CcxtExchange {
  checkProxyUrlSettings(url: string): string | undefined;
  urlEncoderForProxyUrl(url: string): string;
  checkProxySettings(url: string): readonly (string | undefined)[];
}

/** A month of minutes takes 3 MB packed, a day of seconds 5 MB. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;

const CHECKSUM_BYTES_MAX = 1024;

/** What is read of an answer that is no file: its beginning says why. */
const REFUSAL_BYTES_MAX = 64 * 1024;

/** A download that trickles ends after this. Milliseconds. */
const DOWNLOAD_MS_MAX = 10 * 60_000;

/** A file that is not there is not asked for again before: it may be late by a day or more. Milliseconds. */
const MISSING_MS = 6 * 60 * 60_000;

/** Most names of missing files in memory. */
const MISSING_MAX = 10_000;

/** How long to wait when the server says "too many requests" and not until when. Milliseconds. */
const WAIT_MS = 60_000;

/** The published files of one exchange. */
export class PublishedFiles {
  readonly #exchange: string;
  readonly #options: PublishedFilesOptions;
  #ccxt: Promise<ProxiedExchange> | undefined;
  /** Addresses that had no file, and until when they are not asked. Milliseconds. */
  readonly #missing = new Map<string, number>();

  constructor(exchange: string, options: PublishedFilesOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** The files of a series; undefined if none are known, or its market or host is not known. */
  of(
    series: Series,
    { marketId, host }: {
      readonly marketId: string | undefined;
      readonly host: string | undefined;
    },
  ): SeriesFiles | undefined {
    if (marketId === undefined || host === undefined) return undefined;
    return publishedFormat(this.#exchange)?.filesOf({ series, marketId, host });
  }

  /** Whether the file was not there when it was last asked for, which is not long ago. */
  isMissing({ url }: PublishedFile): boolean {
    return this.#options.clock.now() < (this.#missing.get(url) ?? -Infinity);
  }

  /**
   * Fetches a file. Undefined when it is not there.
   *
   * @throws FetchError when the server does not give it.
   * @throws FileFaultError when it is not what its checksum, its name or its columns say.
   */
  async fetch(file: PublishedFile, options: DownloadOptions): Promise<FetchedFile | undefined> {
    const told = await this.#get(`${file.url}.CHECKSUM`, {
      ...options,
      bytesMax: CHECKSUM_BYTES_MAX,
    });
    const bytes = told && await this.#get(file.url, { ...options, bytesMax: FILE_BYTES_MAX });
    if (told === undefined || bytes === undefined) {
      this.#noteMissing(file);
      return undefined;
    }
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const expected = checksumOf(file, new TextDecoder().decode(told));
    if (sha256 !== expected) {
      throw new FileFaultError(
        `Cannot use the published file ${file.name}: its SHA-256 is ${sha256}, and its checksum says ${expected}`,
      );
    }
    const unpacked = await unpackOnly(bytes, file.name);
    const format = publishedFormat(this.#exchange);
    if (format === undefined) {
      throw new FileFaultError(`Cannot use the published file ${file.name}: no form is known`);
    }
    const candles = format.readRun(file, unpacked) ??
      candlesOf(file, format.readRows(file, textOf(unpacked, file)));
    return { candles, sha256 };
  }

  /** Asks for a small file that is always there. @throws FetchError when the server does not give it. */
  async probe(options: DownloadOptions): Promise<void> {
    const { probeUrl } = publishedFormat(this.#exchange) ?? {};
    if (probeUrl === undefined) return;
    const bytes = await this.#get(probeUrl, { ...options, bytesMax: CHECKSUM_BYTES_MAX });
    if (bytes !== undefined) return;
    throw new FetchError(
      "permanent",
      `Cannot fetch the published file ${probeUrl}: it is not there (HTTP 404)`,
    );
  }

  #noteMissing({ url }: PublishedFile): void {
    if (this.#missing.size >= MISSING_MAX) this.#missing.clear();
    this.#missing.set(url, this.#options.clock.now() + MISSING_MS);
  }

  /** The body; undefined for a 404. No key of the exchange is sent: the files are public. */
  async #get(
    url: string,
    { timeoutMs, signal, bytesMax }: DownloadOptions & { readonly bytesMax: number },
  ): Promise<Uint8Array | undefined> {
    const { clock, connections } = this.#options;
    const ccxt = await (this.#ccxt ??= this.#options.open() as Promise<ProxiedExchange>);
    const prefix = ccxt.checkProxyUrlSettings(url);
    const target = isText(prefix) ? prefix + ccxt.urlEncoderForProxyUrl(url) : url;
    const proxy = ccxt.checkProxySettings(target).find(isText);
    const stop = new AbortController();
    const name = `the download of ${url}`;
    const bounded = <T>(step: () => Promise<T>): Promise<T> =>
      withDeadline(timeoutMs, step, { clock, signal, name });
    let response: Response | undefined;
    try {
      response = await bounded(() =>
        connections.fetch(target, { redirect: "manual", signal: stop.signal }, proxy)
      );
      const { status, body } = response;
      const untilMs = clock.now() + DOWNLOAD_MS_MAX;
      const isFile = status >= 200 && status < 300;
      const bytes = await readBytes(body, {
        url,
        ...isFile ? { bytesMax } : { bytesMax: REFUSAL_BYTES_MAX, isCut: true },
        bounded,
        isLate: () => clock.now() > untilMs,
      });
      if (status === 404) return undefined;
      if (isFile) return bytes;
      throw this.#refusal(url, response, bytes);
    } catch (error) {
      if (signal?.aborted) {
        throw new FetchError(
          "cancelled",
          `Cannot fetch the published file ${url}: it was cancelled`,
        );
      }
      if (error instanceof FetchError || error instanceof FileFaultError) throw error;
      const { cause } = error as { cause?: unknown };
      const why = printable(errorText(cause instanceof Error ? cause : error));
      throw new FetchError("transient", `Cannot fetch the published file ${url}: ${why}`, {
        cause: error,
      });
    } finally {
      stop.abort();
    }
  }

  #refusal(url: string, { status, headers }: Response, bytes: Uint8Array): FetchError {
    const text = new TextDecoder().decode(bytes.subarray(0, 4_000));
    const message = `Cannot fetch the published file ${url}: HTTP ${status}`;
    if (status === 403 || status === 451) {
      const why = denialOf({ status, text });
      return new FetchError("denied", why === undefined ? message : `${message}: "${why}"`);
    }
    if (status === 429 || status === 503) {
      const seconds = Number(headers.get("retry-after") ?? NaN);
      const waitMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : WAIT_MS;
      const untilMs = this.#options.clock.now() + Math.min(waitMs, DOWNLOAD_MS_MAX);
      return new FetchError("rate_limited", message, { untilMs });
    }
    return new FetchError(status >= 500 ? "transient" : "permanent", message);
  }
}

function candlesOf(
  { series: { timeframe, symbol } }: PublishedFile,
  rows: readonly PublishedRow[],
): CandleRun {
  const price = priceOf(symbol);
  return CandleRun.of(
    timeframe,
    rows.flatMap((row) => checkRow(timeframe, row, price).candle ?? []),
  );
}

function textOf(bytes: Uint8Array, { name }: PublishedFile): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FileFaultError(`Cannot use the published file ${name}: it is not text in UTF-8`, {
      cause: error,
    });
  }
}

/** Reads a body, each part of it within the time of `bounded`. */
async function readBytes(
  body: ReadableStream<Uint8Array> | null,
  { url, bytesMax, isCut = false, bounded, isLate }: {
    readonly url: string;
    readonly bytesMax: number;
    /** Whether what is more is left out. @default false: it is a fault */
    readonly isCut?: boolean;
    readonly bounded: <T>(step: () => Promise<T>) => Promise<T>;
    readonly isLate: () => boolean;
  },
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await bounded(() => reader.read());
      if (done) break;
      size += value.length;
      if (size > bytesMax && isCut) {
        await reader.cancel();
        size -= value.length;
        break;
      }
      if (size > bytesMax) {
        throw new FileFaultError(
          `Cannot use the published file ${url}: it has more than ${bytesMax} bytes`,
        );
      }
      if (isLate()) throw new Error("it came too slowly");
      parts.push(value);
    }
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What `sha256sum` writes: the hash and the name of the file that it is of. */
function checksumOf({ name }: PublishedFile, text: string): string {
  const [, hash, of] = /^([0-9a-f]{64}) [ *](\S+)\s*$/i.exec(text) ?? [];
  if (hash !== undefined && of === name) return hash.toLowerCase();
  throw new FileFaultError(
    `Cannot use the published file ${name}: its checksum is not a SHA-256 of a file of this name`,
  );
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
