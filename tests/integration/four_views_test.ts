/** One truth in every view, whatever an exchange did: real CCXT over HTTP, into a real database. @module */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { bringUpToDate, lookThroughImport } from "../../lib/gap/look_through.ts";
import { closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readGapEntries } from "../../lib/serve/gap_list.ts";
import { readStatus } from "../../lib/serve/status.ts";
import { type FileRow, importRows } from "../../lib/transfer/candle_import.ts";
import { CONFIRM_AFTER_MS } from "../../lib/gap/first_candle.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { Window } from "../../lib/market/window.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { disagreements } from "../support/archive_views.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { fc } from "../support/property.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import type { Fault } from "../support/local_exchange/fault.ts";
import { binance } from "../support/local_exchange/binance.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How far the archives of this file reach back. */
const REACH_MS = 3 * DAY_MS;

type Exchange = "binance" | "kraken";

/** One step of a schedule. What is small here is a share of the reach. */
type Step =
  | { readonly kind: "backfill" | "repair" }
  | { readonly kind: "poll"; readonly minutes: number }
  | { readonly kind: "stream"; readonly minutes: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "ask"; readonly at: number }
  | { readonly kind: "import"; readonly at: number; readonly isComplete: boolean }
  | { readonly kind: "fault"; readonly fault: Fault; readonly at: number; readonly times: number };

interface Schedule {
  readonly exchange: Exchange;
  readonly symbols: number;
  /** When the first market was listed, as a share of the reach; undefined long before. */
  readonly listedAt: number | undefined;
  readonly isDelisted: boolean;
  readonly holes: readonly (readonly [at: number, minutes: number])[];
  readonly bad: readonly number[];
  /** What the settings want. @default the whole reach, which is polled */
  readonly wants?: Readonly<Record<string, string>> | undefined;
  readonly steps: readonly Step[];
}

const share = fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100);

const faults: fc.Arbitrary<Fault> = fc.oneof(
  fc.constant<Fault>({ kind: "empty_page" }),
  fc.constant<Fault>({ kind: "html" }),
  fc.constant<Fault>({ kind: "status", status: 500 }),
  fc.integer({ min: 1, max: 90 }).map((rows): Fault => ({ kind: "moved_start", rows })),
  fc.integer({ min: 1, max: 90 }).map((rows): Fault => ({ kind: "short_page", rows })),
  fc.constantFrom("misaligned_time", "negative_price", "nan_text").map((value): Fault => ({
    kind: "bad_value",
    value,
    row: 3,
  })),
);

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Step>({ kind: "backfill" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "repair" }) },
  fc.integer({ min: 1, max: 4 }).map((minutes): Step => ({ kind: "poll", minutes })),
  fc.integer({ min: 1, max: 4 }).map((minutes): Step => ({ kind: "stream", minutes })),
  fc.record({
    kind: fc.constant("import" as const),
    at: fc.integer({ min: -50, max: 99 }).map((percent) => percent / 100),
    isComplete: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("ask" as const),
    at: fc.integer({ min: -50, max: 90 }).map((percent) => percent / 100),
  }),
  fc.constantFrom(MINUTE_MS, CONFIRM_AFTER_MS, DAY_MS).map((ms): Step => ({ kind: "wait", ms })),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("fault" as const),
      fault: faults,
      at: share,
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

const schedules: fc.Arbitrary<Schedule> = fc.record({
  exchange: fc.constantFrom<Exchange>("binance", "kraken"),
  symbols: fc.integer({ min: 1, max: 2 }),
  listedAt: fc.option(share, { nil: undefined }),
  isDelisted: fc.boolean(),
  holes: fc.array(fc.tuple(share, fc.integer({ min: 1, max: 90 })), { maxLength: 3 }),
  bad: fc.array(share, { maxLength: 2 }),
  wants: fc.option(
    fc.record({
      BACKFILL: fc.constantFrom("1m:2024-03-12..2024-03-13", "1m:2024-03-13..2024-03-15"),
      TIMEFRAMES: fc.constantFrom("1m", "1h"),
    }),
    { nil: undefined },
  ),
  steps: fc.array(steps, { minLength: 2, maxLength: 7 }),
});

Deno.test("after every command all views say the same of every candle", async (t) => {
  const { database, drop } = await openAnyTest();
  try {
    for (const [name, schedule] of Object.entries({ ...EXAMPLES, ...RANGES, ...ASKED })) {
      await t.step(name, () => follow(database, schedule));
    }
    await t.step(
      "whatever an exchange did",
      () =>
        fc.assert(fc.asyncProperty(schedules, (schedule) => follow(database, schedule)), {
          numRuns: 12,
          seed: 15,
          endOnFailure: true,
        }),
    );
  } finally {
    await drop();
  }
});

const PLAIN: Schedule = {
  exchange: "binance",
  symbols: 1,
  listedAt: undefined,
  isDelisted: false,
  holes: [],
  bad: [],
  steps: [{ kind: "backfill" }],
};

const EXAMPLES: Readonly<Record<string, Schedule>> = {
  "after one backfill of a market with silences": { ...PLAIN, holes: [[0.2, 30], [0.9, 5]] },
  "after one backfill of an exchange that keeps its newest candles": {
    ...PLAIN,
    exchange: "kraken",
  },
  "after one backfill of a market that was listed in between": {
    ...PLAIN,
    symbols: 2,
    listedAt: 0.5,
  },
  "while a first candle is doubted, and after": {
    ...PLAIN,
    listedAt: 0.4,
    holes: [[0.4, 20]],
    steps: [
      { kind: "backfill" },
      { kind: "repair" },
      { kind: "wait", ms: CONFIRM_AFTER_MS },
      { kind: "repair" },
    ],
  },
  "when candles come after their gap was explained": {
    ...PLAIN,
    steps: [
      {
        kind: "fault",
        fault: { kind: "bad_value", value: "negative_price", row: 3 },
        at: 0.99,
        times: 9,
      },
      { kind: "poll", minutes: 3 },
      { kind: "repair" },
      { kind: "poll", minutes: 4 },
      { kind: "backfill" },
    ],
  },
  "after polls, before anything has looked for gaps": {
    ...PLAIN,
    symbols: 2,
    steps: [
      { kind: "backfill" },
      { kind: "wait", ms: 30 * MINUTE_MS },
      { kind: "fault", fault: { kind: "moved_start", rows: 3 }, at: 0.999, times: 1 },
      { kind: "poll", minutes: 6 },
      { kind: "repair" },
    ],
    holes: [[1.002, 2], [1.005, 1]],
  },
  "after a stream and after the poll that answers for its candles": {
    ...PLAIN,
    holes: [[0.99, 60]],
    steps: [
      { kind: "backfill" },
      { kind: "stream", minutes: 3 },
      { kind: "repair" },
      { kind: "poll", minutes: 3 },
      { kind: "repair" },
    ],
  },
  "after an import into an archive without a backfill": {
    ...PLAIN,
    exchange: "kraken",
    steps: [
      { kind: "import", at: -0.4, isComplete: false },
      { kind: "import", at: 0.5, isComplete: true },
      { kind: "backfill" },
    ],
  },
  "of a market that has ended": {
    ...PLAIN,
    isDelisted: true,
    steps: [
      { kind: "backfill" },
      { kind: "wait", ms: DAY_MS },
      { kind: "backfill" },
      { kind: "wait", ms: DAY_MS },
      { kind: "repair" },
    ],
  },
};

/** A history that ends before the first poll. Another exchange may no longer have any of it. */
const RANGE = { BACKFILL: "1m:2024-03-13..2024-03-14" };

/** The reach of kraken is half a day: nothing of a wait is left but its end. */
const POLLED_AND_AWAY: readonly Step[] = [
  { kind: "poll", minutes: 3 },
  { kind: "backfill" },
  { kind: "wait", ms: DAY_MS },
  { kind: "poll", minutes: 1 },
  { kind: "backfill" },
  { kind: "repair" },
];

const RANGES: Readonly<Record<string, Schedule>> = {
  "of a range, then polls, an absence and a backfill": {
    ...PLAIN,
    wants: RANGE,
    holes: [[0.3, 9]],
    steps: POLLED_AND_AWAY,
  },
  "of a range of an exchange that keeps its newest candles, after an absence": {
    ...PLAIN,
    exchange: "kraken",
    wants: RANGE,
    steps: POLLED_AND_AWAY,
  },
  "of a range that the exchange keeps in part": {
    ...PLAIN,
    exchange: "kraken",
    wants: { BACKFILL: "1m:2024-03-13..2024-03-15" },
    steps: POLLED_AND_AWAY,
  },
  "of a range in which the market was listed": {
    ...PLAIN,
    wants: RANGE,
    listedAt: 0.3,
    steps: POLLED_AND_AWAY,
  },
  "of a range after which the market was listed": {
    ...PLAIN,
    wants: RANGE,
    listedAt: 0.7,
    steps: POLLED_AND_AWAY,
  },
  "of a range of a market that has ended": {
    ...PLAIN,
    wants: RANGE,
    isDelisted: true,
    steps: POLLED_AND_AWAY,
  },
  "of a range that is not polled": {
    ...PLAIN,
    wants: { ...RANGE, TIMEFRAMES: "1h" },
    steps: POLLED_AND_AWAY,
  },
  "of a range with imports before and after it": {
    ...PLAIN,
    wants: RANGE,
    steps: [
      { kind: "import", at: -0.4, isComplete: false },
      { kind: "import", at: 0.7, isComplete: true },
      { kind: "backfill" },
      { kind: "import", at: -0.2, isComplete: true },
      ...POLLED_AND_AWAY,
    ],
  },
};

/** A range that was asked for once. */
const ASKED: Readonly<Record<string, Schedule>> = {
  "of a range asked for before anything else, then polls and an absence": {
    ...PLAIN,
    steps: [{ kind: "ask", at: -0.3 }, ...POLLED_AND_AWAY],
  },
  "of a range asked for of an exchange that keeps its newest candles": {
    ...PLAIN,
    exchange: "kraken",
    steps: [{ kind: "ask", at: 0.5 }, ...POLLED_AND_AWAY, { kind: "ask", at: 0.9 }],
  },
  "of a range asked for before the listing": {
    ...PLAIN,
    listedAt: 0.5,
    steps: [{ kind: "ask", at: 0.1 }, ...POLLED_AND_AWAY],
  },
  "of a range asked for beside one that ends": {
    ...PLAIN,
    wants: RANGE,
    steps: [...POLLED_AND_AWAY, { kind: "ask", at: -0.3 }, { kind: "repair" }],
  },
};

/** Runs a schedule; after every command the views must agree. */
async function follow(database: Database, schedule: Schedule): Promise<void> {
  await emptyDatabase(database);
  const clock = new TestClock();
  const sinceMs = START_MS - REACH_MS;
  const symbols = marketsOf(schedule, sinceMs);
  const dialect = schedule.exchange === "kraken" ? kraken : binance;
  const exchange = await startLocalExchange({ clock, dialect, symbols });
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: schedule.exchange,
      SYMBOLS: symbols.map(({ symbol }) => symbol).join(","),
      TIMEFRAMES: "1m",
      BACKFILL: "1m:3d",
      ...schedule.wants,
      EXCHANGE_PROXY_URL: exchange.proxyUrl,
      [`EXCHANGE_${schedule.exchange.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
      BREAKER_FAILURES: "1000",
    }, clock);
    const poll = new Poll(archive);
    for (const [index, step] of schedule.steps.entries()) {
      await take(step, { archive, exchange, clock, poll });
      if (step.kind === "fault") continue;
      const nowMs = clock.now();
      // What was wanted once stays wanted, and all since the first candle that is not outside a range.
      const rows = await database.sql<{ name: string; wanted: Date | null }[]>`
        select timeframe || ' ' || symbol as name, least(nullif(wanted_since, 'infinity'), first) as wanted
        from checkpoints`;
      const wanted = new Map(rows.map(({ name, wanted }) => [name, wanted?.getTime()]));
      const found = await disagreements(database, {
        status: await readStatus({ config: archive.config, database, nowMs, newestCandlesMax }),
        gaps: (await Array.fromAsync(readGapEntries(database))).flat(),
        nowMs,
        wantedSinceMs: (timeframe, symbol) =>
          wanted.get(`${timeframe} ${symbol}`) ?? closedUntil(MINUTE, nowMs) - REACH_MS,
      });
      assert.deepEqual(found, [], `after step ${index}, ${step.kind}`);
    }
  } finally {
    await exchange.close();
  }
}

function marketsOf(
  { symbols, listedAt, isDelisted, holes, bad }: Schedule,
  sinceMs: number,
): readonly LocalSymbol[] {
  const at = (share: number): number =>
    Math.floor((sinceMs + share * REACH_MS) / MINUTE_MS) * MINUTE_MS;
  const silent = holes.map(([share, minutes]): Window => ({
    sinceMs: at(share),
    untilMs: at(share) + minutes * MINUTE_MS,
  }));
  return LOCAL_SYMBOLS.slice(0, symbols).map((symbol, index) => ({
    ...symbol,
    holes: silent,
    overrides: bad.map((share) => ({
      timeframe: "1m",
      openTimeMs: at(share),
      values: { low: "-1" },
    })),
    ...(index === 0 && listedAt !== undefined ? { listedAtMs: at(listedAt) } : {}),
    ...(index === 0 && isDelisted ? { delistedAtMs: START_MS + HOUR_MS } : {}),
  }));
}

async function take(
  step: Step,
  { archive, exchange, clock, poll }: {
    readonly archive: Archive;
    readonly exchange: LocalExchange;
    readonly clock: TestClock;
    readonly poll: Poll;
  },
): Promise<void> {
  switch (step.kind) {
    case "backfill":
      await backfill(archive, { patient: false });
      return await bringUpToDate(archive);
    case "ask": {
      const sinceMs = START_MS - REACH_MS + step.at * REACH_MS;
      const asked = { sinceMs, untilMs: sinceMs + 3 * HOUR_MS };
      await backfill(archive, { patient: false, asked });
      return await bringUpToDate(archive);
    }
    case "repair":
      await repairGaps(archive);
      return;
    case "poll":
      for (let minute = 0; minute < step.minutes; minute++) {
        await poll.runOnce();
        clock.pass(MINUTE_MS);
      }
      // Nothing has looked for gaps yet.
      return;
    case "stream":
      for (let minute = 0; minute < step.minutes; minute++) {
        await streamNewest(archive, exchange);
        clock.pass(MINUTE_MS);
      }
      return;
    case "wait":
      return clock.pass(step.ms);
    case "import":
      return await importHalf(archive, exchange, step);
    case "fault": {
      const sinceMs = START_MS - REACH_MS + step.at * REACH_MS;
      const { fault, times } = step;
      const when = { about: "candles", sinceMs, untilMs: sinceMs + HOUR_MS } as const;
      exchange.faults.add({ when, times, fault });
    }
  }
}

/** A stream tells of the newest candle of each market, also where there was no trade. */
async function streamNewest(archive: Archive, exchange: LocalExchange): Promise<void> {
  const untilMs = closedUntil(MINUTE, archive.clock.now());
  const values = { open: "1", high: "1", low: "1", close: "1", volume: "1" };
  await writeStreamed(
    archive.database,
    exchange.symbols.all().map(({ symbol }) => ({
      series: { exchange: archive.exchanges[0]!.id, symbol, timeframe: MINUTE },
      candle: { openTimeMs: untilMs - MINUTE_MS, ...values },
      marketId: undefined,
    })),
  );
}

/** Imports every second candle of some hours. */
async function importHalf(
  archive: Archive,
  exchange: LocalExchange,
  { at, isComplete }: Extract<Step, { readonly kind: "import" }>,
): Promise<void> {
  const [symbol] = exchange.symbols.all();
  const series = {
    exchange: archive.exchanges[0]!.id,
    symbol: symbol!.symbol,
    timeframe: MINUTE,
  };
  const sinceMs = Math.floor((START_MS - REACH_MS + at * REACH_MS) / MINUTE_MS) * MINUTE_MS;
  const window = { sinceMs, untilMs: sinceMs + 3 * HOUR_MS };
  const rows = exchange.truth(symbol!.symbol, MINUTE, window)
    .filter((_, index) => index % 2 === 0)
    .map(({ openTimeMs, open, high, low, close, volume }): FileRow => ({
      series,
      row: [openTimeMs, open, high, low, close, volume],
      state: "candle",
    }));
  const context = { ...archive, hasTimescaledb: false };
  await importRows(context, ReadableStream.from(rows), {
    file: "half.csv",
    isComplete,
    replaces: false,
    signal: new AbortController().signal,
    sha256: () => "",
  });
  await lookThroughImport(archive);
}
