/** Answers that are made to harm the one who reads them: small on the wire, large in memory. @module */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { HOSTILE_TEXTS } from "./hostile_texts.ts";

/** An HTTP answer with status 200. */
export interface HostileAnswer {
  /** What it is, for messages. */
  readonly name: string;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** How many bytes an answer has when it is unpacked, about. */
const BYTES = 26 * 1024 * 1024;

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
export const HOSTILE_BODIES: readonly string[] = Object.keys(HOSTILE_TEXTS);

/** A body by name, packed or not. */
export function hostileAnswer(body: string, packing?: string): HostileAnswer {
  const plain = new TextEncoder().encode(HOSTILE_TEXTS[body]!(BYTES));
  const packed = packing === undefined ? plain : PACKINGS[packing]!(plain);
  return {
    name: packing === undefined ? body : `${body}, as ${packing}`,
    body: new Uint8Array(packed),
    headers: packing === undefined ? {} : { "content-encoding": packing.split(" ")[0] ?? "" },
  };
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const whole = new Uint8Array(one.length + other.length);
  whole.set(one);
  whole.set(other, one.length);
  return whole;
}
