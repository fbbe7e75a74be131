/** Files that somebody gives to `titan10 import`. Whatever they hold, nothing false may be stored of the good exchange. @module */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import type { Random } from "../faults/random.ts";

export interface FileAttack {
  readonly name: string;
  readonly bytes: (random: Random) => Uint8Array;
}

const HEAD = "time,open,high,low,close,volume\n";
const MEGABYTE = 1_000_000;

function text(name: string, make: (random: Random) => string): FileAttack {
  return { name, bytes: (random) => Buffer.from(make(random)) };
}

/** A row that would be taken, but for what is put in one of its fields. */
function row(i: number, at: number, odd: string): string {
  const fields = [new Date(1_600_000_000_000 + i * 60_000).toISOString(), "2", "3", "1", "2", "5"];
  fields[at] = odd;
  return `${fields.join(",")}\n`;
}

const ODD: readonly string[] = [
  "NaN",
  "1e400",
  "-0",
  "0x1p3",
  "1,5",
  '"',
  "=1+1",
  "\u001b]0;x\u0007",
  "\u202e1",
  "１",
  "1".repeat(100_000),
  "",
  "null",
  "'; drop table ohlcv; --",
];

export const FILE_ATTACKS: readonly FileAttack[] = [
  text("a line without end", (random) => HEAD + "1".repeat(random.whole(1, 30) * MEGABYTE)),
  text("a quote without end", (random) => `${HEAD}"${",\n".repeat(random.whole(1, 8) * MEGABYTE)}`),
  text("many columns", (random) => `${"a,".repeat(random.whole(1, 2) * MEGABYTE)}time\n1\n`),
  text("odd fields", (random) =>
    HEAD +
    Array.from({ length: 50 }, (_, i) => row(i, random.whole(0, 5), random.pick(ODD))).join("")),
  text("times out of all reach", (random) =>
    HEAD +
    ["+275760-09-13T00:00:00Z", "-271821-04-20", "9".repeat(30), "1e300", "0000-00-00"]
      .map((time, i) => row(random.whole(i, 50), 0, time)).join("")),
  {
    name: "a bomb of gzip",
    bytes: (random) => gzipSync(Buffer.alloc(random.whole(20, 120) * MEGABYTE, "0,")),
  },
  {
    name: "gzip cut off",
    bytes: (random) => {
      const whole = gzipSync(Buffer.from(HEAD + row(0, 1, "2") + row(1, 1, "2")));
      return whole.subarray(0, random.whole(1, whole.length - 1));
    },
  },
  {
    name: "noise",
    bytes: (random) => Uint8Array.from({ length: 5_000 }, () => random.whole(0, 255)),
  },
  {
    name: "a head of Parquet and noise",
    bytes: (random) =>
      Buffer.concat([
        Buffer.from("PAR1"),
        Uint8Array.from({ length: 500 }, () => random.whole(0, 255)),
        Buffer.from("PAR1"),
      ]),
  },
];
