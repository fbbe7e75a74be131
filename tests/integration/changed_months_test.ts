/** Whatever changes candles that are final gives their months other versions, and nothing else does. @module */
import assert from "node:assert/strict";
import type { Candle } from "../../lib/market/candle.ts";
import { type Series, seriesName } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { forgetSeries } from "../../lib/store/forget.ts";
import { type PageWrite, writePage } from "../../lib/store/page_write.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { withArchivePlace } from "../support/archive_place.ts";
import { emptyDatabase } from "../support/local_archive.ts";
import { runInProcess } from "../support/shell.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const HOUR = parseTimeframe("1h");
const HOUR_MS = 3_600_000;
const SERIES: Series = { exchange: "binance", symbol: "BTC/USDT", timeframe: HOUR };
const OTHER: Series = { ...SERIES, symbol: "ETH/USDT" };
const [JANUARY, FEBRUARY, MARCH] = ["2024-01", "2024-02", "2024-03"] as const;
const START_MS = Date.parse("2024-01-31T20:00Z");

/** What each change does, after four candles of January and four of February were stored. Hours count from the first one. */
const CHANGES: Readonly<
  Record<
    string,
    { readonly make: (database: Database) => Promise<unknown>; readonly months: readonly string[] }
  >
> = {
  "a page behind what is stored": {
    make: (database) => page(database, 8, [1, 2]),
    months: [FEBRUARY],
  },
  "a page of new candles": {
    make: (database) => page(database, 8, [1, 2], { isNew: true }),
    months: [FEBRUARY],
  },
  "a page over the end of a month": {
    make: (database) => page(database, 29 * 24 + 3, [1, 2, 3], { isNew: true }),
    months: [FEBRUARY, MARCH],
  },
  "a page that says the same again": {
    make: (database) => page(database, 0, [1, 1, 1, 1, 1, 1, 1, 1]),
    months: [],
  },
  "a page that revises a candle": {
    make: (database) => page(database, 0, [1, 2, 1, 1, 1, 1, 1, 1]),
    months: [JANUARY],
  },
  "an answer without candles": {
    make: (database) => page(database, 40, [], { hours: 3 }),
    months: [FEBRUARY],
  },
  "a candle that is not final yet": {
    // Its own month is the one that goes on: it is written anew without it, and has the same bytes.
    make: (database) => page(database, 8, [1], { hours: 0 }),
    months: [FEBRUARY],
  },
  "a candle of a stream": {
    make: (database) => stream(database, 8),
    months: [],
  },
  "an answer that confirms a candle of a stream": {
    make: async (database) => {
      await stream(database, 8);
      await page(database, 8, [1]);
    },
    months: [FEBRUARY],
  },
  "an answer that lacks a candle of a stream": {
    make: async (database) => {
      await stream(database, 8);
      await page(database, 8, [], { hours: 3, givenUpUntilMs: START_MS + 12 * HOUR_MS });
    },
    months: [FEBRUARY],
  },
  "what somebody does by hand": {
    make: ({ sql }) =>
      sql`update ohlcv_1h set close = high where time = '2024-01-31 20:00Z' and symbol = 'BTC/USDT'`,
    months: [JANUARY],
  },
  "coverage that is taken back": {
    make: ({ sql }) =>
      sql`update checkpoints set covered = covered - '{[2024-02-01 01:00Z, 2024-02-01 02:00Z)}'
          where symbol = 'BTC/USDT'`,
    months: [FEBRUARY],
  },
  "coverage without an end": {
    make: ({ sql }) =>
      sql`update checkpoints set covered = covered + '{[2024-02-01 02:00Z,)}' where symbol = 'BTC/USDT'`,
    // No candle is so new.
    months: [],
  },
  "what RETENTION drops": {
    make: (database) => expireCandles(database, HOUR, { untilMs: START_MS + 2 * HOUR_MS }),
    months: [],
  },
  "an error that is noted": {
    make: ({ sql }) => sql`update checkpoints set last_error = 'x', scanned = covered`,
    months: [],
  },
};

for (const kind of DATABASE_KINDS) {
  Deno.test(`versions of months in a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    try {
      await migrate(database, await readMigrations());
      await ensureCandleTables(database, [HOUR]);
      for (const [name, { make, months }] of Object.entries(CHANGES)) {
        await t.step(
          `${name}: ${months.length === 0 ? "none" : months.join(" and ")}`,
          async () => {
            await emptyDatabase(database);
            for (const series of [SERIES, OTHER]) {
              await page(database, 0, [1, 1, 1, 1, 1, 1, 1, 1], { isNew: true, series });
            }
            const before = await versions(database);
            await make(database);
            const after = await versions(database);
            const changed = [...after.keys()].filter((key) => after.get(key) !== before.get(key));
            assert.deepEqual(changed, months.map((month) => `${seriesName(SERIES)} ${month}`));
            assert.equal(new Set(after.values()).size, new Set(changed).size > 0 ? 3 : 2);
          },
        );
      }
      await t.step("a change that is rolled back leaves the version", async () => {
        const before = await versions(database);
        await database.sql.begin(async (sql) => {
          await sql`update ohlcv_1h set close = high + 1, high = high + 1`;
          await sql`do $$ begin raise exception 'no'; end $$`;
        }).catch(() => {});
        assert.deepEqual(await versions(database), before);
      });
      await t.step("a series that is forgotten and archived again has other versions", async () => {
        await emptyDatabase(database);
        await page(database, 0, [1, 1, 1, 1, 1], { isNew: true });
        const before = await versions(database);
        await forgetSeries(database, SERIES);
        assert.deepEqual([...await versions(database)], []);
        await page(database, 0, [1, 1, 1, 1, 1], { isNew: true });
        const after = await versions(database);
        assert.deepEqual([...after.keys()], [...before.keys()]);
        assert.ok([...after].every(([key, version]) => before.get(key) !== version));
      });
    } finally {
      await opened.drop();
    }
  });
}

Deno.test("files that are imported give their months other versions, and a copy has those of its source", (t) =>
  withArchivePlace(t, "embedded", (source) =>
    withArchivePlace(t, "postgres", async (target) => {
      const file = async (name: string, opens: readonly number[]): Promise<string> => {
        const rows = opens.map((open, n) =>
          `${new Date(START_MS + n * HOUR_MS).toISOString()},${open},9,1,${open},1`
        );
        await Deno.writeTextFile(
          `${source.folder}/${name}`,
          `${["time,open,high,low,close,volume", ...rows].join("\n")}\n`,
        );
        return `${source.folder}/${name}`;
      };
      const imported = async (...args: string[]): Promise<readonly string[]> => {
        const before = await source.withDatabase(versions);
        const names = ["--exchange", "binance", "--symbol", "BTC/USDT", "--timeframe", "1h"];
        const { code, stderr } = await runInProcess(["import", ...names, ...args], source.env);
        assert.equal(code, 0, stderr);
        const after = await source.withDatabase(versions);
        return [...after.keys()].filter((key) => after.get(key) !== before.get(key))
          .map((key) => key.split(" ").at(-1)!);
      };
      assert.deepEqual(await imported(await file("a.csv", [2, 2, 2, 2, 2, 2])), [
        JANUARY,
        FEBRUARY,
      ]);
      assert.deepEqual(await imported(await file("b.csv", [2, 2, 2, 2, 2, 2])), []);
      assert.deepEqual(await imported(await file("c.csv", [2, 2, 2, 2, 2, 3])), []);
      assert.deepEqual(await imported("--replace", await file("d.csv", [2, 2, 2, 2, 2, 3])), [
        FEBRUARY,
      ]);
      const { code, stderr } = await runInProcess(
        ["copy", "--to", target.env["DATABASE_URL"]!],
        source.env,
      );
      assert.equal(code, 0, stderr);
      const copied = await target.withDatabase(versions);
      assert.equal(copied.size, 2);
      assert.deepEqual(copied, await source.withDatabase(versions));
    })));

async function page(
  database: Database,
  hours: number,
  opens: readonly number[],
  { series = SERIES, hours: length = opens.length, ...more }:
    & { readonly series?: Series; readonly hours?: number }
    & Pick<PageWrite, "givenUpUntilMs" | "isNew"> = {},
): Promise<void> {
  const sinceMs = START_MS + hours * HOUR_MS;
  await writePage(database, series, {
    candles: opens.map((open, n) => candleAt(sinceMs + n * HOUR_MS, open)),
    rejected: [],
    answered: length === 0 ? undefined : { sinceMs, untilMs: sinceMs + length * HOUR_MS },
    reachFromMs: undefined,
    ...more,
  });
}

async function stream(database: Database, hours: number): Promise<void> {
  const candle = candleAt(START_MS + hours * HOUR_MS, 1);
  const [outcome] = await writeStreamed(database, [{
    series: SERIES,
    candle,
    marketId: undefined,
  }]);
  assert.equal(outcome, "stored");
}

function candleAt(openTimeMs: number, open: number): Candle {
  return { openTimeMs, open: `${open}`, high: "9", low: "1", close: `${open}`, volume: "1" };
}

/** The versions of all months, by series and month. */
async function versions({ sql }: Database): Promise<ReadonlyMap<string, string>> {
  const rows = await sql<{ key: string; version: string }[]>`
    select concat_ws(' ', exchange, symbol, timeframe, to_char(month, 'YYYY-MM')) as key, version
    from changed_months order by key`;
  return new Map(rows.map(({ key, version }) => [key, version]));
}
