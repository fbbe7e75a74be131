/** `titan10 export --format freqtrade`: the files are where freqtrade looks for them, with what is stored. @module */
import assert from "node:assert/strict";
import { tableFromIPC } from "@uwdata/flechette";
import type { Database } from "../../lib/store/connection/database.ts";
import { withArchivePlace } from "../support/archive_place.ts";
import { type Seed, seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";

const SINCE = "2024-01-01T00:00:00Z";
const SINCE_MS = Date.parse(SINCE);
const HOUR_MS = 3_600_000;

const SEEDS: readonly Seed[] = [
  ["binance", "BTC/USDT", "1h", 25_000],
  ["binance", "BTC/USDT", "1M", 2],
  ["binance", "BTC/USDT:USDT", "5m", 36],
  ["binance", "BTC/USDT:USDT@index", "5m", 3],
  ["binance", "BTC/USDT:USDT@mark", "1m", 200],
  ["binance", "BTC/USDT:USDT@mark", "5m", 12],
  ["binance", "BTC/USDT:USDT@premium", "5m", 3],
  ["binance", "ETH/USDT:USDT", "5m", 2],
  ["binance", "ETH/USDT:USDT-240329", "5m", 2],
  ["hyperliquid", "BTC/USDC:USDC", "5m", 2],
  ["kraken", "BTC/USD", "1h", 3],
  ["okx", "BTC/USD:BTC", "1h", 3],
].map(([exchange, symbol, timeframe, candles]) =>
  ({ exchange, symbol, timeframe, since: SINCE, candles }) as Seed
);

async function fill(database: Database): Promise<void> {
  const { sql } = database;
  await seed(database, SEEDS);
  const contracts = [["BTC/USDT:USDT", "0.001"], ["ETH/USDT:USDT", "1"], [
    "ETH/USDT:USDT-240329",
    "1",
  ]];
  await sql`insert into listings (exchange, symbol, since, kind, settle, contract_size, volume_unit)
    values ('hyperliquid', 'BTC/USDC:USDC', ${SINCE}, 'linear', 'USDC', 1, 'base')`;
  for (const exchange of ["binance", "hyperliquid"]) {
    const symbol = exchange === "binance" ? "BTC/USDT:USDT" : "BTC/USDC:USDC";
    // As exchanges do, some milliseconds late.
    await sql`insert into funding_rates (exchange, symbol, time, rate)
      select ${exchange}, ${symbol}, ${SINCE}::timestamptz + n * interval '8 hours' + n * interval '3 ms', (n - 1) * 0.0001
      from generate_series(0, 10000) as n`;
    await sql`insert into funding_checkpoints (exchange, symbol, rates, first, last)
      select ${exchange}, ${symbol}, count(*), min(time), max(time) from funding_rates
      where exchange = ${exchange}`;
  }
  for (const [symbol = "", size = ""] of contracts) {
    await sql`insert into listings (exchange, symbol, since, kind, settle, contract_size, volume_unit)
      values ('binance', ${symbol}, ${SINCE}, 'linear', 'USDT', ${size}, 'contracts')`;
  }
  // The unit of its volume is not known.
  await sql`insert into listings (exchange, symbol, since, kind, settle, contract_size)
    values ('okx', 'BTC/USD:BTC', ${SINCE}, 'inverse', 'BTC', 100)`;
  // Of the second hour a minute is missing, and the fourth is not over.
  await sql`delete from ohlcv_1m where time = '2024-01-01 01:07Z'`;
  await sql`update ohlcv_1m set high = 50000 + extract(minute from time), low = 100 + extract(minute from time)`;
  await sql`update checkpoints set unsettled = '{[2024-01-01 02:00Z, 2024-01-01 03:00Z)}'
    where exchange = 'kraken'`;
}

interface Scene {
  readonly folder: string;
  readonly sql: (statement: string) => Promise<void>;
  readonly exported: (...args: string[]) => Promise<CommandResult>;
}

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`files for freqtrade are written from a database that is ${kind}`, (t) =>
    withArchivePlace(t, kind, async ({ folder, env, withDatabase }) => {
      await withDatabase(fill);
      const scene: Scene = {
        folder: `${folder}/data`,
        sql: (statement) => withDatabase(async ({ sql }) => void await sql.unsafe(statement)),
        exported: (...args) =>
          runInProcess(["export", "--format", "freqtrade", "-o", `${folder}/data`, ...args], env),
      };
      for (const [name, step] of Object.entries(STEPS)) await t.step(name, () => step(scene));
    }));
}

const STEPS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "each series has a file, and what is left out or lacks something is named": async (
    { folder, exported },
  ) => {
    const { code, stderr } = await exported();
    assert.deepEqual(await filesIn(folder), [
      "binance/BTC_USDT-1Mo.feather",
      "binance/BTC_USDT-1h.feather",
      "binance/futures/BTC_USDT_USDT-1h-funding_rate.feather",
      "binance/futures/BTC_USDT_USDT-1h-mark.feather",
      "binance/futures/BTC_USDT_USDT-1m-mark.feather",
      "binance/futures/BTC_USDT_USDT-5m-futures.feather",
      "binance/futures/BTC_USDT_USDT-5m-index.feather",
      "binance/futures/BTC_USDT_USDT-5m-mark.feather",
      "binance/futures/BTC_USDT_USDT-5m-premiumIndex.feather",
      "binance/futures/ETH_USDT_USDT-240329-5m-futures.feather",
      "binance/futures/ETH_USDT_USDT-5m-futures.feather",
      "hyperliquid/futures/BTC_USDC_USDC-1h-funding_rate.feather",
      "hyperliquid/futures/BTC_USDC_USDC-5m-futures.feather",
      "kraken/BTC_USD-1h.feather",
    ]);
    assert.match(stderr, /^45,\d{3} rows in 14 files in /m);
    assert.match(stderr, /^Left out: 1 series \(okx BTC\/USD:BTC 1h\), of which /m);
    assert.match(stderr, /needs mark prices .* of 1 perpetual \(binance ETH\/USDT:USDT\): /);
    assert.match(
      stderr,
      /needs candles of 1h .* of 1 perpetual \(hyperliquid BTC\/USDC:USDC\): add 1h to/,
    );
    assert.match(stderr, /needs funding rates .* of 1 perpetual \(binance ETH\/USDT:USDT\)$/m);
    assert.equal(code, 1, stderr);
  },

  "rows are the stored candles, across pages, with prices as the nearest doubles": async (
    { folder },
  ) => {
    const rows = await rowsOf(`${folder}/binance/BTC_USDT-1h.feather`);
    assert.equal(rows.length, 25_000);
    for (const [n, row] of rows.entries()) {
      assert.deepEqual(row, [
        SINCE_MS + n * HOUR_MS,
        Number((40_000 + (n % 977) * 0.01).toFixed(2)),
        41_000.5,
        1e-10,
        Number((40_000 + (n % 1009) * 0.01).toFixed(2)),
        Number(((n % 5003) * 0.00012345678901).toFixed(14)),
      ]);
    }
  },

  "the volume of contracts is in the base currency, and 0 of other prices": async ({ folder }) => {
    const futures = `${folder}/binance/futures`;
    const volumes = async (name: string): Promise<readonly number[]> =>
      (await rowsOf(`${futures}/BTC_USDT_USDT-5m-${name}.feather`)).map((row) => row[5]!);
    assert.deepEqual((await volumes("futures")).slice(0, 3), [0, 1.2345678901e-7, 2.4691357802e-7]);
    for (const name of ["index", "premiumIndex"]) assert.deepEqual(await volumes(name), [0, 0, 0]);
  },

  "funding rates are the opens of rows, at the minute of mark prices": async (
    { folder, exported },
  ) => {
    const file = `${folder}/binance/futures/BTC_USDT_USDT-1h-funding_rate.feather`;
    const rows = await rowsOf(file);
    assert.equal(rows.length, 10_001);
    for (const [n, row] of rows.entries()) {
      const rate = Number(((n - 1) / 10_000).toFixed(4));
      assert.deepEqual(row, [SINCE_MS + n * 8 * HOUR_MS, rate, 0, 0, 0, 0]);
    }
    const since = ["--since", "2024-01-01T08:00Z", "--until", "2024-01-02T08:00Z"];
    assert.equal((await exported("--symbol", "BTC/USDT:USDT", ...since)).code, 0);
    const times = (await rowsOf(file)).map(([timeMs]) => timeMs);
    assert.deepEqual(times, [1, 2, 3].map((n) => SINCE_MS + n * 8 * HOUR_MS));
    assert.equal((await exported()).code, 1);
  },

  "mark prices by the hour are made of finer ones, of whole hours only": async (
    { folder, sql, exported },
  ) => {
    const file = `${folder}/binance/futures/BTC_USDT_USDT-1h-mark.feather`;
    assert.deepEqual(await rowsOf(file), [
      [SINCE_MS, 40_000, 50_059, 100, 40_000.59, 0],
      [SINCE_MS + 2 * HOUR_MS, 40_001.2, 50_059, 100, 40_001.79, 0],
    ]);
    // Also where only another timeframe of trades is asked for.
    await Deno.remove(file);
    const chosen = ["--symbol", "BTC/USDT:USDT", "--timeframe", "5m"];
    assert.equal((await exported(...chosen, "--until", "2024-01-01T02:00Z")).code, 0);
    assert.deepEqual((await rowsOf(file)).map(([timeMs]) => timeMs), [SINCE_MS]);
    // Hours that are archived as such are taken as they are.
    await sql(`
      update checkpoints set symbol = 'BTC/USDT:USDT@mark' where exchange = 'kraken';
      update checkpoints set exchange = 'binance' where exchange = 'kraken';
      update ohlcv_1h set symbol = 'BTC/USDT:USDT@mark', exchange = 'binance' where exchange = 'kraken'`);
    assert.equal((await exported(...chosen)).code, 0);
    assert.equal((await rowsOf(file)).length, 3);
    assert.equal((await exported("--symbol", "BTC/USDT:USDT@mark", "--final-only")).code, 0);
    assert.equal((await rowsOf(file)).length, 2);
  },

  "a file that was there is replaced, and nothing unfinished stays": async (
    { folder, exported },
  ) => {
    const file = `${folder}/binance/BTC_USDT-1h.feather`;
    const few = await exported("--symbol", "BTC/USDT", "--until", "2024-01-01T05:00Z");
    assert.equal(few.code, 0, few.stderr);
    assert.equal((await rowsOf(file)).length, 5);
    assert.deepEqual((await filesIn(folder)).filter((name) => !/\w\.feather$/.test(name)), []);
  },

  "two symbols of one file name are refused before anything is written": async (
    { folder, sql, exported },
  ) => {
    await Deno.remove(folder, { recursive: true });
    await sql(`update checkpoints set symbol = 'ETH.USDT:USDT' where symbol = 'ETH/USDT:USDT'`);
    await sql(`insert into checkpoints (exchange, symbol, timeframe, candles, first, last)
      values ('binance', 'btc/usdt', '1h', 1, '${SINCE}', '${SINCE}')`);
    const { code, stderr } = await exported();
    assert.match(
      stderr,
      /^Cannot export\. .* binance\/BTC_USDT-1h\.feather, for BTC\/USDT and btc\/usdt: /,
    );
    assert.equal(code, 1);
    assert.deepEqual(await filesIn(folder), []);
  },

  "what is not for freqtrade is refused with what to do": async ({ folder, exported }) => {
    const refused = [
      [["--source", "merged"], /leave out --source merged/],
      [["--numbers", "exact"], /--numbers is not for --format freqtrade/],
      [["--provisional"], /--provisional is not for/],
      [["--quote-formulas"], /--quote-formulas is not for/],
      [["-o", "-"], /name it with -o, such as -o user_data\/data/],
    ] as const;
    for (const [args, why] of refused) {
      const { code, stderr } = await exported(...args);
      assert.match(stderr, why);
      assert.equal(code, 2, args.join(" "));
    }
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/binance`, "");
    const { code, stderr } = await exported("--symbol", "BTC/USDT");
    assert.match(stderr, /^Cannot create .*\/data\/binance/);
    assert.equal(code, 1);
  },
};

async function filesIn(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory) found.push(name);
      else for (const below of await filesIn(`${folder}/${name}`)) found.push(`${name}/${below}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}

async function rowsOf(path: string): Promise<readonly (readonly number[])[]> {
  const table = tableFromIPC(await Deno.readFile(path), { useDate: false });
  const columns = table.names.map((name) => [...table.getChild(name)] as number[]);
  return columns[0]!.map((_, n) => columns.map((column) => column[n]!));
}
