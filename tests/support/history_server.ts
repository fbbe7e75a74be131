/**
 * A local Binance in a process of its own, whose API and whose files have the same candles: arguments are the number of
 * symbols, of whole months before now, the milliseconds that every answer takes longer, and `spot` or `linear`. Prints its port and, of every file,
 * its name, rows, and the sums of its closes and volumes in units of 1e-8.
 * @module
 */
import { inflateRawSync } from "node:zlib";
import { systemClock } from "../../lib/clock.ts";
import { contract } from "../../lib/local_exchange/contract.ts";
import { type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { binance } from "./local_exchange/binance.ts";
import { binanceFiles } from "./local_exchange/binance_files.ts";
import type { Ask, Dialect } from "./local_exchange/dialect.ts";
import { startLocalExchange } from "./local_exchange/faulty_exchange.ts";

const [symbolsText = "2", monthsText = "1", latencyText = "0", kind = "spot"] = Deno.args;

const symbols: readonly LocalSymbol[] = Array.from({ length: Number(symbolsText) }, (_, at) => {
  const facts = { tickDecimals: 2, price: 100 + at, quoteVolume24h: 1_000_000 * (at + 1) };
  return kind === "spot"
    ? market(`A${at}/USDT`, facts)
    : contract(`A${at}/USDT:USDT`, { ...facts, size: 0.001 });
});

const files = binanceFiles();
const answers = new Map<string, Ask | undefined>();

/** Each answer of files is made once, before anything is measured. */
const kept: Dialect = {
  ...files,
  read: (request) => {
    if (!request.path.startsWith("/data/")) return undefined;
    if (!answers.has(request.path)) answers.set(request.path, files.read(request));
    return answers.get(request.path);
  },
};

const told: (readonly [name: string, rows: number, closes: string, volumes: string])[] = [];
const nowMs = systemClock.now();
for (const { base } of symbols) {
  for (let back = 1; back <= Number(monthsText); back++) {
    const now = new Date(nowMs);
    const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back)).toISOString()
      .slice(0, 7);
    const id = `${base}USDT`;
    const path = `/data/${
      kind === "spot" ? "spot" : "futures/um"
    }/monthly/klines/${id}/1m/${id}-1m-${month}.zip`;
    const request = { query: new URLSearchParams(), symbols, nowMs };
    kept.read({ ...request, path: `${path}.CHECKSUM` });
    const ask = kept.read({ ...request, path });
    if (ask?.about !== "other") throw new Error(`Cannot make ${path}`);
    told.push([`${id} ${month}`, ...sumsOf(ask.answer.body as Uint8Array)]);
  }
}
const exchange = await startLocalExchange({
  clock: systemClock,
  symbols,
  dialect: [binance, kept],
});
exchange.faults.add({ fault: { kind: "latency", ms: Number(latencyText) } });
console.log(JSON.stringify({ proxyUrl: exchange.proxyUrl, told }));

/** Rows, and the sums of closes and volumes, of the only member of an archive. */
function sumsOf(zip: Uint8Array): readonly [rows: number, closes: string, volumes: string] {
  const head = new DataView(zip.buffer, zip.byteOffset);
  const from = 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const text = inflateRawSync(zip.subarray(from, from + head.getUint32(18, true))).toString();
  let [closes, volumes, rows] = [0n, 0n, 0];
  for (const line of text.trim().split("\n").filter((line) => /^\d/.test(line))) {
    const fields = line.split(",");
    closes += units(fields[4]!);
    volumes += units(fields[5]!);
    rows++;
  }
  return [rows, String(closes), String(volumes)];
}

/** A decimal in units of 1e-8. */
function units(text: string): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(8, "0"));
}
