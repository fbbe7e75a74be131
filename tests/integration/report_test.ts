/** The report of an archive whose faults are known says each of them, and every number of it is counted another way. @module */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { Stopped } from "../../lib/cli/stopped.ts";
import { count, width } from "../../lib/cli/text.ts";
import type { Completeness } from "../../lib/report/completeness.ts";
import type { NamedSeries, Report, ReportRequest } from "../../lib/report/document.ts";
import { makeReport } from "../../lib/report/quality.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { type ArchivePlace, withArchivePlace } from "../support/archive_place.ts";
import { KNOWN_NOW_MS, KNOWN_SINCE_MS, makeKnownArchive } from "../support/known_archive.ts";
import { configOf } from "../support/local_archive.ts";
import { runInProcess } from "../support/shell.ts";
import { openTestDatabase } from "../support/test_database.ts";

const CLOCK: Clock = {
  now: () => KNOWN_NOW_MS,
  sleep: (ms, options) => systemClock.sleep(ms, options),
};

interface Scene {
  readonly database: Database;
  /** Of the whole archive. */
  readonly report: Report;
}

Deno.test("a report says what is wrong with a known archive that is embedded", async (t) => {
  const opened = await openTestDatabase("embedded");
  assert(opened !== undefined);
  const { database, drop } = opened;
  try {
    await migrate(database, await readMigrations());
    await makeKnownArchive(database);
    const request = { exchanges: [], symbols: [], timeframes: [], sinceMs: null, untilMs: null };
    const report = await madeReport(database, { ...request, timeoutMs: 60_000 });
    for (const [name, test] of Object.entries(NUMBERS)) {
      await t.step(name, () => test({ database, report }));
    }
  } finally {
    await drop();
  }
});

Deno.test("a report says what is wrong with a known archive that is on a server", (t) =>
  withArchivePlace(t, "postgres", (place) =>
    place.withDatabase(async (database) => {
      await makeKnownArchive(database);
      const report = await reportOf(place);
      for (const [name, test] of Object.entries(NUMBERS)) {
        await t.step(name, () => test({ database, report }));
      }
      for (const [name, test] of Object.entries(COMMANDS)) {
        await t.step(name, () => test({ database, report, place }));
      }
    })));

async function madeReport(database: Database, request: ReportRequest): Promise<Report> {
  const steps = makeReport(database, {
    config: configOf({ EXCHANGES: "binance" }),
    clock: CLOCK,
    newestCandlesMax: () => undefined,
    request,
  });
  const last = (await Array.fromAsync(steps)).at(-1);
  assert(last !== undefined && "report" in last);
  return last.report;
}

const NUMBERS: Readonly<Record<string, (scene: Scene) => Promise<void> | void>> = {
  "candles are there, explained, owed or open as ohlcv_explained counts them": async (scene) => {
    const { database, report } = scene;
    await assertCounts(database, report);
    const { total, archive } = report;
    assert.equal(report.series.length, 10);
    assert.equal(archive.candles, total.there);
    assert.deepEqual(total.reasons, {
      no_trades: 6,
      rejected: 1,
      exchange_outage: 57,
      before_listing: 3 * 288 + 288 + 144 + 288,
    });
    assert.deepEqual([total.missing, total.owed], [2, 6 * 288]);
  },

  "the longest gaps come first, cut where a series begins": ({ report }) => {
    assert.deepEqual(
      report.gaps.longest.map(({ exchange, since, state, missing }) => [
        exchange,
        since.slice(0, 16),
        state,
        missing,
      ]),
      [
        ["bybit", "2024-03-01T22:00", "exchange_outage", 57],
        ["binance", "2024-03-01T10:00", "no_trades", 6],
        ["kraken", "2024-03-02T20:00", "suspected", 2],
        ["binance", "2024-03-01T12:00", "rejected", 1],
      ],
    );
  },

  "revisions and rejected rows are those of their tables": async ({ database, report }) => {
    const { revisions, rejected } = report;
    const [{ kept } = { kept: 0 }] = await database.sql<{ kept: number }[]>`
      select count(*)::int as kept from candle_revisions`;
    assert.equal(revisions.revisions, kept);
    assert.deepEqual([kept, revisions.volumeOnly, revisions.takenBack], [10, 6, 1]);
    assert.deepEqual(revisions.sizes.map(({ revisions }) => revisions), [0, 0, 1, 2]);
    assert.deepEqual(
      revisions.largest.map(({ exchange, field, percent }) => [exchange, field, percent]),
      [["okx", "low", 2], ["okx", "low", 2], ["binance", "high", 0.2]],
    );
    assert.deepEqual(rejected.map(({ reason, rows, times }) => [reason, rows, times]), [
      ["not_six_values", 2, 3],
      ["high_below_body", 1, 3],
    ]);
    assert.equal(rejected[1]?.samples[0]?.answered, '[1709294400000,"1","0.5","1","1","1"]');
  },

  "outliers are those that a comparison candle by candle finds": async ({ database, report }) => {
    const truth = await outliersOf(database);
    const { comparison } = report;
    assert.deepEqual(
      comparison.exchanges.map(({ exchange, ...counts }) => [exchange, counts]).toSorted(),
      [...truth.counts].toSorted(),
    );
    const named = comparison.worst.map(({ exchange, symbol, time, field }) =>
      `${exchange} ${symbol} ${time.slice(0, 16)} ${field}`
    );
    assert.deepEqual(new Set(named).size, named.length);
    for (const name of named) assert(truth.names.has(name), name);
    const bitcoin = named.filter((name) => name.includes("BTC/USDT"));
    assert.deepEqual(bitcoin.toSorted(), [
      "bybit BTC/USDT 2024-03-01T08:00 high",
      "bybit BTC/USDT 2024-03-02T09:00 low",
      "kraken BTC/USDT 2024-03-02T15:00 high",
    ]);
    // The other coin is told of; what the symbol meant before is not compared.
    const stranger = comparison.series.find(({ symbol }) => symbol === "XYZ/USDT");
    assert.deepEqual([stranger?.exchange, stranger?.compared, stranger?.outliers], [
      "kraken",
      288,
      288,
    ]);
    assert.deepEqual(comparison.timeframes.map(({ symbols, isWhole }) => [symbols, isWhole]), [
      [2, true],
    ]);
  },
};

const COMMANDS: Readonly<
  Record<string, (scene: Scene & { readonly place: ArchivePlace }) => Promise<void>>
> = {
  "in a range that cuts gaps they are, too, and of some series": async ({ database, place }) => {
    const range = ["--since", "2024-03-01T22:30", "--until", "2024-03-02T02:02"];
    const cut = await reportOf(place, ...range);
    const outage = cut.gaps.states.find(({ state }) => state === "exchange_outage");
    // 22:30 to 02:02 has 43 candles, three of which came later.
    assert.deepEqual(outage, {
      state: "exchange_outage",
      gaps: 1,
      candles: 40,
      seconds: 3 * 3600 + 32 * 60,
    });
    await assertCounts(database, cut);
    const some = await reportOf(place, "--exchange", "bybit,kraken", "--symbols", "BTC/USDT");
    await assertCounts(database, some);
    assert.deepEqual(some.exchanges.map(({ exchange, series }) => [exchange, series]), [
      ["kraken", 1],
      ["bybit", 1],
    ]);
    // The others are compared with all the same.
    assert.deepEqual(some.comparison.exchanges.map(({ exchange }) => exchange).toSorted(), [
      "bybit",
      "kraken",
    ]);
  },

  "as text no line is wider than a terminal, and no name changes what it shows": async (scene) => {
    const { code, stdout, stderr } = await command(scene.place, "report");
    assert.equal(code, 0, stderr);
    for (const line of stdout.split("\n")) assert(width(line) <= 80, line);
    assert(!stdout.includes("\u202e"));
    const { total: { there, wanted } } = scene.report;
    assert(stdout.includes(`${count(there)} of ${count(wanted)} wanted candles are there`));
    assert.match(stdout, /kraken XYZ\/USDT 5m lies apart at 100\.000 % of its\s+moments/);
  },

  "a page is one whole file without scripts, whatever a coin is called": async ({ place }) => {
    const file = `${place.folder}/report.html`;
    const { code, stdout, stderr } = await command(place, "report", "--html", file);
    assert.deepEqual([code, stdout, stderr], [0, "", `The report is in ${file}`]);
    const page = await Deno.readTextFile(file);
    assertSafe(page);
    const piped = await command(place, "report", "--html", "-");
    const sized = (text: string): string => text.replace(/in [\d.]+ MB/, "").trimEnd();
    assert.equal(sized(piped.stdout), sized(page));
    const refused = await command(place, "report", "--html", `${place.folder}/none/report.html`);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Cannot create .*none\/report\.html/);
    const left = await Array.fromAsync(Deno.readDir(place.folder), ({ name }) => name);
    assert.deepEqual(left.filter((name) => name.includes("unfinished")), []);
  },

  "a role that may only read gets the same report": async ({ database, report, place }) => {
    const reader = `reader_${crypto.randomUUID().replaceAll("-", "")}`;
    const { sql } = database;
    await sql.unsafe(`create role ${reader} login password 'p';
      grant usage on schema public to ${reader};
      grant select on all tables in schema public to ${reader}`);
    try {
      const url = new URL(place.env["DATABASE_URL"]!);
      [url.username, url.password] = [reader, "p"];
      const read = { ...place, env: { ...place.env, DATABASE_URL: url.href } };
      // Rights, and what the server does by itself, take room, too.
      const archive = { ...report.archive, bytes: 0 };
      const told = await reportOf(read);
      assert.deepEqual({ ...told, archive: { ...told.archive, bytes: 0 } }, { ...report, archive });
    } finally {
      await sql.unsafe(`drop owned by ${reader}; drop role ${reader}`);
    }
  },

  "Ctrl-C in the midst of it leaves no file, and says how to go on": async ({ place }) => {
    const stopping = new AbortController();
    let asked = 0;
    const now = (): number => {
      // The third look is the first before a comparison.
      if (++asked === 3) stopping.abort(new Stopped("SIGINT"));
      return KNOWN_NOW_MS;
    };
    const file = `${place.folder}/stopped.html`;
    const { code, stderr } = await runInProcess(
      ["report", "--html", file],
      place.env,
      stopping.signal,
      "",
      { ...CLOCK, now },
    );
    assert(stopping.signal.aborted);
    assert.equal(code, 1);
    assert.match(stderr, /^Stopped by Ctrl-C\. No file of --html was written: run titan10 report/);
    const left = await Array.fromAsync(Deno.readDir(place.folder), ({ name }) => name);
    assert.deepEqual(left.filter((name) => name.includes("stopped")), []);
  },

  "a symbol that is not archived is told of": async ({ place }) => {
    const none = await command(place, "report", "--symbols", "NONE/USDT");
    assert.equal(none.code, 1);
    assert.match(none.stderr, /Cannot report\. Nothing is archived of the symbol NONE\/USDT/);
  },

  "where time runs out, it says how far the comparison came": async ({ place }) => {
    let nowMs = KNOWN_NOW_MS;
    // Each look at the clock takes a second.
    const slow = { ...CLOCK, now: () => nowMs += 1_000 };
    const args = ["report", "--json", "--timeout", "1s"];
    const { code, stdout, stderr } = await runInProcess(args, place.env, undefined, "", slow);
    assert.equal(code, 0, stderr);
    const { comparison } = JSON.parse(stdout) as Report;
    assert.deepEqual(comparison.timeframes, [
      { timeframe: "5m", symbols: 2, since: null, until: null, isWhole: false },
    ]);
    assert.deepEqual(comparison.exchanges, []);
  },
};

/** No tag but the page's own, nothing that is loaded or run, and the hostile name as it is written. */
function assertSafe(page: string): void {
  const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/g)].map(([, tag]) => tag));
  const own =
    "html head meta title style body main h1 h2 p section svg rect ul li div table thead tbody tr th td";
  assert.deepEqual([...tags].filter((tag) => !own.split(" ").includes(tag!)), []);
  assert.doesNotMatch(
    page,
    /\son\w+\s*=\s*["'a-z]|javascript:|https?:|src=["']|url\(|@import|\u202e/i,
  );
  assert.match(page, /Content-Security-Policy" content="default-src 'none'/);
  assert(
    page.includes("&lt;img src=x onerror=&quot;document.title=&#39;taken&#39;&quot;&gt;&amp;&#39;"),
  );
  assert(page.includes("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

interface Price {
  readonly exchange: string;
  readonly symbol: string;
  readonly time: Date;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

/** Every candle against all others of its moment, by the rule as it is written. */
async function outliersOf({ sql }: Database): Promise<{
  readonly counts: ReadonlyMap<string, Readonly<Record<string, number>>>;
  readonly names: ReadonlySet<string>;
}> {
  const candles = await sql<Price[]>`
    select exchange, symbol, time, high::float8, low::float8, close::float8 from ohlcv
    where volume > 0 and not (exchange = 'kraken' and symbol = 'XYZ/USDT' and time < '2024-03-02Z')`;
  const counts = new Map<string, Record<string, number>>();
  const names = new Set<string>();
  for (
    const moment of Map.groupBy(candles, ({ symbol, time }) => `${symbol} ${time.getTime()}`)
      .values()
  ) {
    if (moment.length < 3) continue;
    for (const candle of moment) {
      const others = moment.filter((other) => other !== candle);
      const counted = counts.get(candle.exchange) ??
        { compared: 0, outliers: 0, closes: 0, highs: 0, lows: 0 };
      counts.set(candle.exchange, counted);
      const far = (["close", "high", "low"] as const).filter((field) => {
        const prices = others.map((other) => other[field]);
        const middle = medianOf(prices);
        const spread = medianOf(prices.map((price) => Math.abs(price - middle)));
        const floor = middle * (field === "close" ? 0.01 : 0.03);
        return Math.abs(candle[field] - middle) > Math.max(floor, 5 * 1.4826 * spread);
      });
      counted["compared"]! += 1;
      if (far.length > 0) counted["outliers"]! += 1;
      for (const field of far) counted[`${field}s`]! += 1;
      for (const field of far) {
        names.add(
          `${candle.exchange} ${candle.symbol} ${candle.time.toISOString().slice(0, 16)} ${field}`,
        );
      }
    }
  }
  return { counts, names };
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Compares what `ohlcv_explained` says of every series and day with the report. */
async function assertCounts(database: Database, report: Report): Promise<void> {
  const since = report.asked.since ?? new Date(KNOWN_SINCE_MS).toISOString();
  const until = report.asked.until ?? new Date(KNOWN_NOW_MS).toISOString();
  for (const series of report.series) {
    assert.deepEqual(countsOf(series), await explained(database, series, since, until));
  }
  for (const { day, wanted, there } of report.days) {
    const from = since > day ? since : day;
    const end = new Date(Date.parse(day) + 86_400_000).toISOString();
    const all = await Promise.all(
      report.series.map((series) => explained(database, series, from, until < end ? until : end)),
    );
    const sum = (of: (one: Counts) => number): number => all.reduce((sum, one) => sum + of(one), 0);
    assert.equal(there, sum((one) => one.there), day);
    const outside = sum(({ reasons, owed }) =>
      owed + (reasons["before_listing"] ?? 0) + (reasons["retention"] ?? 0)
    );
    assert.equal(wanted, sum((one) => one.wanted) - outside, day);
  }
  for (const part of [report.exchanges, report.series]) {
    for (const name of ["wanted", "there", "explained", "owed", "missing"] as const) {
      assert.equal(report.total[name], part.reduce((sum, one) => sum + one[name], 0), name);
    }
  }
}

type Counts = Omit<Completeness, "reasons"> & { readonly reasons: Record<string, number> };

function countsOf({ wanted, there, explained, owed, missing, reasons }: Completeness): Counts {
  return { wanted, there, explained, owed, missing, reasons: { ...reasons } };
}

async function explained(
  { sql }: Database,
  { exchange, symbol, timeframe }: NamedSeries,
  since: string,
  until: string,
): Promise<Counts> {
  const rows = await sql<{ state: string; candles: number }[]>`
    select state, sum(candles)::int as candles
    from ohlcv_explained(${timeframe}, ${exchange}, ${symbol}, ${since}::timestamptz, ${until}::timestamptz)
    group by state`;
  const counted = new Map(rows.map(({ state, candles }) => [state, candles]));
  const take = (state: string): number => {
    const candles = counted.get(state) ?? 0;
    counted.delete(state);
    return candles;
  };
  const [there, owed, missing] = [take("stored"), take("owed"), take("suspected")];
  const reasons = Object.fromEntries(counted);
  const told = [...counted.values()].reduce((sum, candles) => sum + candles, 0);
  return { wanted: there + owed + missing + told, there, explained: told, owed, missing, reasons };
}

async function reportOf(place: ArchivePlace, ...args: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await command(place, "report", "--json", ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

function command(place: ArchivePlace, ...args: readonly string[]): ReturnType<typeof runInProcess> {
  return runInProcess(args, place.env, undefined, "", CLOCK);
}
