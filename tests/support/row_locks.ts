/** Holds rows and tables of a database, and tells when statements wait for them. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import type { Database } from "../../lib/store/connection/database.ts";

/** Statements that are about to wait do so within this time, also on a busy machine. */
const WAIT_MS_MAX = 60_000;

interface Holder {
  release(): Promise<void>;
}

/** Holds all rows of a table in a transaction of its own. */
export function holdRows(database: Database, table: string): Promise<Holder> {
  return hold(database, `select from ${table} for update`);
}

/** Holds a table as a transaction does that writes to it, or with `isAlone` against all others. */
export function holdTable(
  database: Database,
  table: string,
  { isAlone = false } = {},
): Promise<Holder> {
  const mode = isAlone ? "access exclusive" : "row exclusive";
  return hold(database, `lock table ${table} in ${mode} mode`);
}

async function hold({ sql }: Database, statement: string): Promise<Holder> {
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const ended = sql.begin(async (transaction) => {
    await transaction.unsafe(statement);
    begun.resolve();
    await released.promise;
  });
  // Whoever fails before it releases them closes the database, which ends the transaction.
  ended.catch(() => {});
  await Promise.race([begun.promise, ended]);
  return {
    async release(): Promise<void> {
      released.resolve();
      await ended;
    },
  };
}

/** Resolves when so many statements of this database wait for a lock. */
export async function untilWaiting({ sql }: Database, count: number): Promise<void> {
  const endMs = systemClock.now() + WAIT_MS_MAX;
  for (;;) {
    const rows = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    if (rows.length >= count) return;
    assert.ok(systemClock.now() < endMs, `${rows.length} of ${count} statements wait for a lock`);
    await systemClock.sleep(5);
  }
}
