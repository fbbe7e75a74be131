/** What was asked for by an older lease is refused whole once a later holder has written, whatever is told. */
import assert from "node:assert/strict";
import { isCancelled } from "../../lib/archive/failure.ts";
import { readSettling, writeCapability } from "../../lib/store/capabilities.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { isFenced } from "../../lib/store/connection/store_error.ts";
import { readLedgerRows, writeLedgerRows } from "../../lib/store/copy.ts";
import { noteWantedFunding } from "../../lib/store/funding_ledger.ts";
import { writeFunding } from "../../lib/store/funding_write.ts";
import { prepareImportPage } from "../../lib/store/import_page.ts";
import { beginImport, writeImportPage } from "../../lib/store/import_write.ts";
import { type LeaseStamp, raiseLease } from "../../lib/store/lease_stamp.ts";
import { writePage } from "../../lib/store/page_write.ts";
import {
  A,
  B,
  BTC,
  C,
  MINUTE_MS,
  NO_ANSWER,
  pageOf,
  START_MS,
  storedValue,
} from "../support/lease_pages.ts";
import { testTwoPrograms, type TwoPrograms } from "../support/two_programs.ts";

/** All that is told of a series or a perpetual by one statement. */
const WRITES: Readonly<
  Record<string, (database: Database, stamp?: LeaseStamp) => Promise<unknown>>
> = {
  "new candles": (database, stamp) =>
    writePage(database, BTC, { ...pageOf(2, 1), isNew: true, stamp }),
  "other values of stored candles": (database, stamp) =>
    writePage(database, BTC, { ...pageOf(2), stamp }),
  "candles taken for new that are stored": (database, stamp) =>
    writePage(database, BTC, { ...pageOf(2), isNew: true, stamp }),
  "a candle that may still change": (database, stamp) =>
    writePage(database, BTC, { ...pageOf(2, 1), answered: undefined, stamp }),
  "an answer without candles": (database, stamp) =>
    writePage(database, BTC, { ...pageOf(2, 1), candles: [], stamp }),
  "an answer that takes a candle back": async (database, stamp) => {
    const window = { sinceMs: START_MS, untilMs: START_MS + 3 * MINUTE_MS };
    await writePage(database, BTC, {
      ...NO_ANSWER,
      answered: window,
      stamp,
      givenUpUntilMs: Infinity,
    });
  },
  "that there is nothing older": (database, stamp) =>
    writePage(database, BTC, { ...NO_ANSWER, reachFromMs: START_MS, stamp }),
  "rows that were rejected": (database, stamp) =>
    writePage(database, BTC, {
      ...NO_ANSWER,
      rejected: [{
        row: "[1]",
        reason: "price_not_positive",
        openTimeMs: START_MS + 7 * MINUTE_MS,
      }],
      answered: pageOf(0, 7).answered,
      stamp,
    }),
  "candles of a published file": (database, stamp) => writeFile(database, 1, stamp),
  "candles of a published file that are stored": (database, stamp) => writeFile(database, 0, stamp),
  "funding rates": (database, stamp) =>
    writeFunding(database, BTC, {
      rates: [{ timeMs: START_MS, rate: "0.0002" }],
      answered: { sinceMs: START_MS, untilMs: START_MS + 1 },
      reachFromMs: undefined,
      marketId: undefined,
      stamp,
    }),
};

const TESTS: Readonly<Record<string, (scene: TwoPrograms) => Promise<void>>> = {
  ...Object.fromEntries(
    Object.entries(WRITES).map((
      [name, write],
    ) => [name, ({ first, second }: TwoPrograms) => tryAll(write, first, second)]),
  ),

  "a lease gets an epoch above all that was written": async ({ first }) => {
    const claim = async (): Promise<number> => {
      const [row] = await first.sql<{ epoch: string }[]>`
        insert into leases as lease (exchange, symbol, holder, epoch) values ('binance', 'BTC/USDT', ${B}, 1)
        on conflict (exchange, symbol) do update set holder = excluded.holder, epoch = lease.epoch + 1
        returning epoch`;
      return Number(row?.epoch);
    };
    await first.sql`truncate leases`;
    assert.deepEqual([await claim(), await claim()], [1, 2]);
    await writePage(first, BTC, { ...pageOf(1), stamp: { holder: A, epoch: 4 } });
    assert.deepEqual([await claim(), await claim()], [5, 6]);
    await noteWantedFunding(first, "binance", [FUNDED]);
    await WRITES["funding rates"]!(first, { holder: A, epoch: 8 });
    assert.equal(await claim(), 9);
    // As in a copy, or where a node was forgotten with what it held.
    await first.sql`truncate leases`;
    assert.equal(await claim(), 9);
  },

  "a lease that was given to two nodes is raised, and only that": async ({ first, second }) => {
    const lease = { holder: A, epoch: 3 };
    await first.sql`truncate leases`;
    await first
      .sql`insert into leases (exchange, symbol, holder, epoch) values ('binance', 'BTC/USDT', ${A}, 3)`;
    const epochOf = async (): Promise<number> => {
      const [row] = await first.sql<{ epoch: string }[]>`select epoch from leases`;
      return Number(row?.epoch);
    };
    // Another server had given it to the other node, and what that wrote came after all.
    await writePage(first, BTC, { ...pageOf(1), stamp: { holder: B, epoch: 5 } });
    await assert.rejects(writePage(second, BTC, { ...pageOf(2), stamp: lease }), isFenced);
    assert.ok(!await raiseLease(second, BTC, { holder: B, epoch: 3 }), "another node's");
    assert.ok(!await raiseLease(second, BTC, { holder: A, epoch: 2 }), "an older one");
    assert.equal(await epochOf(), 3);
    assert.ok(await raiseLease(second, BTC, lease));
    assert.equal(await epochOf(), 6);
    await writePage(second, BTC, { ...pageOf(2), stamp: { holder: A, epoch: 6 } });
    assert.equal(await storedValue(first, BTC), 2);
  },

  "a settling time that one node has learned stays while another one writes": async (
    { first, second },
  ) => {
    const DAY_MS = 24 * 60 * MINUTE_MS;
    const settleOf = async (nowMs: number): Promise<number> =>
      (await readSettling(first, nowMs))("binance") / 1000;
    const learn = (database: Database, atMs: number, seconds?: number): Promise<void> =>
      writeCapability(database, {
        ...{
          exchange: "binance",
          marketKind: "spot",
          timeframe: "1m",
          pageRows: 1000,
          rowsSeen: 1000,
        },
        ...{ pageRowsSource: "table", isUntilNeeded: false, newestCandles: undefined },
        ...{ isSinceHonoured: undefined, omitsSilent: undefined, settleSeconds: seconds },
        ...{ settleNeededMs: seconds && atMs, learnedAtMs: atMs },
      });
    await learn(first, START_MS, 300);
    await learn(second, START_MS + 1);
    assert.equal(await settleOf(START_MS + 2), 300);
    await learn(second, START_MS + DAY_MS, 200);
    assert.equal(await settleOf(START_MS + DAY_MS), 300);
    // Not needed for so long: exchanges get better, too.
    await learn(second, START_MS + 9 * DAY_MS, 200);
    assert.equal(await settleOf(START_MS + 9 * DAY_MS), 200);
  },

  "a copy of an archive knows no lease of it": async ({ first }) => {
    await writePage(first, BTC, { ...pageOf(1), stamp: { holder: B, epoch: 9 } });
    await noteWantedFunding(first, "binance", [FUNDED]);
    await WRITES["funding rates"]!(first, { holder: B, epoch: 9 });
    for (const table of ["checkpoints", "funding_checkpoints"]) {
      const rows = await readLedgerRows(first, table, undefined);
      await first.sql.unsafe(`truncate ${table}`);
      await writeLedgerRows(first, table, rows);
      const copied = await first.sql.unsafe(`select epoch, holder from ${table}`);
      assert.deepEqual(copied.map((row) => ({ ...row })), [{ epoch: "0", holder: null }], table);
    }
    await writePage(first, BTC, { ...pageOf(2), stamp: { holder: A, epoch: 1 } });
    assert.equal(await storedValue(first, BTC), 2);
  },
};

/** Writes with each lease that there can be, where B has written by its second one. */
async function tryAll(
  write: (database: Database, stamp?: LeaseStamp) => Promise<unknown>,
  first: Database,
  second: Database,
): Promise<void> {
  const newer = { holder: B, epoch: 2 };
  await writePage(first, BTC, { ...pageOf(1), stamp: newer });
  await writePage(first, BTC, { ...pageOf(1, 2), answered: undefined, stamp: newer });
  await noteWantedFunding(first, "binance", [FUNDED]);
  await WRITES["funding rates"]!(first, newer);
  const before = await allRows(first);
  for (const stamp of [{ holder: A, epoch: 1 }, { holder: B, epoch: 1 }, { holder: C, epoch: 2 }]) {
    const error = await write(second, stamp).then(() => undefined, (error) => error);
    assert.ok(isFenced(error), `${stamp.epoch}: ${error}`);
    assert.match(String(error), /00002 has stored newer pages of binance BTC\/USDT/);
    assert.ok(isCancelled(error, undefined), "it is no failure");
    assert.deepEqual(await allRows(first), before);
  }
  const leases = async (): Promise<readonly string[]> =>
    (await first.sql<{ lease: string }[]>`
      select concat(epoch, ' ', right(holder::text, 1)) as lease from checkpoints
      union all select concat(epoch, ' ', right(holder::text, 1)) from funding_checkpoints`)
      .map(({ lease }) => lease).sort();
  await write(second);
  assert.deepEqual(await leases(), ["2 2", "2 2"], "without a lease nothing is told of it");
  await write(second, newer);
  assert.deepEqual(await leases(), ["2 2", "2 2"]);
  await write(second, { holder: A, epoch: 3 });
  assert.deepEqual(await leases(), ["2 2", "3 1"]);
}

const FUNDED = { ...BTC, window: { sinceMs: START_MS, untilMs: START_MS + MINUTE_MS } };

async function writeFile(database: Database, minute: number, stamp?: LeaseStamp): Promise<void> {
  const { candles } = pageOf(3, minute);
  const page = prepareImportPage(BTC, { candles, rejected: [], replaces: false });
  const [known] = await database.sql<{ id: string }[]>`select id from imports`;
  const { id } = known ?? await beginImport(database, BTC, "file");
  await writeImportPage(database, page, { id, isNew: true, stamp });
}

/** All that is told of the series, and in no order that a table has by itself. */
async function allRows({ sql }: Database): Promise<readonly string[]> {
  const rows = await sql<{ row: string }[]>`
    select 'checkpoints ' || to_jsonb(it)::text as row from checkpoints as it
    union all select 'candles ' || to_jsonb(it)::text from ohlcv_1m as it
    union all select 'revisions ' || to_jsonb(it)::text from candle_revisions as it
    union all select 'rejected ' || to_jsonb(it)::text from rejected_candles as it
    union all select 'pages ' || to_jsonb(it)::text from recent_pages as it
    union all select 'months ' || to_jsonb(it)::text from changed_months as it
    union all select 'gaps ' || to_jsonb(it)::text from gaps as it
    union all select 'conflicts ' || to_jsonb(it)::text from import_conflicts as it
    union all select 'funding ' || to_jsonb(it)::text from funding_checkpoints as it
    union all select 'rates ' || to_jsonb(it)::text from funding_rates as it
    union all select 'rate revisions ' || to_jsonb(it)::text from funding_revisions as it
    order by 1`;
  return rows.map(({ row }) => row);
}

testTwoPrograms("an older lease stores nothing", TESTS);
