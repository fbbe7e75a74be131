/** What has happened to an archive: written without delaying anything, told once, and bounded whatever happens. @module */
import assert from "node:assert/strict";
import { Alerts } from "../../lib/alert/alerting.ts";
import { systemClock } from "../../lib/clock.ts";
import { EventLog, type NewEvent } from "../../lib/archive/event_log.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { EVENTS } from "../../lib/market/event.ts";
import { type EventEntry, readEventsDocument, readNews } from "../../lib/serve/news.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import type { TextRows } from "../../lib/store/connection/embedded_worker.ts";
import { RestartProof } from "../../lib/store/connection/restart_proof.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { wasStopped, writeEvents } from "../../lib/store/events.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { hideSecrets } from "../../lib/text/redact.ts";
import { binanceAt, openTestArchive } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { startPostgres } from "../support/postgres_server.ts";
import { holdTable } from "../support/row_locks.ts";
import { runInProcess } from "../support/shell.ts";
import { TestClock } from "../support/test_clock.ts";
import {
  DATABASE_KINDS,
  openAnyTest,
  openTestDatabase,
  type TestDatabase,
} from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const log = logger("test");

const OPENED: NewEvent = {
  kind: "breaker_opened",
  exchange: "binance",
  text: "binance: it is open",
};

const AT_ONCE = { timeMs: 0, sinceMs: 0, times: 1 } as const;

for (const kind of DATABASE_KINDS) {
  Deno.test(`events are kept in a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind);
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    try {
      await migrate(opened.database, await readMigrations());
      await steps(t, opened.database);
      await findsOldOnes(t, opened);
    } finally {
      await opened.drop();
    }
  });
}

async function steps(t: Deno.TestContext, database: Database): Promise<void> {
  const clock = new ManualClock({ startMs: Date.UTC(2026, 0, 31, 12, 3) });
  const events = new EventLog({ clock, log });
  /** Notes one after another, each written by itself. */
  const happens = async (...all: readonly NewEvent[]): Promise<void> => {
    for (const one of all) {
      events.note(one);
      await events.flush(database);
    }
  };
  await t.step("a source that flaps is one row, which says how often and since when", async () => {
    for (let times = 0; times < 37; times++) {
      await happens(OPENED);
      await clock.advance(MINUTE_MS);
    }
    const [one, ...others] = await read(database);
    assert.deepEqual(others, []);
    assert.deepEqual([one?.times, one?.since, one?.time], [
      37,
      "2026-01-31T12:03:00.000Z",
      "2026-01-31T12:39:00.000Z",
    ]);
  });
  await t.step("what happens again after more than an hour is told anew", async () => {
    await clock.advance(2 * 60 * MINUTE_MS);
    await happens(OPENED, { ...OPENED, exchange: "kraken" });
    assert.deepEqual((await read(database)).map(({ times }) => times).sort(), [1, 1, 37]);
  });
  await t.step("a source that flaps for days has a row for each day", async () => {
    for (let times = 0; times < 2 * 32; times++) {
      await clock.advance(45 * MINUTE_MS);
      await happens({ kind: "ban_ended", exchange: "okx", text: "okx: it answers again" });
    }
    const rows = (await read(database)).filter(({ kind }) => kind === "ban_ended");
    assert.deepEqual(rows.map(({ times }) => times), [32, 32]);
  });
  await t.step("candles are added up, and the newest text stays", async () => {
    const revised = { kind: "candles_revised", exchange: "binance" } as const;
    await happens({ ...revised, candles: 2, text: "one" }, { ...revised, candles: 3, text: "two" });
    const [row] = await read(database);
    assert.deepEqual([row?.times, row?.candles, row?.text], [2, 5, "two"]);
  });
  await t.step("where each text says something else, only the same text is the same", async () => {
    const texts = ["okx added", "okx removed", "okx added"];
    await happens(...texts.map((text) => ({ kind: "settings_reloaded" as const, text })));
    const rows = (await read(database)).filter(({ kind }) => kind === "settings_reloaded");
    assert.deepEqual(
      new Map(rows.map(({ text, times }) => [text, times])),
      new Map([
        ["okx added", 2],
        ["okx removed", 1],
      ]),
    );
  });
  await t.step("one kind takes no more than its rows, and none from another", async () => {
    const before = (await read(database)).length;
    for (let n = 0; n < 130; n++) events.note({ kind: "imported", text: `file ${n}` });
    await events.flush(database);
    const imported = (await read(database)).filter(({ kind }) => kind === "imported");
    assert.equal(imported.length, 100);
    assert.equal((await read(database)).length, before + 100);
  });
  await t.step("what is older than a year goes with the next event", async () => {
    await clock.advance(366 * DAY_MS);
    await happens(OPENED);
    assert.deepEqual((await read(database)).map(({ text }) => text), [OPENED.text]);
  });
  await t.step("a text without its secrets is kept, whatever is in it", async () => {
    hideSecrets(["correct-horse-battery"]);
    await happens({
      kind: "banned",
      exchange: "okx",
      text: "okx: \0 \ud800 'drop' correct-horse-battery \\ \"",
    });
    const [row] = await read(database);
    assert.match(row!.text, /^okx: {2}\S+ 'drop' \*\*\* \\ "$/);
  });
  await t.step("an event of each kind passes the checks of the table", async () => {
    await database.sql`delete from events`;
    for (const kind of Object.keys(EVENTS) as (keyof typeof EVENTS)[]) {
      const alert = kind.startsWith("alert_") ? { alert: "stale" as const } : {};
      events.note({ kind, exchange: "okx", ...alert, text: kind });
    }
    await events.flush(database);
    const kinds = (await read(database)).map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, Object.keys(EVENTS).sort());
  });
  await t.step("older ones are had by the time of the last, none twice and none lost", async () => {
    await database.sql`delete from events`;
    for (let n = 0; n < 7; n++) {
      // Two at the same time each.
      await happens({ kind: "imported", text: `a ${n}` }, { kind: "copied", text: `b ${n}` });
      await clock.advance(1_000);
    }
    const seen: string[] = [];
    let page = await read(database, { limit: "3" });
    while (page.length > 0) {
      for (const { text } of page) seen.push(text);
      page = await read(database, { limit: "3", before: page.at(-1)!.time });
    }
    assert.equal(new Set(seen).size, 14);
    assert.equal(seen.length, 14);
    const copied = await read(database, { kind: "copied" });
    assert.equal(copied.length, 7);
    assert.deepEqual(await read(database, { exchange: "okx" }), []);
  });
  await t.step("a request that cannot be meant is refused with what is allowed", async () => {
    for (
      const [query, allowed] of [
        [{ kind: "nothing" }, /^Cannot read kind="nothing": expected one of daemon_started, /],
        [{ limit: "501" }, /^Cannot read limit="501": expected a whole number from 1 to 500$/],
        [{ before: "yesterday" }, /^Cannot read before="yesterday": expected ISO 8601/],
        [{ exchange: "a b" }, /^Cannot read exchange="a b": expected a CCXT id/],
        [{ befor: "2026-01-31" }, /^Cannot use the parameter "befor": did you mean before\?$/],
      ] as const
    ) {
      await assert.rejects(read(database, query), { status: 400, message: allowed });
    }
  });
  await t.step("how the last run ended is known", async () => {
    await database.sql`delete from events`;
    assert.equal(await wasStopped(database), undefined);
    const ends: (boolean | undefined)[] = [];
    for (const kind of ["daemon_started", "daemon_stopped", "daemon_started"] as const) {
      await clock.advance(1_000);
      await happens({ kind, text: kind });
      ends.push(await wasStopped(database));
    }
    assert.deepEqual(ends, [false, true, false]);
  });
}

/** Of a server, since the embedded database lets in nobody else; of one with the real time, since timers do not run under faketime. */
Deno.test("while someone holds the table of events nothing waits for it for long", async (t) => {
  const server = await startPostgres({ hasRealTime: true });
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    const database = await openDatabase({
      url: server.url,
      dataDir: "",
      poolMax: 2,
      clock: systemClock,
    });
    try {
      await migrate(database, await readMigrations());
      const holder = await holdTable(database, "events", { isAlone: true });
      try {
        // A statement that is not answered would end all connections, those of pages as well.
        const isLocked = { name: "StoreError", kind: "unavailable", message: /55P03/ };
        await assert.rejects(wasStopped(database), isLocked);
        await assert.rejects(writeEvents(database, [{ ...OPENED, ...AT_ONCE }]), isLocked);
      } finally {
        await holder.release();
      }
    } finally {
      await database.close();
    }
  } finally {
    await server.stop();
  }
});

/** Of a server: the embedded one is asked in the same way. */
async function findsOldOnes(
  t: Deno.TestContext,
  { database, url }: Pick<TestDatabase, "database" | "url">,
): Promise<void> {
  if (url === undefined) return;
  await t.step("the command finds an event behind many newer ones of other exchanges", async () => {
    await database.sql`delete from events`;
    await database.sql`
      insert into events (kind, exchange, time, since, times, text)
      select 'breaker_closed', 'okx', time, time, 1, 'okx: the old one' from (select now() - interval '1 day') as at (time)
      union all
      select kind, 'binance', time, time, 1, 'newer'
      from unnest(array['banned', 'ban_ended', 'breaker_opened', 'listed', 'imported', 'copied']) as kind (kind),
           generate_series(now() - interval '99 minutes', now(), '1 minute') as time (time)`;
    const told = async (exchange: string): Promise<string> => {
      const args = ["events", "--exchanges", exchange];
      const { code, stdout, stderr } = await runInProcess(args, { DATABASE_URL: url });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    assert.match(await told("okx"), /okx: the old one$/);
    assert.equal((await told("binance")).split("\n").length, 20);
    assert.equal(await told("kraken"), "No event of these exchanges or symbols is kept.");
  });
}

/** All events, newest first. */
async function read(
  database: Database,
  query: Readonly<Record<string, string>> = { limit: "500" },
): Promise<readonly EventEntry[]> {
  return (await readEventsDocument(database, new URLSearchParams(query))).events;
}

Deno.test("a role that could read the archive before the upgrade reads events and streamed candles after", async (t) => {
  const opened = await openTestDatabase("postgres", { isUnmigrated: true });
  if (opened?.url === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  const { database: { sql }, database, url, drop } = opened;
  const reader = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
  try {
    const all = await readMigrations();
    await migrate(database, all.filter(({ version }) => version < 35));
    await sql.unsafe(
      `create role ${reader} login password 'p'; grant usage on schema public to ${reader};
      grant select on all tables in schema public to ${reader};
      grant execute on function titan10_query_open, titan10_query_fetch to ${reader}`,
    );
    await migrate(database, all);
    const ofReader = new URL(url);
    [ofReader.username, ofReader.password] = [reader, "p"];
    for (const command of ["status", "events"]) {
      const { code, stderr } = await runInProcess([command], { DATABASE_URL: ofReader.href });
      assert.deepEqual([command, code, stderr], [command, 0, ""]);
    }
    const asked = ["query", "select count(*) as n from streamed_candles", "--json"];
    const { code, stdout, stderr } = await runInProcess(asked, { DATABASE_URL: ofReader.href });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /"n":\s*"?0/);
  } finally {
    await sql.unsafe(`drop owned by ${reader}; drop role ${reader}`);
    await drop();
  }
});

Deno.test("while the database is away events wait, no more than a bound, and nothing waits for them", async () => {
  const clock = new ManualClock({ startMs: 0 });
  const events = new EventLog({ clock, log });
  const written: string[][] = [];
  let isAway = true;
  const statement = (parameters: readonly string[]): Promise<[]> => {
    if (isAway) return Promise.reject(new StoreError("unavailable", "it is away"));
    written.push(parameters as string[]);
    return Promise.resolve([]);
  };
  const database = {
    run: (_: string, run: (sql: unknown) => Promise<unknown>) =>
      run({ unsafe: (_: string, parameters: readonly string[]) => statement(parameters) }),
  } as unknown as Database;
  events.start(database);
  events.note(OPENED);
  for (let n = 0; n < 500; n++) events.note({ kind: "imported", text: `file ${n}` });
  for (let n = 0; n < 9; n++) {
    await clock.advance(MINUTE_MS);
    events.note({ kind: "breaker_closed", exchange: "okx", text: "okx: it is closed" });
  }
  isAway = false;
  await clock.advance(2_000);
  assert.equal(written.length, 1);
  const rows = (parameters: string[]): number => parameters[0]!.split(",").length;
  assert.equal(rows(written[0]!), 200);
  // Those in the list were joined: nine times, the first a minute after the start.
  assert.match(written[0]![7]!, /,9\}$/);
  assert.match(written[0]![6]!, new RegExp(`,${MINUTE_MS}}$`));
  // However many pages tell of something, the database is asked twice a second.
  for (let n = 0; n < 1_000; n++) {
    events.note({ kind: "candles_revised", exchange: "okx", candles: 1, text: "revised" });
    await clock.advance(1);
  }
  assert.ok(written.length <= 5, String(written.length));
  events.note(OPENED);
  await events.stop();
  assert.match(written.at(-1)![0]!, /breaker_opened/);
});

Deno.test("that the embedded database was started again is told when it has proved itself, and not before", async () => {
  const proof = new RestartProof();
  let proved = 0;
  proof.whenProved(() => proved++);
  proof.expect(() => Promise.reject(new Error("a page is not there")));
  const ask = (): Promise<TextRows> => Promise.resolve({ columns: [], rows: [["t"]] });
  await assert.rejects(proof.check(ask), /a page is not there/);
  assert.equal(proved, 0);
  proof.release();
  await proof.check(ask);
  assert.equal(proved, 1);
});

Deno.test("what an exchange does to an archive is told, from its first answer to the alert", async () => {
  const clock = new TestClock();
  const exchange = await startLocalExchange({ clock });
  const { database, drop } = await openAnyTest();
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: "BTC/USDT,NONE/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "off",
      RETRY_ATTEMPTS: "1",
      BREAKER_FAILURES: "1",
      BREAKER_COOLDOWN: "1s",
      EXCHANGE_BINANCE: binanceAt(exchange),
    }, clock);
    const { events } = archive;
    const poll = new Poll(archive);
    const alerts = new Alerts(archive);
    const told = async (): Promise<readonly string[]> => {
      await events.flush(database);
      return (await read(database)).map(({ kind }) => kind);
    };
    await poll.runOnce();
    assert.deepEqual(await told(), ["not_listed"]);

    const fault = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 500 },
    });
    clock.pass(2 * MINUTE_MS);
    await poll.runOnce();
    assert.equal((await told())[0], "breaker_opened");
    clock.pass(6 * MINUTE_MS);
    await alerts.judgePolls();
    assert.equal((await told())[0], "alert_began");
    const { alerts: [firing], alertsFiring } = await readNews(database);
    assert.equal(alertsFiring, 1);
    assert.deepEqual([firing?.alert, firing?.exchange, firing?.symbol, firing?.runbook], [
      "breaker_open",
      "binance",
      null,
      "docs/alerts.md#breaker_open",
    ]);
    fault.remove();
    await poll.runOnce();
    await alerts.judgePolls();
    const kinds = await told();
    assert.ok(kinds.includes("breaker_closed") && kinds.includes("alert_ended"), kinds.join());
    assert.deepEqual((await readNews(database)).alerts, []);

    const ban = exchange.faults.add({
      when: { about: "candles" },
      fault: { kind: "status", status: 429, retryAfterSeconds: 60 },
    });
    clock.pass(2 * MINUTE_MS);
    await poll.runOnce();
    assert.equal((await told())[0], "banned");
    ban.remove();
    clock.pass(2 * MINUTE_MS);
    await poll.runOnce();
    assert.equal((await told())[0], "ban_ended");
    await alerts.stop();
  } finally {
    await drop();
    await exchange.close();
  }
});
