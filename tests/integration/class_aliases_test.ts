/** Classes that inherit from a tested one: what is known of that one holds for them, as their pages show. @module */
import assert from "node:assert/strict";
import { classesOf, factOf } from "../../lib/exchange/ancestry.ts";
import { exchangeIds } from "../../lib/exchange/ccxt.ts";
import { SPOT_LIMITS } from "../../lib/exchange/spot_limits.ts";
import { OPEN_TIMES } from "../../lib/exchange/open_time.ts";
import { PASSING_CODES } from "../../lib/exchange/passing_codes.ts";
import { WINDOW_PARAMS } from "../../lib/exchange/window_params.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readCheckpoints } from "../../lib/store/ledger.ts";
import { ccxtClass } from "../support/dialects/ccxt_client.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { assertSameCandles, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

/** They list no spot market, so a spot dialect has nothing to tell them. */
const WITHOUT_SPOT = ["binancecoinm", "binanceusdm", "kucoinfutures"];

/** CCXT reads the time of day itself: some classes choose an endpoint by it. */
Date.now = () => testClock.now();

Deno.test("the table of ancestors says what the prototypes of all classes of CCXT say", async () => {
  for (const id of await exchangeIds()) {
    assert.deepEqual(classesOf(id), await realClassesOf(id));
  }
});

Deno.test("a name that objects inherit is a class of its own, of which no table has a row", () => {
  for (const name of ["constructor", "__proto__", "toString"]) {
    assert.deepEqual(classesOf(name), [name]);
    assert.equal(factOf(SPOT_LIMITS, name), undefined);
  }
});

const TABLES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  SPOT_LIMITS,
  WINDOW_PARAMS,
  PASSING_CODES,
  OPEN_TIMES,
};

for (const [name, table] of Object.entries(TABLES)) {
  Deno.test(`${name}: a class answers like the one it inherits from, and only classes of CCXT have a row`, async () => {
    const ids = await exchangeIds();
    for (const id of Object.keys(table)) assert.ok(ids.includes(id), id);
    for (const id of ids) {
      const [, parent] = await realClassesOf(id);
      if (parent === undefined) continue;
      assert.equal(factOf(table, id), factOf(table, parent), `${id} and ${parent}`);
      assert.ok(!Object.hasOwn(table, id), `${id} repeats what ${parent} says`);
    }
  });
}

Deno.test("each class that inherits from a tested one asks for and stores the same as that one", async (t) => {
  const opened = await openAnyTest();
  try {
    for (const dialect of TESTED_DIALECTS) {
      const heirs = (await exchangeIds()).filter((id) =>
        classesOf(id).slice(1).includes(dialect.exchange) && !WITHOUT_SPOT.includes(id)
      );
      if (heirs.length === 0) continue;
      const expected = await archiveMinutes(opened.database, dialect);
      for (const exchange of heirs) {
        await t.step(`${exchange} like ${dialect.exchange}`, async () => {
          const came = await archiveMinutes(opened.database, { ...dialect, exchange });
          assert.deepEqual(came, expected);
        });
      }
    }
  } finally {
    await opened.drop();
  }
});

/** Names of the classes up to CCXT's own base, from the class itself. */
async function realClassesOf(id: string): Promise<readonly string[]> {
  const names: string[] = [];
  let proto = (await ccxtClass(id)).prototype as object;
  while (proto.constructor.name !== "Exchange") {
    names.push(proto.constructor.name);
    proto = Object.getPrototypeOf(proto) as object;
  }
  return names;
}

/** Backfills five days of minutes and returns what was asked for and what became of it. */
async function archiveMinutes(database: Database, dialect: Dialect): Promise<unknown> {
  await emptyDatabase(database);
  testClock.restart();
  const exchange = await startLocalExchange({ clock: testClock, dialect });
  const id = dialect.exchange;
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: id,
      SYMBOLS: "BTC/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "1m:5d",
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
    });
    const [report] = await backfill(archive, { patient: false, pagesInFlight: 1 });
    assert.deepEqual([report?.problems, report?.left], [[], 0]);
    const [checkpoint] = await readCheckpoints(database);
    assert.deepEqual([checkpoint?.reachFromMs, checkpoint?.covered.length], [undefined, 1]);
    const [window] = checkpoint?.covered ?? [];
    if (window === undefined) throw new Error(`${id} has answered for nothing`);
    await assertSameCandles(database, exchange, {
      exchange: id,
      symbol: "BTC/USDT",
      timeframe: "1m",
      // The newest ones are stored, but not covered before they are final.
      window: { ...window, untilMs: closedUntil(parseTimeframe("1m"), testClock.now()) },
    });
    const asked = exchange.requests.map(({ path, query }) => ({ path, query }));
    return { asked, window };
  } finally {
    await exchange.close();
  }
}
