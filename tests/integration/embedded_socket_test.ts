/** The in-process wire protocol to the embedded server. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openEmbeddedTest } from "../support/test_database.ts";

/** The server reads its input in pieces of this many bytes. */
const PIECE_BYTES = 8192;

Deno.test("a statement of any length is answered", async () => {
  const { database, drop } = await openEmbeddedTest();
  try {
    // Every length of one piece, so that every message of the statement ends once where a piece ends.
    for (let length = 1; length <= PIECE_BYTES; length++) {
      const [row] = await database.sql.unsafe("select length($1::text)::int as n", [
        "x".repeat(length),
      ], {
        prepare: true,
      });
      if (row?.["n"] !== length) assert.equal(row?.["n"], length);
    }
    const large = "x".repeat(9 * PIECE_BYTES);
    for (let cut = 0; cut < 64; cut++) {
      const [row] = await database.sql.unsafe("select length($1::text)::int as n", [
        large.slice(cut),
      ], {
        prepare: true,
      });
      assert.equal(row?.["n"], large.length - cut);
    }
  } finally {
    await drop();
  }
});

Deno.test("a statement that is refused costs none that was sent with it, nor a later one", async () => {
  const { database, drop } = await openEmbeddedTest();
  const { sql } = database;
  const ask = async (n: number): Promise<unknown> => (await sql`select ${n}::int as n`)[0]?.["n"];
  try {
    // Prepared: what follows a statement is sent with it.
    await ask(0);
    const refused = {
      "in the simple protocol": () => sql.unsafe("select nothing from nowhere"),
      "in the simple protocol, among others": () => sql.unsafe("select 1; select 1 / 0").simple(),
      "while it is prepared": () => sql`select nothing from nowhere where ${1}::int = 1`,
      "while it runs": () => sql`select 1 / ${0}::int as n`,
    };
    for (const [how, statement] of Object.entries(refused)) {
      const results = await within(
        Promise.allSettled([statement(), ask(1), statement(), ask(2), ask(3)]),
      );
      const values = results?.map((one) => one.status === "fulfilled" ? one.value : "refused");
      assert.deepEqual(values, ["refused", 1, "refused", 2, 3], how);
      assert.equal(await within(ask(4)), 4, how);
    }
  } finally {
    await within(drop());
  }
});

/** Undefined where it takes so long that no answer will come. */
async function within<T>(promise: Promise<T>): Promise<T | undefined> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const late = systemClock.sleep(20_000, { signal }).then(() => undefined, () => undefined);
  const first = await Promise.race([promise, late]);
  waiting.abort();
  return first;
}

Deno.test("the embedded database keeps no row that it has answered with", async () => {
  const { database, drop } = await openEmbeddedTest();
  try {
    const before = Deno.memoryUsage().heapUsed;
    let least = Infinity;
    for (let answers = 1; answers <= 36; answers++) {
      await database.sql`select rpad(n::text, 1000) as a from generate_series(1, 10000) as n`;
      // What is merely not collected yet comes and goes.
      if (answers > 24) least = Math.min(least, Deno.memoryUsage().heapUsed);
    }
    // Kept, they take more than ten megabytes an answer.
    assert.ok(least - before < 200e6, `${least - before} bytes more`);
  } finally {
    await drop();
  }
});

Deno.test("an embedded database that has crashed says so once, refuses everything afterwards and can be closed", async () => {
  const { database, drop } = await openEmbeddedTest();
  try {
    let crash: Error | undefined;
    database.crashed.then((error) => crash = error);
    await assert.rejects(database.sql`select 1 / 0`);
    await database.sql.unsafe(`create function deeper(i int) returns int language plpgsql
      as $$ begin return deeper(i + 1); end $$`);
    assert.equal(crash, undefined, "what is refused is no crash");
    // Further than the stack of WebAssembly reaches.
    await assert.rejects(database.sql`select deeper(1)`);
    await assert.rejects(database.sql`select 1`);
    assert.match(String(crash), /Cannot go on: the embedded database has crashed/);
  } finally {
    await drop();
  }
});
