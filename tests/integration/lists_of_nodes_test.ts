/** Nodes in several countries, for which an exchange lists different markets: what one list has ends by no other one. @module */
import assert from "node:assert/strict";
import { ALL_LEASES } from "../../lib/archive/leases.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { beat, releaseNode } from "../../lib/store/nodes.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { TestClock } from "../support/test_clock.ts";
import { openTestDatabase } from "../support/test_database.ts";

const TEN_MINUTES_MS = 600_000;
const LEASE_MS = 3_600_000;
const SYMBOLS = ["BTC/USDT", "ETH/USDT"];

for (const end of ["its list lacks it, too", "it ends"]) {
  Deno.test(`a listing that another node's list has goes on until ${end}`, async (t) => {
    const test = await openTestDatabase("postgres");
    if (test === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = test;
    const clock = new TestClock();
    const exchange = await startLocalExchange({ clock });
    try {
      await migrate(database, await readMigrations());
      const archive = await openTestArchive(database, {
        EXCHANGES: "binance",
        SYMBOLS: SYMBOLS.join(),
        TIMEFRAMES: "1h",
        BACKFILL: "1h:2d",
        EXCHANGE_BINANCE: binanceAt(exchange),
      }, clock);
      await new Poll(archive).runOnce();
      const [own, other] = [crypto.randomUUID(), crypto.randomUUID()];
      const counts = new Map<string, number>();
      const say = async (node: string, lacked: readonly string[]): Promise<readonly string[]> => {
        const count = (counts.get(node) ?? 0) + 1;
        counts.set(node, count);
        const entry = { name: node, kind: "daemon", place: undefined, version: "1" } as const;
        const held = await beat(database, {
          ...{ node, count, leaseMs: LEASE_MS },
          entry: { ...entry, settingsHash: "", settings: {}, succeeds: true },
          wanted: new Map([["binance", { egress: node, symbols: SYMBOLS, lacked }]]),
        });
        return held?.leases.flatMap((of) => of.exchange === "" ? [] : of.symbols) ?? [];
      };
      Object.assign(archive, {
        leases: {
          ...ALL_LEASES,
          node: own,
          want: async (_: string, __: readonly string[], lacked: readonly string[] = []) =>
            void await say(own, lacked),
        },
      });
      const [of] = archive.exchanges;
      const load = async (hours: number): Promise<string | undefined> => {
        for (let passed = 0; passed < hours * 6; passed++) {
          clock.pass(TEN_MINUTES_MS);
          await refreshMarkets(archive, of!);
        }
        const [row] = await database.sql<{ why: string | null }[]>`
          select why from listings where symbol = 'BTC/USDT' order by since desc limit 1`;
        return row?.why ?? undefined;
      };
      await say(other, []);
      await say(own, SYMBOLS);
      const moved = await database.sql`select symbol from leases where next is not null`;
      assert.deepEqual([...moved], [], "nothing is given to a node whose list lacks it");
      exchange.symbols.delist("BTC/USDT", { forget: true });
      clock.pass(25 * 3_600_000);
      assert.equal(await load(3), undefined);
      assert((await say(other, [])).includes("BTC/USDT"), "whose list has it asks for it");
      if (end === "it ends") await releaseNode(database, other);
      else await say(other, ["BTC/USDT"]);
      assert.equal(await load(3), "delisted");
    } finally {
      await exchange.close();
      await test.drop();
    }
  });
}
