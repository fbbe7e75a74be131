/** `titan10 export` of rollups: a candle is written when nothing in it can be missing that may still come. @module */
import assert from "node:assert/strict";
import { planRollups } from "../../lib/market/rollup.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { readTimescale } from "../../lib/store/connection/timescale.ts";
import { arrangeRollups, readRollups, refreshRollup } from "../../lib/store/rollups.ts";
import { type ArchivePlace, withArchivePlace } from "../support/archive_place.ts";
import { seed } from "../support/seeded.ts";
import { runInProcess } from "../support/shell.ts";

const [MINUTE, HOUR] = ["1m", "1h"].map(parseTimeframe);
const BTC = { symbol: "BTC/USDT", since: "2024-01-01T00:30:00Z" };

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`rollups are exported from a database that is ${kind}`, (t) =>
    withArchivePlace(t, kind, async (place) => {
      await place.withDatabase(async (database) => {
        await seed(database, [
          { exchange: "binance", timeframe: "1m", candles: 160, ...BTC },
          { exchange: "kraken", timeframe: "1m", candles: 160, ...BTC },
          {
            ...{ exchange: "kraken", timeframe: "1h", candles: 3 },
            ...{ symbol: "BTC/USDT", since: "2024-01-01T00:00:00Z" },
          },
        ]);
        const { rollups } = planRollups([HOUR!], [MINUTE!]);
        await arrangeRollups(database, rollups);
      });
      await steps(t, place);
    }));
}

async function steps(t: Deno.TestContext, { env, withDatabase }: ArchivePlace): Promise<void> {
  const lines = async (...args: string[]): Promise<readonly string[]> => {
    const { code, stdout, stderr } = await runInProcess(["export", ...args], env);
    assert.equal(code, 0, stderr);
    return stdout.split("\n").slice(1);
  };
  const hours = async (...args: string[]): Promise<readonly string[]> =>
    (await lines("--timeframe", "1h", ...args)).map((line) => {
      const [exchange, , , time] = line.split(",");
      return `${exchange} ${time!.slice(11, 13)}`;
    });
  await t.step("without --timeframe there are only the candles that are archived", async () => {
    const all = await lines();
    assert.equal(all.length, 160 + 160 + 3);
    assert.equal(all.filter((line) => line.startsWith("binance,BTC/USDT,1h")).length, 0);
  });
  await t.step("hours that are whole are written, of archived ones the archived", async () => {
    assert.deepEqual(await hours(), [
      ...["binance 01", "binance 02", "kraken 00", "kraken 01", "kraken 02"],
    ]);
    const [first] = await lines("--timeframe", "1h", "--exchange", "binance");
    // Of minutes 30 to 89 of the seeded candles.
    const volume = Array.from({ length: 60 }, (_, n) => BigInt((n + 30) * 12_345_678_901))
      .reduce((sum, one) => sum + one);
    const text = `0.${volume.toString().padStart(14, "0")}`;
    assert.equal(
      first,
      `binance,BTC/USDT,1h,2024-01-01T01:00:00Z,40000.30,41000.5,0.0000000001,40000.89,${text},${text}`,
    );
  });
  await t.step("--source rollup takes what is calculated, also beside archived ones", async () => {
    assert.deepEqual(await hours("--source", "rollup"), [
      ...["binance 01", "binance 02", "kraken 01", "kraken 02"],
    ]);
    assert.equal((await lines("--source", "rollup")).length, 4);
  });
  await t.step("an hour with a hole is left out until the hole is explained", async () => {
    const gap = async (state: string): Promise<void> => {
      await withDatabase(async (database) => {
        await database.sql`
          insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
          values ('binance', 'BTC/USDT', '1m', '2024-01-01 01:30Z', '2024-01-01 01:31Z', ${state}, 1)
          on conflict (exchange, symbol, timeframe, since) do update set state = excluded.state`;
      });
    };
    await withDatabase(async (database) => {
      await database.sql`
        delete from ohlcv_1m where exchange = 'binance' and time = '2024-01-01 01:30Z'`;
    });
    // No scan has entered it.
    assert.deepEqual(await hours("--exchange", "binance"), ["binance 02"]);
    await withDatabase(async (database) => {
      await database.sql`update checkpoints set scanned = covered where timeframe = '1m'`;
    });
    await gap("suspected");
    assert.deepEqual(await hours("--exchange", "binance"), ["binance 02"]);
    await gap("no_trades");
    assert.deepEqual(await hours("--exchange", "binance"), ["binance 01", "binance 02"]);
  });
  await t.step("an hour that lacks what came later is left out until it is refreshed", async () => {
    await withDatabase(async (database) => {
      const isTimescale = await readTimescale(database) !== undefined;
      const [rollup] = await readRollups(database);
      const window = {
        sinceMs: Date.parse("2024-01-01T00:00Z"),
        untilMs: Date.parse("2024-01-02T00:00Z"),
      };
      await refreshRollup(database, rollup!, window);
      await database.sql`
        insert into ohlcv_1m (time, exchange, symbol, open, high, low, close, volume)
        values ('2024-01-01 01:30Z', 'binance', 'BTC/USDT', 1, 1, 1, 1, 1)`;
      return isTimescale;
    }).then(async (isTimescale) => {
      const whole = ["binance 01", "binance 02"];
      const stale = await hours("--exchange", "binance");
      assert.deepEqual(stale, isTimescale ? ["binance 02"] : whole);
      await withDatabase(async (database) => {
        await refreshRollup(database, (await readRollups(database))[0]!, {
          sinceMs: Date.parse("2024-01-01T00:00Z"),
          untilMs: Date.parse("2024-01-02T00:00Z"),
        });
      });
      assert.deepEqual(await hours("--exchange", "binance"), whole);
    });
  });
  await t.step("an hour with a candle of a stream is provisional", async () => {
    await withDatabase(async (database) => {
      await database.sql`
        update checkpoints set unsettled = '{[2024-01-01 02:58Z, 2024-01-01 03:10Z)}',
          streamed = '{[2024-01-01 02:59Z, 2024-01-01 03:00Z)}', covered = covered - '{[2024-01-01 02:58Z,)}'::tstzmultirange
        where exchange = 'binance' and timeframe = '1m'`;
    });
    const binance = ["--exchange", "binance", "--timeframe", "1h"];
    assert.deepEqual(await hours("--exchange", "binance"), ["binance 01"]);
    const marks = (await lines(...binance, "--provisional")).map((line) => line.split(",")[10]);
    assert.deepEqual(marks, ["false", "true"]);
    assert.deepEqual(await hours("--exchange", "binance", "--final-only"), ["binance 01"]);
  });
  await t.step("what is calculated is not merged, and what is not there is named", async () => {
    const merged = await runInProcess(
      ["export", "--source", "merged", "--timeframe", "1h", "--exchange", "binance"],
      env,
    );
    assert.equal(merged.code, 1);
    assert.match(merged.stderr, /^Cannot export\. Candles of 1h cannot be merged.* from 1m/);
    const unknown = await runInProcess(["export", "--timeframe", "4h"], env);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /Nothing is archived of the timeframe 4h. Archived: 1h, 1m/);
  });
}
