/** Answers that are made to harm the one who reads them: small on the wire, large in memory. By seed. @module */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { Random } from "../faults/random.ts";

/** An HTTP answer with status 200. */
export interface HostileAnswer {
  /** What it is, for messages. */
  readonly name: string;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** How many bytes an answer has when it is unpacked, about. */
const BYTES = 26 * 1024 * 1024;

const repeated = (text: string, bytes = BYTES): string =>
  text.repeat(Math.ceil(bytes / text.length));

const list = (entry: string, bytes?: number): string => `[${repeated(`${entry},`, bytes)}0]`;

/** Bodies by what is wrong with them. */
const BODIES: Readonly<Record<string, () => string>> = {
  "brackets that never end": () => repeated("["),
  "lists in lists": () => repeated("[", BYTES / 2) + repeated("]", BYTES / 2),
  "objects in objects": () => repeated('{"a":', BYTES / 2),
  "small numbers": () => list("0"),
  "empty lists": () => list("[]"),
  "empty objects": () => list("{}"),
  "short texts": () => list('"ab"'),
  "one long text": () => `["${repeated("x")}"]`,
  "one long text of another script": () => `["${repeated("币", BYTES / 3)}"]`,
  "one long text of escapes": () => `["${repeated("\\u0000")}"]`,
  "one long number": () => `[${repeated("9")}]`,
  "one long name": () => `{"${repeated("x")}":1}`,
  "long numbers": () => list("9".repeat(60_000)),
  "many names": () => `{${manyNames(1_200_000)}"z":0}`,
  "rows of wrong shape": () => list('[1,"2"]'),
  "rows of objects": () => list('{"t":1,"o":2,"h":3,"l":4,"c":5}'),
  "rows of candles without a time": () => list('["x","1","1","1","1","1"]'),
  "no JSON": () => repeated("not JSON "),
  "a page": () => `<html>${repeated("<p>busy</p>")}</html>`,
  "an object that calls itself a list": () => '{"length":4000000000}',
  "a list of lists of lists": () => list(`[${"[],".repeat(130)}0]`, 7_900 * 400),
  "a list of lists of objects": () => list(`[${'{"a":{}},'.repeat(50)}0]`, 7_900 * 450),
  "a list of lists of texts": () => `[${manyTexts(7_900, 190)}0]`,
  "a list of lists of texts of two scripts": () => `["币",${manyTexts(7_900, 190)}0]`,
  "markets without names": () => `{"symbols":${list("{}", 7_900 * 3)}}`,
  "markets with names": () => `{"symbols":[${manyMarkets(7_900)}]}`,
  "rows of odd values": () => list('[1717241400000,"x",{"a":1},[1],null,true]', 5 * 1024 * 1024),
  "white space": () => `[${repeated(" ")}]`,
};

function manyNames(count: number): string {
  let names = "";
  for (let at = 0; at < count; at++) names += `"name${at}":{},`;
  return names;
}

function manyTexts(lists: number, count: number): string {
  let texts = "";
  for (let at = 0; at < lists; at++) {
    texts += `[${Array.from({ length: count }, (_, n) => `"text${at * count + n}"`).join(",")}],`;
  }
  return texts;
}

function manyMarkets(count: number): string {
  return Array.from({ length: count }, (_, at) =>
    JSON.stringify({
      ...{ symbol: `COIN${at}USDT`, status: "TRADING", baseAsset: `COIN${at}`, quoteAsset: "USDT" },
      filters: [{ filterType: "PRICE_FILTER", minPrice: "0.01", tickSize: "0.01" }],
      permissionSets: [["SPOT", `GROUP_${at}`]],
    })).join(",");
}

const PACKINGS: Readonly<Record<string, (body: Uint8Array) => Uint8Array>> = {
  gzip: (body) => gzipSync(body, { level: 1 }),
  br: (body) => brotliCompressSync(body, { params: { 1: 1 } }),
  deflate: (body) => deflateSync(body, { level: 1 }),
  "gzip in members": (body) => {
    const middle = body.length >> 1;
    return joined(
      gzipSync(body.subarray(0, middle), { level: 1 }),
      gzipSync(body.subarray(middle), { level: 1 }),
    );
  },
};

/** What can be asked for by name. */
export const HOSTILE_BODIES: readonly string[] = Object.keys(BODIES);
export const HOSTILE_PACKINGS: readonly string[] = Object.keys(PACKINGS);

/** A body by name, packed or not. */
export function hostileAnswer(body: string, packing?: string): HostileAnswer {
  const plain = new TextEncoder().encode(BODIES[body]!());
  const packed = packing === undefined ? plain : PACKINGS[packing]!(plain);
  return {
    name: packing === undefined ? body : `${body}, as ${packing}`,
    body: new Uint8Array(packed),
    headers: packing === undefined ? {} : { "content-encoding": packing.split(" ")[0] ?? "" },
  };
}

/** The same answer for the same seed. */
export function hostileAnswerOf(seed: number): HostileAnswer {
  const random = new Random(seed);
  return hostileAnswer(
    random.pick(HOSTILE_BODIES),
    random.pick([undefined, ...HOSTILE_PACKINGS]),
  );
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const whole = new Uint8Array(one.length + other.length);
  whole.set(one);
  whole.set(other, one.length);
  return whole;
}
