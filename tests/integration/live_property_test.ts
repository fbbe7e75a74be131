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
import { kraken } from "../support/dialects/kraken.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { fakeSockets } from "../support/fake_socket.ts";
import {
  FaultyStream,
  type MinuteFault,
  STREAM_FAULTS,
  type StreamFault,
} from "../support/faulty_stream.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { binance } from "../support/local_exchange/binance.ts";
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
const RUNS = Number(Deno.args.find((text) => text.startsWith("--runs="))?.slice(7) ?? 4);

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

/**
 * What a minute with a fault and five without make of the candles of two series, and of their connections: where the
 * exchange calls candles closed, and where it does not, so that only those seen from their open are stored.
 */
const OUTCOMES: readonly (readonly [
  fault: StreamFault,
  isSecond: boolean,
  flagged: string,
  unflagged: string,
])[] = [
  ["killed", false, "killed 1, stored 12", "killed 1, stored 10"],
  ["half-open", false, "silent 1, stored 12", "silent 1, stored 10"],
  ["no handshake", false, "killed 1, unopened 4, stored 10", "killed 1, unopened 4, stored 8"],
  ["silent", false, "stored 10, missed 2", "stored 12, revised 2"],
  ["no candle", false, "stored 10, missed 2", "stored 12, revised 2"],
  ["late final", false, "stored 10, missed 2", "stored 12, revised 1"],
  ["two finals", false, "stored 12", "stored 12"],
  ["two finals", true, "stored 12, revised 2", "stored 12, revised 2"],
  ["flat candle", false, "stored 12, revised 2", "stored 12, revised 2"],
  ["stale snapshot", false, "stored 12", "stored 12"],
  ["wrong market", false, "stored 12", "stored 12"],
  ["wrong timeframe", false, "stored 12", "stored 12"],
  ["binary", false, "stored 12", "stored 12"],
  ["garbage", false, "stored 12", "stored 12"],
  ["clock ahead", false, "stored 12", "stored 12"],
  ["clock behind", false, "stored 12", "stored 12"],
  // Binance agrees to whatever it is asked. Others are asked for the refused market again after ten minutes.
  ["refused", false, "killed 1, stored 12", "killed 1, stored 5"],
];

for (const dialect of [binance, kraken]) {
  Deno.test(`each fault of the stream of ${dialect.exchange} has its outcome`, async () => {
    const opened = await openAnyTest();
    const symbols = manyMarkets(2);
    const scene = await openScene(opened.database, { dialect, symbols, isStreamed: true });
    const minute = async (fault?: StreamFault, isSecond = false): Promise<number> => {
      await scene.stream.minute({ fault, isSecond });
      return (await scene.poll.runOnce()).asked;
    };
    const change = async (act: () => Promise<unknown>): Promise<string> => {
      const before = await outcomesOf(scene);
      await act();
      const counts = Object.entries(await outcomesOf(scene)).filter(([name]) =>
        name !== "confirmed"
      );
      return counts.map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
        .filter(([, count]) => count !== 0).map((one) => one.join(" ")).join(", ");
    };
    const good = async (minutes: number): Promise<readonly number[]> => {
      const asked: number[] = [];
      for (let at = 0; at < minutes; at++) asked.push(await minute());
      return asked;
    };
    try {
      await scene.poll.runOnce();
      await good(4);
      for (const [fault, isSecond, flagged, unflagged] of OUTCOMES) {
        const changed = await change(async () => {
          await minute(fault, isSecond);
          await good(5);
        });
        assert.equal(changed, dialect === binance ? flagged : unflagged, fault);
      }
      // The pings of both are answered: one is enough.
      if (dialect !== binance) return;
      const asked: number[] = [];
      const silence = await change(async () => {
        for (let at = 0; at < 60; at++) asked.push(await minute("silent"));
      });
      assert.doesNotMatch(silence, /silent|killed|stored [^2]/);
      assert.deepEqual(asked.slice(1), Array(59).fill(2), "all are asked for at every tick");
      await good(4);
      const thinned = (await good(6)).reduce((sum, count) => sum + count);
      assert.ok(thinned <= 6, `${thinned} requests in six ticks when the stream speaks again`);
    } finally {
      await scene.close();
      await opened.drop();
    }
  });
}

Deno.test("every fault has its outcome", () => {
  assert.deepEqual(new Set(OUTCOMES.map(([fault]) => fault)), new Set(STREAM_FAULTS));
});

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

/** An archive at work, with an exchange whose stream and answers can fail. */
interface Scene {
  readonly clock: ManualClock;
  readonly local: LocalExchange;
  readonly archive: Awaited<ReturnType<typeof openTestArchive>>;
  readonly live: Live;
  readonly poll: Poll;
  readonly stream: FaultyStream;
  close(): Promise<void>;
}

async function openScene(
  database: Database,
  { dialect, symbols, isStreamed }: {
    readonly dialect: Dialect;
    readonly symbols: readonly LocalSymbol[];
    readonly isStreamed: boolean;
  },
): Promise<Scene> {
  await emptyDatabase(database);
  const manual = new ManualClock({ startMs: START_MS + 6_000 });
  const clock = new WaitingClock(manual);
  const local = await startLocalExchange({ clock, dialect, symbols });
  const { exchange } = dialect;
  const options = { proxyUrl: local.proxyUrl, rateLimit: 1 };
  const archive = await openTestArchive(database, {
    EXCHANGES: exchange,
    SYMBOLS: symbols.map(({ symbol }) => symbol).join(),
    ...{ TIMEFRAMES: "1m", BACKFILL: "1m:1h", FETCH_TIMEOUT: "60s", BREAKER_COOLDOWN: "1ms" },
    [`EXCHANGE_${exchange.toUpperCase()}`]: JSON.stringify(options),
  }, clock);
  const rest = new Rest(manual);
  const { sockets, openSocket } = fakeSockets();
  const live = new Live({ ...archive, clock: rest, database: rest.watched(archive.database) }, {
    isWanted: () => isStreamed,
    lackOf: () => undefined,
    open: (id, onEvent): OpenStreams =>
      openStreams({ exchange: { id }, clock: manual, random: () => 0.5, openSocket, onEvent }),
  });
  const stream = new FaultyStream({ dialect, local, clock: manual, sockets, atRest: rest.reached });
  const poll = new Poll(archive, { streams: live });
  return {
    ...{ clock: manual, local, archive, live, poll, stream },
    close: async () => {
      await live.stop();
      await local.close();
    },
  };
}

/** Plays a schedule from its start until all is answered for. */
async function play(
  database: Database,
  { schedule, dialect, isStreamed }: {
    readonly schedule: readonly Minute[];
    readonly dialect: Dialect;
    readonly isStreamed: boolean;
  },
): Promise<Left> {
  const scene = await openScene(database, { dialect, symbols: marketsOf(schedule), isStreamed });
  const { archive, clock, local, poll, stream } = scene;
  try {
    await poll.runOnce();
    for (const minute of schedule) {
      if (isStreamed) {
        const before = await stateOf(database);
        await stream.minute(minute);
        assertOnlyAdded(before, await stateOf(database));
      } else await clock.advance(MINUTE_MS);
      const rule = minute.answer && local.faults.add({
        ...{ when: { about: "candles" }, fault: minute.answer },
      });
      await poll.runOnce();
      rule?.remove();
    }
    await scene.live.stop();
    for (const minutes of LATER_MINUTES) {
      clock.set(minutes * MINUTE_MS);
      await backfill(archive, { patient: false });
      await repairGaps(archive);
    }
    await bringUpToDate(archive);
    const state = await stateOf(database);
    assert.deepEqual(state.streamed, [], "named as streamed when all is answered for");
    assertTrue(state, local);
    return {
      candles: [...state.candles].map((one) => one.join(" ")),
      covered: await coveredOf(database),
      streamed: (await outcomesOf(scene))["stored"] ?? 0,
    };
  } finally {
    await scene.close();
  }
}

/**
 * The coverage but for the newest minutes: how long a candle may still change is learned from answers, and of those there
 * are fewer beside a stream, so that it may be thought to be longer.
 */
async function coveredOf({ sql }: Database): Promise<readonly string[]> {
  const until = new Date(START_MS + (MINUTES + 60) * MINUTE_MS);
  const rows = await sql<{ text: string }[]>`
    select concat(symbol, ' ', covered * tstzmultirange(tstzrange(null, ${until}))) as text
    from checkpoints order by symbol`;
  return rows.map(({ text }) => text);
}

/** How many candles of streams had which outcome, and how many connections ended for which reason. */
async function outcomesOf({ archive }: Scene): Promise<Readonly<Record<string, number>>> {
  const text = await archive.metrics.text();
  const found = text.matchAll(
    /^titan10_stream_(?:candles|ends)_total\{[^}]*(?:outcome|reason)="(\w+)"\} (\d+)/gm,
  );
  return Object.fromEntries([...found].map(([, name, count]) => [name, Number(count)]));
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
  /** Streams are looked at while one runs, too. */
  #statements = 0;
  #hasBegun = false;
  #news = Promise.withResolvers<void>();

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** The database, whose statements are work. */
  watched(database: Database): Database {
    const run: Database["run"] = async (action, statements) => {
      this.#statements++;
      try {
        return await database.run(action, statements);
      } finally {
        this.#statements--;
        this.#tell();
      }
    };
    return Object.assign(Object.create(database), { run });
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** As on a machine that is slow: fewer beats. */
  async sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    this.#hasBegun = true;
    this.#atWork = 0;
    this.#tell();
    await this.#clock.sleep(Math.max(ms, 500), options).finally(() => this.#atWork = 1);
  }

  /** Resolves when nothing is being stored. */
  readonly reached = async (): Promise<void> => {
    while (this.#hasBegun && this.#atWork + this.#statements > 0) await this.#news.promise;
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
