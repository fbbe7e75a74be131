/** Holders of a lease ask and write in every order, also at once: the later holder's values stay. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Database } from "../../lib/store/connection/database.ts";
import type { Sql } from "../../lib/store/connection/sql.ts";
import { isContested, isFenced } from "../../lib/store/connection/store_error.ts";
import type { LeaseStamp } from "../../lib/store/lease_stamp.ts";
import { newestPageNumber, writePage } from "../../lib/store/page_write.ts";
import { A, B, BTC, C, NO_ANSWER, pageOf, stampOf, storedValue } from "../support/lease_pages.ts";
import { untilWaiting } from "../support/row_locks.ts";
import { started } from "../support/started.ts";
import { testTwoPrograms, type TwoPrograms } from "../support/two_programs.ts";

testTwoPrograms("the later holder's values stay", {
  "whatever the order in which holders claim, ask and write": async (
    { first, second, isServer },
  ) => {
    const programs = [first, second, first];
    // Each number is a step of that program: it claims, it asks, or it writes what it was answered.
    const orders = fc.shuffledSubarray([0, 0, 0, 1, 1, 1, 2, 2, 2], { minLength: 9 });
    const flags = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean());
    let runs = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(orders, flags, flags, async (order, areNew, areLost) => {
        const series = { ...BTC, symbol: `T${runs++}/USDT` };
        let said = 1;
        let claimed = 0;
        let written: LeaseStamp | undefined;
        let newest = 0;
        const stamps = new Map<number, LeaseStamp>();
        const asked = new Map<number, { readonly knownPage: number; readonly value: number }>();
        const ask = async (program: number): Promise<void> => {
          const knownPage = await newestPageNumber(programs[program]!);
          asked.set(program, { knownPage, value: said });
        };
        for (const program of order) {
          said++;
          const stamp = stamps.get(program);
          if (stamp === undefined) {
            // A claim that a server has lost is given a second time.
            if (!areLost[program] || claimed === 0) claimed++;
            stamps.set(program, { holder: [A, B, C][program]!, epoch: claimed });
          } else if (!asked.has(program)) await ask(program);
          else {
            const write = (): Promise<unknown> => {
              const { knownPage, value } = asked.get(program)!;
              const isNew = areNew[program];
              return writePage(programs[program]!, series, {
                ...pageOf(value),
                knownPage,
                isNew,
                stamp,
              });
            };
            if (isOlder(stamp, written)) {
              await assert.rejects(write(), isFenced);
              refused++;
              continue;
            }
            await write().catch(async (error) => {
              if (!isContested(error)) throw error;
              await ask(program);
              await write();
            });
            written = stamp;
            newest = Math.max(newest, asked.get(program)!.value);
          }
        }
        assert.equal(await storedValue(first, series), newest);
        assert.deepEqual(await stampOf(first, series), written);
      }),
      { numRuns: isServer ? 150 : 50 },
    );
    assert.ok(refused > 20, `${refused} pages were refused`);
  },

  // Numbers of pages refuse what would revise a newer page: what it has nothing of, only leases can tell.
  "a candle that a newer answer does not have is not stored by an older lease": async (
    { first, second },
  ) => {
    const [older, newer] = [{ holder: A, epoch: 1 }, { holder: B, epoch: 2 }];
    await writePage(first, BTC, { ...pageOf(1), stamp: older });
    const knownPage = await newestPageNumber(second);
    const { answered } = pageOf(1, 1);
    await writePage(first, BTC, { ...NO_ANSWER, answered, knownPage, stamp: newer });
    const late = { ...pageOf(2, 1), knownPage };
    for (const isNew of [true, false]) {
      await assert.rejects(writePage(second, BTC, { ...late, isNew, stamp: older }), isFenced);
    }
    const [row] = await first.sql<{ candles: number }[]>`
      select count(*)::int as candles from ohlcv_1m where symbol = ${BTC.symbol}`;
    assert.equal(row?.candles, 1);
  },

  ...bothWays("the first pages of a series come at once", { isThere: false }),
  ...bothWays("pages of a series come at once", { isThere: true }),
});

/** Two holders write while neither sees what the other has written. */
function bothWays(
  what: string,
  { isThere }: { readonly isThere: boolean },
): Readonly<Record<string, (scene: TwoPrograms) => Promise<void>>> {
  const [older, newer] = [{ holder: A, epoch: 2 }, { holder: B, epoch: 3 }];
  const meet = async (
    { first, second }: TwoPrograms,
    stamps: readonly LeaseStamp[],
    isNew: boolean,
  ) => {
    const [one, other] = stamps as [LeaseStamp, LeaseStamp];
    if (isThere) await writePage(first, BTC, { ...pageOf(1, 9), stamp: { holder: C, epoch: 1 } });
    const pages: Promise<unknown>[] = [];
    await first.sql.begin(async (transaction) => {
      await writePage(within(first, transaction), BTC, { ...pageOf(one.epoch), isNew, stamp: one });
      pages.push(
        started(writePage(second, BTC, { ...pageOf(other.epoch), isNew, stamp: other })),
      );
      await untilWaiting(first, 1);
    });
    return await Promise.allSettled(pages);
  };
  return Object.fromEntries([true, false].flatMap((isNew) => {
    const name = `${what}, ${isNew ? "taken for new" : "asked for again"}`;
    return [
      [`${name}, the older one first`, async (scene: TwoPrograms) => {
        if (!scene.isServer) return;
        const [end] = await meet(scene, [older, newer], isNew);
        assert.equal(end?.status, "fulfilled");
        assert.deepEqual(await stampOf(scene.first, BTC), newer);
        assert.equal(await storedValue(scene.first, BTC), newer.epoch);
      }],
      [`${name}, the newer one first`, async (scene: TwoPrograms) => {
        if (!scene.isServer) return;
        const [end] = await meet(scene, [newer, older], isNew);
        assert.ok(isFenced((end as PromiseRejectedResult | undefined)?.reason));
        assert.deepEqual(await stampOf(scene.first, BTC), newer);
        assert.equal(await storedValue(scene.first, BTC), newer.epoch);
      }],
    ];
  }));
}

function isOlder(stamp: LeaseStamp, written: LeaseStamp | undefined): boolean {
  if (written === undefined) return false;
  return written.epoch > stamp.epoch ||
    (written.epoch === stamp.epoch && written.holder !== stamp.holder);
}

function within(database: Database, transaction: unknown): Database {
  return { ...database, run: (_action, statements) => statements(transaction as Sql) };
}
