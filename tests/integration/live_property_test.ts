/** Whatever fails of streams and of answers together: in the end the archive is what the answers alone make of it. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { openStreams } from "../../lib/exchange/stream.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { bringUpToDate } from "../../lib/gap/look_through.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import type { OpenStreams } from "../../lib/live/stream_source.ts";
import { Live } from "../../lib/live/live.ts";
import type { LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { hasVoice } from "../support/candle_stream.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { fakeSockets } from "../support/fake_socket.ts";
import { FaultyStream, type MinuteFault, STREAM_FAULTS } from "../support/faulty_stream.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import type { Fault } from "../support/local_exchange/fault.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { manyMarkets } from "../support/many_exchanges.ts";
import { fc } from "../support/property.ts";
import { openAnyTest } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2024, 2, 15, 13);
const MINUTES = 7;
/** More by `-- --runs=300`. */
const RUNS = Number(Deno.args.find((text) => text.startsWith("--runs="))?.slice(7) ?? 6);

/** By then every candle of the faults is final at the exchange, and gaps are asked for again. */
const LATER_MINUTES = [10, 6, 64, 75];

const STREAMED: readonly Dialect[] = TESTED_DIALECTS.filter(hasVoice);

/** What answers may say, or be. */
const ANSWER_FAULTS: readonly Fault[] = [
  { kind: "status", status: 500 },
  { kind: "status", status: 503 },
  { kind: "reset" },
  { kind: "truncated" },
  { kind: "html" },
  { kind: "empty_body" },
  { kind: "short_page", rows: 1 },
  { kind: "empty_page" },
  { kind: "moved_start", rows: 2 },
  { kind: "duplicate_rows" },
  { kind: "unordered_rows" },
  { kind: "forming" },
  { kind: "late_final", lateMs: 45_000 },
  { kind: "bad_value", value: "high_below_low", row: -1 },
  { kind: "bad_value", value: "nan_text" },
];

interface Minute extends MinuteFault {
  readonly answer: Fault | undefined;
  /** Of which market nothing is traded in this minute. */
  readonly still: number | undefined;
}

const minutes: fc.Arbitrary<readonly Minute[]> = fc.array(
  fc.record({
    fault: fc.option(fc.constantFrom(...STREAM_FAULTS), { nil: undefined, freq: 3 }),
    isSecond: fc.boolean(),
    answer: fc.option(fc.constantFrom(...ANSWER_FAULTS), { nil: undefined, freq: 2 }),
    still: fc.option(fc.integer({ min: 0, max: 1 }), { nil: undefined, freq: 2 }),
  }),
  { minLength: MINUTES, maxLength: MINUTES },
);

/** What is left in the end. */
interface Left {
  readonly candles: readonly string[];
  readonly covered: readonly string[];
  /** How many candles streams have stored. */
  readonly streamed: number;
}

Deno.test("whatever streams and answers do, the archive becomes what answers alone make of it, and a stream covers nothing", async () => {
  const opened = await openAnyTest();
  const streamed = new Map<string, number>();
  try {
    await fc.assert(
      fc.asyncProperty(minutes, fc.constantFrom(...STREAMED), async (schedule, dialect) => {
        const alone = await play(opened.database, { schedule, dialect, isStreamed: false });
        const both = await play(opened.database, { schedule, dialect, isStreamed: true });
        assert.deepEqual(both.candles, alone.candles);
        assert.deepEqual(both.covered, alone.covered);
        assert.equal(alone.streamed, 0);
        const { exchange } = dialect;
        streamed.set(exchange, (streamed.get(exchange) ?? 0) + both.streamed);
      }),
      { numRuns: RUNS },
    );
    const total = [...streamed.values()].reduce((sum, candles) => sum + candles, 0);
    assert.ok(total > RUNS, `streams stored only ${total} candles in ${RUNS} runs`);
  } finally {
    await opened.drop();
  }
});

/** Plays a schedule from its start until all is answered for. */
async function play(
  database: Database,
  { schedule, dialect, isStreamed }: {
    readonly schedule: readonly Minute[];
    readonly dialect: Dialect;
    readonly isStreamed: boolean;
  },
): Promise<Left> {
  await emptyDatabase(database);
  const manual = new ManualClock({ startMs: START_MS + 6_000 });
  const clock = new WaitingClock(manual);
  const local = await startLocalExchange({ clock, dialect, symbols: marketsOf(schedule) });
  const { exchange } = dialect;
  const archive = await openTestArchive(database, {
    EXCHANGES: exchange,
    SYMBOLS: marketsOf(schedule).map(({ symbol }) => symbol).join(),
    ...{ TIMEFRAMES: "1m", BACKFILL: "1m:1h", FETCH_TIMEOUT: "60s", BREAKER_COOLDOWN: "1ms" },
    [`EXCHANGE_${exchange.toUpperCase()}`]: JSON.stringify({
      proxyUrl: local.proxyUrl,
      rateLimit: 1,
    }),
  }, clock);
  const rest = new Rest(manual);
  const { sockets, openSocket } = fakeSockets();
  const live = new Live({ ...archive, clock: rest }, {
    isWanted: () => isStreamed,
    lackOf: () => undefined,
    open: (id, onEvent): OpenStreams =>
      openStreams({ exchange: { id }, clock: manual, random: () => 0.5, openSocket, onEvent }),
  });
  const stream = new FaultyStream({ dialect, local, clock: manual, sockets, atRest: rest.reached });
  const poll = new Poll(archive, { streams: live });
  try {
    await poll.runOnce();
    for (const minute of schedule) {
      if (isStreamed) {
        const before = await stateOf(database);
        await stream.minute(minute);
        assertOnlyAdded(before, await stateOf(database));
      } else await manual.advance(MINUTE_MS);
      const rule = minute.answer && local.faults.add({
        ...{ when: { about: "candles" }, fault: minute.answer },
      });
      await poll.runOnce();
      rule?.remove();
    }
    await live.stop();
    for (const minutes of LATER_MINUTES) {
      manual.set(minutes * MINUTE_MS);
      await backfill(archive, { patient: false });
      await repairGaps(archive);
    }
    await bringUpToDate(archive);
    const state = await stateOf(database);
    assert.deepEqual(state.streamed, [], "named as streamed when all is answered for");
    const text = await archive.metrics.text();
    const stored = /titan10_stream_candles_total\{[^}]*outcome="stored"\} (\d+)/.exec(text)?.[1];
    assertTrue(state, local);
    return {
      candles: [...state.candles].map((one) => one.join(" ")),
      covered: state.covered,
      streamed: Number(stored ?? 0),
    };
  } finally {
    await live.stop();
    await local.close();
  }
}

/** The clock of requests: their waits are real and move it, for as long as nothing else does. */
class WaitingClock implements Clock {
  readonly #clock: ManualClock;
  #waitedMs = 0;
  #sinceMs = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  now(): number {
    const nowMs = this.#clock.now();
    if (nowMs !== this.#sinceMs) [this.#sinceMs, this.#waitedMs] = [nowMs, 0];
    return nowMs + this.#waitedMs;
  }

  async sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    await systemClock.sleep(ms, options);
    this.#waitedMs += ms;
  }
}

/** The clock of what stores: it tells when that waits for its next beat. */
class Rest implements Clock {
  readonly #clock: ManualClock;
  #atWork = 0;
  #hasBegun = false;
  #news = Promise.withResolvers<void>();

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** As on a machine that is slow: fewer beats. */
  async sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    this.#hasBegun = true;
    this.#atWork = 0;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
    await this.#clock.sleep(Math.max(ms, 500), options).finally(() => this.#atWork = 1);
  }

  /** Resolves when nothing is being stored. */
  readonly reached = async (): Promise<void> => {
    while (this.#hasBegun && this.#atWork > 0) await this.#news.promise;
  };
}

function marketsOf(schedule: readonly Minute[]): readonly LocalSymbol[] {
  return manyMarkets(2).map((one, at) => ({
    ...one,
    holes: schedule.flatMap(({ still }, minute) => {
      const sinceMs = START_MS + minute * MINUTE_MS;
      return still === at ? [{ sinceMs, untilMs: sinceMs + MINUTE_MS }] : [];
    }),
  }));
}

interface State {
  /** Values, by symbol and time. */
  readonly candles: ReadonlyMap<string, string>;
  readonly covered: readonly string[];
  /** Symbols and times of candles that no answer has told of. */
  readonly streamed: readonly string[];
}

async function stateOf({ sql }: Database): Promise<State> {
  const [there] = await sql`select to_regclass('ohlcv_1m') is not null as yes`;
  if (there?.["yes"] !== true) return { candles: new Map(), covered: [], streamed: [] };
  const rows = await sql<{ key: string; values: string; is_covered: boolean }[]>`
    select symbol || ' ' || extract(epoch from time)::bigint as key, coalesce(covered @> time, false) as is_covered,
           concat_ws(' ', trim_scale(open), trim_scale(high), trim_scale(low), trim_scale(close),
                     trim_scale(volume)) as values
    from ohlcv_1m left join checkpoints using (exchange, symbol)
    order by symbol, time`;
  const ledger = await sql<{ symbol: string; covered: string; candles: number }[]>`
    select symbol, covered::text, candles::float8 from checkpoints order by symbol`;
  const named = await sql<{ key: string }[]>`
    select symbol || ' ' || extract(epoch from time)::bigint as key from streamed_candles order by 1`;
  for (const { symbol, candles } of ledger) {
    const stored = rows.filter(({ key }) => key.startsWith(`${symbol} `));
    assert.equal(candles, stored.length, `the ledger's count of ${symbol}`);
  }
  const waiting = new Set(rows.filter(({ is_covered }) => !is_covered).map(({ key }) => key));
  const streamed = named.map(({ key }) => key);
  assert.deepEqual(streamed.filter((key) => !waiting.has(key)), [], "streamed, and covered");
  return {
    candles: new Map(rows.map(({ key, values }) => [key, values])),
    covered: ledger.map(({ symbol, covered }) => `${symbol} ${covered}`),
    streamed,
  };
}

/** Between two answers nothing is covered, and nothing changes of which an answer has told. */
function assertOnlyAdded(before: State, after: State): void {
  assert.deepEqual(after.covered, before.covered, "covered without an answer");
  for (const [key, values] of before.candles) {
    if (!before.streamed.includes(key)) assert.equal(after.candles.get(key), values, key);
  }
}

/** The candles are those of the exchange. */
function assertTrue({ candles }: State, local: LocalExchange): void {
  const window = { sinceMs: START_MS - 30 * MINUTE_MS, untilMs: START_MS + MINUTES * MINUTE_MS };
  for (const { symbol } of local.symbols.all()) {
    const truth = local.truth(symbol, parseTimeframe("1m"), window).map((candle) => {
      const { openTimeMs, open, high, low, close, volume } = candle;
      const values = [open, high, low, close, volume].map((text) => String(Number(text)));
      return `${openTimeMs / 1000} ${values.join(" ")}`;
    });
    const stored = [...candles].flatMap(([key, values]) => {
      const seconds = Number(key.slice(symbol.length + 1));
      const isMeant = key.startsWith(`${symbol} `) && seconds * 1000 >= window.sinceMs &&
        seconds * 1000 < window.untilMs;
      return isMeant ? [`${seconds} ${values}`] : [];
    });
    assert.deepEqual(stored, truth, symbol);
  }
}
