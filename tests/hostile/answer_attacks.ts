/** What a hostile exchange answers instead of the truth. Each is made from the true answer and a seed. @module */
import { Buffer } from "node:buffer";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { Random } from "../faults/random.ts";
import { HOSTILE_TEXTS } from "../support/hostile_texts.ts";

export interface AnswerAttack {
  readonly name: string;
  readonly answer: (truth: Response, random: Random) => Promise<Response> | Response;
}

const JSON_TYPE = { "content-type": "application/json;charset=UTF-8" };

/** Made once: what is compressed is the same whatever the seed, and takes seconds to make. */
const bombs = new Map<string, Uint8Array>();

function bomb(name: string, make: () => string, encoding: "gzip" | "br" | "deflate"): Response {
  const key = `${name} ${encoding}`;
  let bytes = bombs.get(key);
  if (bytes === undefined) {
    const text = Buffer.from(make());
    bytes = encoding === "gzip"
      ? gzipSync(text)
      : encoding === "br"
      ? brotliCompressSync(text, { params: { 1: 5 } })
      : deflateSync(text);
    bombs.set(key, bytes);
  }
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: { ...JSON_TYPE, "content-encoding": encoding },
  });
}

const MEGABYTE = 1_000_000;

function manyKeys(random: Random): string {
  const keys = Array.from({ length: 200_000 }, (_, i) => `"${random.whole(0, 1e9)}_${i}":${i}`);
  return `{${keys.join(",")}}`;
}

/** The first list of rows in a document, to be spoiled in place; undefined where there is none. */
function rowsIn(document: unknown): unknown[] | undefined {
  if (Array.isArray(document)) {
    if (document.length > 0 && typeof document[0] === "object") return document;
    return document.map(rowsIn).find((rows) => rows !== undefined);
  }
  if (typeof document !== "object" || document === null) return undefined;
  return Object.values(document).map(rowsIn).find((rows) => rows !== undefined);
}

/** The truth with other rows, where it has any. */
function withRows(
  name: string,
  change: (rows: unknown[], random: Random) => unknown[],
): AnswerAttack {
  return {
    name,
    answer: async (truth, random) => {
      const document: unknown = await truth.json();
      const rows = rowsIn(document);
      if (rows !== undefined) rows.splice(0, rows.length, ...change([...rows], random));
      return new Response(JSON.stringify(document), { headers: JSON_TYPE });
    },
  };
}

const STRANGE: readonly unknown[] = [
  "NaN",
  "Infinity",
  "1e999999",
  "-1",
  "0x10",
  "１２３",
  "<img src=x onerror=alert(1)>",
  "\u001b[2J\u0007",
  "'; drop table ohlcv; --",
  "=cmd|' /C calc'!A0",
  "$(reboot)",
  "\u0000",
  "\ud800",
  null,
  true,
  [],
  {},
  1e308,
  -0,
  9_007_199_254_740_993,
  "x".repeat(10_000),
];

function strange(value: unknown, random: Random): unknown {
  if (Array.isArray(value)) {
    const changed = [...value];
    if (changed.length > 0) changed[random.whole(0, changed.length - 1)] = random.pick(STRANGE);
    return changed;
  }
  if (typeof value !== "object" || value === null) return random.pick(STRANGE);
  const keys = Object.keys(value);
  const key = keys.length === 0 ? "a" : random.pick(keys);
  return { ...value, [key]: random.pick(STRANGE) };
}

function drip(random: Random): Response {
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setInterval>;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(encoder.encode("["));
      timer = setInterval(() => controller.enqueue(encoder.encode("0,")), random.whole(5, 100));
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: JSON_TYPE });
}

export const ANSWER_ATTACKS: readonly AnswerAttack[] = [
  ...Object.entries(HOSTILE_TEXTS).flatMap(([name, make]): AnswerAttack[] => [
    {
      name,
      answer: (_, random) =>
        new Response(make(random.whole(1, 24) * MEGABYTE), { headers: JSON_TYPE }),
    },
    {
      name: `${name}, compressed`,
      answer: (_, random) =>
        bomb(name, () => make(60 * MEGABYTE), random.pick(["gzip", "br", "deflate"] as const)),
    },
  ]),
  {
    name: "many keys",
    answer: (_, random) => new Response(manyKeys(random), { headers: JSON_TYPE }),
  },
  {
    name: "a member more",
    answer: async (truth, random) => {
      const first = gzipSync(Buffer.from(await truth.bytes()));
      const more = gzipSync(Buffer.from(" ".repeat(random.whole(1, 60) * MEGABYTE)));
      return new Response(Buffer.concat([first, more]), {
        headers: { ...JSON_TYPE, "content-encoding": "gzip" },
      });
    },
  },
  {
    name: "a long error",
    answer: (_, random) =>
      new Response("<h1>busy</h1>".repeat(random.whole(1, 2 * MEGABYTE)), {
        status: random.pick([400, 403, 429, 451, 500, 503]),
        headers: { "content-type": "text/html" },
      }),
  },
  {
    name: "many headers",
    answer: async (truth, random) => {
      const headers = new Headers(JSON_TYPE);
      for (let i = 0; i < 60; i++) headers.append(`x-${i}`, "y".repeat(random.whole(1, 4_000)));
      return new Response(await truth.text(), { headers });
    },
  },
  {
    name: "a redirect to itself",
    answer: (_, random) =>
      new Response(null, { status: random.pick([301, 302, 307, 308]), headers: { location: "?" } }),
  },
  { name: "drip", answer: (_, random) => drip(random) },
  withRows(
    "rows a thousand times",
    (rows) => Array.from({ length: 1_000 }, () => rows.slice(0, 20)).flat(),
  ),
  withRows("rows in disorder", (rows, random) => rows.toSorted(() => random.next() - 0.5)),
  withRows("strange values", (rows, random) => rows.map((row) => strange(row, random))),
  withRows("strange rows", (rows, random) => rows.map(() => random.pick(STRANGE))),
  withRows(
    "wide rows",
    (rows, random) =>
      rows.map((row) =>
        Array.isArray(row) ? [...row, ...Array(random.whole(1, 2_000)).fill("1")] : row
      ),
  ),
  withRows("thousands of bad rows", (rows, random) =>
    Array.from({ length: 5_000 }, (_, i) => {
      const [row] = rows;
      return Array.isArray(row) ? [random.whole(0, 2 ** 40) + i, ...row.slice(1).fill("-1")] : row;
    })),
];
