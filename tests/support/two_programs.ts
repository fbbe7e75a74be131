/** Tests of an archive that two programs write to at once. @module */
import { systemClock } from "../../lib/clock.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { emptyDatabase } from "./local_archive.ts";
import { DATABASE_KINDS, openTestDatabase } from "./test_database.ts";

export interface TwoPrograms {
  readonly first: Database;
  /** Of a program of its own; the same as the first one where a database can be opened only once. */
  readonly second: Database;
  readonly isServer: boolean;
}

/** Runs each test on each kind of database. */
export function testTwoPrograms(
  what: string,
  tests: Readonly<Record<string, (scene: TwoPrograms) => Promise<void>>>,
): void {
  for (const kind of DATABASE_KINDS) {
    Deno.test(`${what} on a database that is ${kind}`, async (t) => {
      const opened = await openTestDatabase(kind);
      if (opened === undefined) {
        await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
        return;
      }
      const { database: first, url } = opened;
      const second = url === undefined
        ? first
        : await openDatabase({ url, dataDir: "", poolMax: 3, clock: systemClock });
      try {
        await migrate(first, await readMigrations());
        for (const [name, test] of Object.entries(tests)) {
          await t.step(name, async () => {
            await emptyDatabase(first);
            await first.sql`truncate imports cascade`;
            await ensureCandleTables(first, [parseTimeframe("1m")]);
            await test({ first, second, isServer: url !== undefined });
          });
        }
      } finally {
        if (second !== first) await second.close();
        await opened.drop();
      }
    });
  }
}
