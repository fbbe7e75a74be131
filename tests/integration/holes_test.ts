/** Two hundred holes of every kind: each is filled or gets its right reason, and none is left unexplained. @module */
import assert from "node:assert/strict";
import type { Clock } from "../../lib/clock.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { readAccounts } from "../../lib/gap/account.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import type { Faults } from "../support/local_exchange/fault.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import {
  type CandleOverride,
  LOCAL_SYMBOLS,
  type LocalSymbol,
} from "../../lib/local_exchange/local_symbol.ts";
import { closedUntil, floorTime, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { kraken } from "../support/dialects/kraken.ts";
import {
  assertSameCandles,
  binanceAt,
  emptyDatabase,
  openTestArchive,
} from "../support/local_archive.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const DAYS = 7;
const SYMBOLS = LOCAL_SYMBOLS.slice(0, 6);
/** Those of them that are listed in the middle of the time that is archived. */
const LISTED_LATE = new Map([["DOGE/USDT", 2 * DAY_MS], ["BNB/USDT", 5 * DAY_MS]]);

/** How many holes of each kind; an outage is one of each symbol. */
const HOLES = { silent: 60, outage: 60, failed: 20, moved: 15, misaligned: 15, late: 10, bad: 20 };

type State = "stored" | "no_trades" | "exchange_outage" | "rejected" | "before_listing";

Deno.test("two hundred holes of every kind are filled or explained", async (t) => {
  const opened = await openAnyTest();
  try {
    await t.step("at an exchange with its whole history", () => fillHoles(opened.database));
    await t.step("at one that keeps its newest 720", () => loseToRetention(opened.database));
  } finally {
    await opened.drop();
  }
});
async function fillHoles(database: Database): Promise<void> {
  await emptyDatabase(database);
  const { clock, pass } = shiftedClock();
  const untilMs = closedUntil(MINUTE, clock.now());
  const window = { sinceMs: floorTime(MINUTE, untilMs - DAYS * DAY_MS), untilMs };
  const random = seeded(20_240_601);
  const symbols = flawedSymbols(window, random);
  const exchange = await startLocalExchange({ clock, symbols });
  try {
    spoilAnswers(exchange.faults, { window, symbols, random });
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: symbols.map(({ symbol }) => symbol).join(","),
      TIMEFRAMES: "1m",
      BACKFILL: `1m:${DAYS}d`,
      RETRY_ATTEMPTS: "2",
      BREAKER_FAILURES: "1000",
      EXCHANGE_BINANCE: binanceAt(exchange),
    }, clock);
    await settle(archive, pass);
    for (const symbol of symbols) {
      const told = await statesOf(database, { exchange: "binance", symbol: symbol.symbol, window });
      const expected = expectedStates(symbol, symbols, window);
      assert.deepEqual(runs(told, window), runs(expected, window), symbol.symbol);
      const stored = { ...window, untilMs: closedUntil(MINUTE, clock.now()) };
      await assertSameGoodCandles(database, exchange, { symbol, window: stored });
    }
  } finally {
    await exchange.close();
  }
}

/** Backfills and repairs until a day has passed over the newest holes. */
async function settle(archive: Archive, pass: (ms: number) => void): Promise<void> {
  for (let hours = 0; hours < 30; hours += 2) {
    await backfill(archive, { patient: false });
    await repairGaps(archive);
    pass(2 * HOUR_MS);
  }
  await backfill(archive, { patient: false });
  await repairGaps(archive);
}

async function loseToRetention(database: Database): Promise<void> {
  await emptyDatabase(database);
  const { clock, pass } = shiftedClock();
  const startMs = closedUntil(MINUTE, clock.now());
  const exchange = await startLocalExchange({ clock, dialect: kraken });
  try {
    const archive = await openTestArchive(database, {
      EXCHANGES: "kraken",
      SYMBOLS: "BTC/USDT",
      TIMEFRAMES: "1m",
      BACKFILL: "1m:2d",
      EXCHANGE_KRAKEN: JSON.stringify({ urls: { api: { public: exchange.url } }, rateLimit: 1 }),
    }, clock);
    await backfill(archive, { patient: false });
    await repairGaps(archive);
    // Nobody asks for longer than the exchange keeps.
    pass(DAY_MS);
    await backfill(archive, { patient: false });
    await repairGaps(archive);
    const window = { sinceMs: startMs - DAY_MS, untilMs: startMs + DAY_MS };
    const told = await statesOf(database, { exchange: "kraken", symbol: "BTC/USDT", window });
    const states = runs(told, window).map((run) => run.split(" ")[0]);
    assert.deepEqual(states, ["retention", "stored", "retention", "stored"]);
    const [account] = await readAccounts(database, {
      config: archive.config,
      nowMs: clock.now(),
      newestCandlesMax: () => 719,
    });
    assert.deepEqual([account?.owed, account?.missing], [0, 0]);
  } finally {
    await exchange.close();
  }
}

/** Markets with silences of their own, outages of all of them, and candles that cannot be true. */
function flawedSymbols(window: Window, random: () => number): readonly LocalSymbol[] {
  const minutes = (window.untilMs - window.sinceMs) / MINUTE_MS;
  const spanOf = (lengthMax: number): Window => {
    // The newest hours are left whole: the passing of time asks about the others.
    const start = Math.floor(random() * (minutes - 3 * 60));
    const sinceMs = window.sinceMs + start * MINUTE_MS;
    return { sinceMs, untilMs: sinceMs + (1 + Math.floor(random() * lengthMax)) * MINUTE_MS };
  };
  const outages = Array.from({ length: HOLES.outage / SYMBOLS.length }, () => spanOf(45));
  return SYMBOLS.map((symbol) => {
    const silent = Array.from({ length: HOLES.silent / SYMBOLS.length }, () => spanOf(30));
    const overrides: CandleOverride[] = Array.from(
      { length: Math.ceil(HOLES.bad / SYMBOLS.length) },
      () => ({ timeframe: "1m", openTimeMs: spanOf(1).sinceMs, values: { low: "-1" } }),
    );
    const listedMs = LISTED_LATE.get(symbol.symbol);
    return {
      ...symbol,
      holes: [...silent, ...outages],
      overrides,
      ...(listedMs === undefined ? {} : { listedAtMs: window.sinceMs + listedMs }),
    };
  });
}

/** Answers that fail, start late, hold a misaligned row, or leave candles out that come when asked again. */
function spoilAnswers(
  faults: Faults,
  { window, symbols, random }: {
    readonly window: Window;
    readonly symbols: readonly LocalSymbol[];
    readonly random: () => number;
  },
): void {
  const somewhere = (): { symbol: string; sinceMs: number; untilMs: number } => {
    const length = window.untilMs - window.sinceMs - 3 * HOUR_MS;
    const sinceMs = floorTime(MINUTE, window.sinceMs + random() * length);
    const { symbol } = symbols[Math.floor(random() * symbols.length)] as LocalSymbol;
    return { symbol, sinceMs, untilMs: sinceMs + MINUTE_MS };
  };
  for (let i = 0; i < HOLES.failed; i++) {
    const times = 1 + Math.floor(random() * 4);
    faults.add({ when: somewhere(), times, fault: { kind: "status", status: 500 } });
  }
  for (let i = 0; i < HOLES.moved; i++) {
    const rows = 100 + Math.floor(random() * 300);
    faults.add({ when: somewhere(), times: 1, fault: { kind: "moved_start", rows } });
  }
  for (let i = 0; i < HOLES.misaligned; i++) {
    const fault = { kind: "bad_value", value: "misaligned_time" } as const;
    faults.add({
      when: somewhere(),
      times: 1,
      fault: { ...fault, row: Math.floor(random() * 50) },
    });
  }
  for (let i = 0; i < HOLES.late; i++) {
    const { symbol, sinceMs } = somewhere();
    const hole = { sinceMs, untilMs: sinceMs + 10 * MINUTE_MS };
    faults.add({ when: { symbol, ...hole }, times: 1, fault: { kind: "holes", ...hole } });
  }
}

/** What is true of each minute, by what the markets were made of. */
function expectedStates(
  symbol: LocalSymbol,
  all: readonly LocalSymbol[],
  { sinceMs, untilMs }: Window,
): readonly State[] {
  const states: State[] = [];
  for (let timeMs = sinceMs; timeMs < untilMs; timeMs += MINUTE_MS) {
    const isTraded = (other: LocalSymbol): boolean =>
      isListed(other, timeMs) && !isSilent(other, timeMs) && !isBad(other, timeMs);
    if (!isListed(symbol, timeMs)) states.push("before_listing");
    else if (isTraded(symbol)) states.push("stored");
    else if (!isSilent(symbol, timeMs)) states.push("rejected");
    else states.push(all.some(isTraded) ? "no_trades" : "exchange_outage");
  }
  // Silence right after the listing cannot be told from the time before it.
  for (let i = 0; states[i] !== "stored" && i < states.length; i++) states[i] = "before_listing";
  return states;
}

function isListed({ listedAtMs = 0 }: LocalSymbol, timeMs: number): boolean {
  return timeMs >= floorTime(MINUTE, listedAtMs);
}

function isSilent({ holes = [] }: LocalSymbol, timeMs: number): boolean {
  return holes.some(({ sinceMs, untilMs }) => sinceMs <= timeMs && timeMs < untilMs);
}

function isBad({ overrides = [] }: LocalSymbol, timeMs: number): boolean {
  return overrides.some(({ openTimeMs }) => openTimeMs === timeMs);
}

/** What the database says of each minute. */
async function statesOf(
  { sql }: Database,
  { exchange, symbol, window }: {
    readonly exchange: string;
    readonly symbol: string;
    readonly window: Window;
  },
): Promise<readonly string[]> {
  const rows = await sql<{ state: string; candles: number }[]>`
    select state, candles::int from ohlcv_explained('1m', ${exchange}, ${symbol},
      to_timestamp(${window.sinceMs / 1000}), to_timestamp(${window.untilMs / 1000}))`;
  return rows.flatMap(({ state, candles }) => Array<string>(candles).fill(state));
}

/** Runs of the same state, as `state from minute N for M`. */
function runs(states: readonly string[], window: Window): readonly string[] {
  assert.equal(states.length, (window.untilMs - window.sinceMs) / MINUTE_MS);
  const found: { readonly state: string; readonly since: number }[] = [];
  states.forEach((state, since) => {
    if (found.at(-1)?.state !== state) found.push({ state, since });
  });
  return found.map(({ state, since }, i) =>
    `${state} from minute ${since} for ${(found[i + 1]?.since ?? states.length) - since}`
  );
}

/** The table holds the exchange's truth, but for the candles that cannot be true. */
async function assertSameGoodCandles(
  database: Database,
  exchange: LocalExchange,
  { symbol, window }: { readonly symbol: LocalSymbol; readonly window: Window },
): Promise<void> {
  const good: LocalExchange = {
    ...exchange,
    truth: (...asked) =>
      exchange.truth(...asked).filter(({ openTimeMs }) => !isBad(symbol, openTimeMs)),
  };
  await assertSameCandles(database, good, { symbol: symbol.symbol, timeframe: "1m", window });
}

/** It starts as a candle opens, so that what is desired does not move while the test prepares. */
function shiftedClock(): { readonly clock: Clock; readonly pass: (ms: number) => void } {
  const clock = new TestClock(closedUntil(MINUTE, START_MS));
  return { clock, pass: (ms) => clock.pass(ms) };
}

/** Mulberry32: the same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
