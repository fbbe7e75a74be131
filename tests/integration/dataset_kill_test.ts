/** A dataset whose writer is killed at any moment is, after the next run, what it would have been without that. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { forgetSymbol } from "../../lib/store/forget.ts";
import { exportDataset } from "../../lib/transfer/dataset_export.ts";
import { MonthManifest } from "../../lib/transfer/dataset_manifest.ts";
import type { DatasetPlace } from "../../lib/transfer/dataset_place.ts";
import { datasetPages } from "../../lib/transfer/dataset_source.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { seed } from "../support/seeded.ts";

type Files = Map<string, Uint8Array<ArrayBuffer>>;

/** When a writer is killed: at which of its changes of files, before it is made or after. */
interface Kill {
  readonly at: number;
  readonly isAfter: boolean;
}

const KILLED = new Error("killed");

Deno.test("a writer that is killed at any moment loses and doubles nothing that it had told", () =>
  withAnyArchivePlace(({ withDatabase }) =>
    withDatabase(async (database) => {
      await seed(database, [
        hours("binance", "BTC/USDT", "2024-01-10T00:00:00Z", 60),
        hours("binance", "ETH/USDT", "2024-02-01T00:00:00Z", 20),
        hours("kraken", "BTC/USD", "2024-02-01T00:00:00Z", 9),
        hours("kraken", "ETH/USD", "2024-03-01T00:00:00Z", 2),
        hours("okx", "BTC/USDT", "2024-03-01T00:00:00Z", 9),
      ]);
      const first = await killedAnywhere(database, new Map());
      await change(database, 10);
      await forgetSymbol(database, { exchange: "okx", symbol: "BTC/USDT" });
      await database
        .sql`insert into gaps (exchange, symbol, timeframe, since, until, missing, state)
        values ('kraken', 'BTC/USD', '1h', '2024-02-05Z', '2024-02-06Z', 24, 'no_trades')`;
      const second = await killedAnywhere(database, first);
      await change(database, 12);
      await forgetSymbol(database, { exchange: "binance", symbol: "ETH/USDT" });
      await forgetSymbol(database, { exchange: "kraken", symbol: "BTC/USD" });
      await killedAnywhere(database, second);
    })
  ));

/** RETENTION drops what is before a day of February, and a later candle is changed. */
async function change(database: Database, day: number): Promise<void> {
  const untilMs = Date.UTC(2024, 1, day);
  await expireCandles(database, parseTimeframe("1h"), { untilMs });
  await database.sql`update ohlcv_1h set volume = ${day}
    where exchange = 'binance' and time = to_timestamp(${untilMs / 1000 + 7200})`;
}

/** Kills a run at each of its changes, and the next one early, too. Returns the files of a run that nobody kills. */
async function killedAnywhere(database: Database, files: Files): Promise<Files> {
  const expected: Files = new Map(files);
  const changes = await run(database, expected);
  assert.ok(changes > 3);
  assert.equal([...expected.keys()].some((path) => path.endsWith("/_former.json")), false);
  for (let at = 1; at <= changes; at++) {
    for (const isAfter of [false, true]) {
      const found: Files = new Map(files);
      await assert.rejects(run(database, found, { at, isAfter }), KILLED);
      await assertTold(found);
      await run(database, found, { at: 4, isAfter }).catch((error) => assert.equal(error, KILLED));
      await assertTold(found);
      await run(database, found);
      assert.deepEqual(comparable(found), comparable(expected), `${at} ${isAfter}`);
    }
  }
  return expected;
}

/** Returns how many changes of files it made. */
async function run(database: Database, files: Files, kill?: Kill): Promise<number> {
  let changes = 0;
  const changed = (change: () => void): Promise<void> => {
    changes++;
    const isNow = kill !== undefined && changes >= kill.at;
    if (!isNow || (kill.isAfter && changes === kill.at)) change();
    return isNow ? Promise.reject(KILLED) : Promise.resolve();
  };
  await exportDataset({
    place: placeOf(files, changed),
    source: (request) => datasetPages(database, request),
    clock: systemClock,
    signal: new AbortController().signal,
    choice: { exchanges: [], symbols: [], timeframes: [], sinceMs: null, untilMs: null },
    numbers: "double",
    program: "titan10",
    isDryRun: false,
  });
  return changes;
}

function placeOf(files: Files, changed: (change: () => void) => Promise<void>): DatasetPlace {
  return {
    name: "memory",
    read: async (path) => {
      const bytes = files.get(path);
      return bytes && { bytes, version: await hashOf(bytes) };
    },
    slice: (path, start, end) => Promise.resolve(files.get(path)!.slice(start, end)),
    write: (path) => {
      const parts: Uint8Array[] = [];
      return Promise.resolve({
        write: (bytes) => Promise.resolve(void parts.push(bytes.slice())),
        finish: () => changed(() => void files.set(path, new Uint8Array(Buffer.concat(parts)))),
        close: () => Promise.resolve(),
      });
    },
    replace: (path, bytes) => changed(() => void files.set(path, new Uint8Array(bytes))),
    remove: (path) => changed(() => void files.delete(path)),
    async *list(): ReturnType<DatasetPlace["list"]> {
      for (const [path, { length }] of [...files]) {
        yield await Promise.resolve({ path, bytes: length });
      }
    },
  };
}

/** What is told beside a file is of the file that is there. */
async function assertTold(files: Files): Promise<void> {
  for (const [path, bytes] of files) {
    if (!path.endsWith("/_candles.json")) continue;
    const { file } = MonthManifest.parse(JSON.parse(new TextDecoder().decode(bytes)));
    const there = files.get(file.path);
    assert.equal(there && await hashOf(there), file.sha256, path);
  }
}

/** All files, without when they were written. */
function comparable(files: Files): Readonly<Record<string, string>> {
  const texts = [...files].map(([path, bytes]): [string, string] => [
    path,
    path.endsWith(".json")
      ? new TextDecoder().decode(bytes).replace(/ "writtenAt": "[^"]+",\n/, "")
      : bytes.toBase64(),
  ]);
  return Object.fromEntries(texts.sort(([one], [other]) => one < other ? -1 : 1));
}

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function hours(
  exchange: string,
  symbol: string,
  since: string,
  days: number,
): Parameters<typeof seed>[1][number] {
  return { exchange, symbol, timeframe: "1h", since, candles: days * 24 };
}
