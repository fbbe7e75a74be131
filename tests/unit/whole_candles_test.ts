import assert from "node:assert/strict";
import { type ToldCandle, WholeCandles } from "../../lib/live/whole_candles.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

const MINUTE_MS = 60_000;
const OPEN_MS = Date.UTC(2024, 2, 15, 12);
const CLOSE_MS = OPEN_MS + MINUTE_MS;
const SERIES = { exchange: "kraken", symbol: "BTC/USD", timeframe: parseTimeframe("1m") } as const;

/** What a stream tells at a time: of which minute, and what its price is. */
function told(
  receivedMs: number,
  price: number,
  { openMs = OPEN_MS, ...rest }: Partial<ToldCandle> & { readonly openMs?: number } = {},
): ToldCandle {
  const text = String(price);
  return {
    ...{ series: SERIES, connection: 1, isClosed: undefined, isSnapshot: false },
    ...{ exchangeMs: undefined, receivedMs, row: [openMs, text, text, text, text, "1"], ...rest },
  };
}

/** Is looked at every second, as by the program, until something is told or asked for. */
class Watched extends WholeCandles {
  #lookedMs: number;

  constructor(nowMs: number = OPEN_MS - 1_000) {
    super();
    this.#lookedMs = nowMs;
    this.follow(SERIES, { connection: 1, nowMs });
  }

  override note(news: ToldCandle): ReturnType<WholeCandles["note"]> {
    assert.deepEqual(this.#lookUntil(news.receivedMs), [], "whole before something is told");
    return super.note(news);
  }

  override due(nowMs: number): ReturnType<WholeCandles["due"]> {
    return [...this.#lookUntil(nowMs), ...super.due(nowMs)];
  }

  #lookUntil(nowMs: number): ReturnType<WholeCandles["due"]> {
    const candles = [];
    for (; this.#lookedMs < nowMs; this.#lookedMs += 1_000) {
      candles.push(...super.due(this.#lookedMs));
    }
    this.#lookedMs = nowMs;
    return candles;
  }

  /** Time passes while the program does not run, or the clock is set. */
  jump(nowMs: number): void {
    this.#lookedMs = nowMs;
  }
}

/** Candles of a stream that was subscribed a second before the minute. */
function followed(): Watched {
  return new Watched();
}

function pricesOf(candles: WholeCandles, nowMs: number): readonly (readonly [number, string])[] {
  return candles.due(nowMs).map(({ candle }) => [candle.openTimeMs, candle.close]);
}

/** The price of what is whole at once; undefined when nothing is. */
function priceOf(candles: WholeCandles, news: ToldCandle): string | undefined {
  const one = candles.note(news);
  return one !== undefined && "candle" in one ? one.candle.close : undefined;
}

Deno.test("a candle that the exchange calls closed is whole at once, and one that it calls open is not", () => {
  const candles = followed();
  assert.equal(priceOf(candles, told(CLOSE_MS - 1, 1, { isClosed: false })), undefined);
  assert.equal(priceOf(candles, told(CLOSE_MS + 9, 2, { isClosed: true })), "2");
  assert.equal(priceOf(candles, told(CLOSE_MS + 10, 2, { isClosed: true })), undefined, "twice");
  assert.equal(priceOf(candles, told(CLOSE_MS + 11, 3, { isClosed: true })), "3", "a second final");
  assert.deepEqual(candles.due(CLOSE_MS + MINUTE_MS), []);
});

Deno.test("a candle that is called closed before its time by the exchange's clock is not whole", () => {
  const early = { isClosed: true, exchangeMs: CLOSE_MS - 1 };
  assert.equal(priceOf(followed(), told(CLOSE_MS + 50, 1, early)), undefined);
  assert.equal(
    priceOf(followed(), told(CLOSE_MS - 2_000, 1, { isClosed: true })),
    "1",
    "our clock is behind",
  );
  assert.equal(priceOf(followed(), told(CLOSE_MS - 6_000, 1, { isClosed: true })), undefined);
});

Deno.test("without a flag, a candle is whole when the next one has begun and it has settled", () => {
  const candles = followed();
  const next = { openMs: CLOSE_MS };
  assert.equal(priceOf(candles, told(OPEN_MS + 5, 1)), undefined);
  assert.equal(priceOf(candles, told(CLOSE_MS + 20, 9, next)), undefined);
  // A late trade of it.
  assert.equal(priceOf(candles, told(CLOSE_MS + 100, 2)), undefined);
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 319), []);
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 320), [[OPEN_MS, "2"]]);
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 321), []);
  assert.equal(priceOf(candles, told(CLOSE_MS + 400, 3)), "3", "what is told of it later counts");
});

Deno.test("without a flag and without a next candle, it is whole by the exchange's clock, or later by ours", () => {
  const quiet = followed();
  quiet.note(told(OPEN_MS + 5, 1));
  assert.deepEqual(pricesOf(quiet, CLOSE_MS + 1_799), []);
  assert.deepEqual(pricesOf(quiet, CLOSE_MS + 1_800), [[OPEN_MS, "1"]]);
  for (const aheadMs of [-2_000, 40, 2_000]) {
    const timed = followed();
    timed.note(told(OPEN_MS + 5_000, 1, { exchangeMs: OPEN_MS + 5_000 - aheadMs }));
    assert.deepEqual(pricesOf(timed, CLOSE_MS + aheadMs + 299), [], `ahead by ${aheadMs}`);
    assert.deepEqual(pricesOf(timed, CLOSE_MS + aheadMs + 300), [[OPEN_MS, "1"]]);
  }
});

Deno.test("a candle of another market that opens at its close shows that it has closed, once it has settled", () => {
  const other = { ...SERIES, symbol: "ETH/USD" };
  const candles = followed();
  candles.follow(other, { connection: 1, nowMs: OPEN_MS - 1_000 });
  candles.note(told(OPEN_MS + 5, 1));
  candles.note(told(CLOSE_MS - 400, 7, { series: other }));
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 400), [], "that one is of the same minute");
  candles.note(told(CLOSE_MS + 40, 8, { series: other, openMs: CLOSE_MS, isSnapshot: true }));
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 400), [], "a snapshot");
  candles.note(told(CLOSE_MS + 50, 8, { series: other, openMs: CLOSE_MS }));
  candles.note(told(CLOSE_MS + 200, 9, { series: other, openMs: CLOSE_MS }));
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 349), []);
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 350), [[OPEN_MS, "1"], [OPEN_MS, "7"]]);

  const timed = followed();
  timed.note(told(OPEN_MS + 5_000, 1, { exchangeMs: OPEN_MS + 5_000 }));
  timed.note(told(CLOSE_MS + 50, 8, { series: other, openMs: CLOSE_MS }));
  assert.deepEqual(pricesOf(timed, CLOSE_MS + 300), [[OPEN_MS, "1"]], "its time is known sooner");
});

Deno.test("without a flag, a candle that was not seen from its open on one connection is never whole", () => {
  const late = new Watched(OPEN_MS + 1);
  late.note(told(OPEN_MS + 5, 1));
  late.note(told(CLOSE_MS + 5, 2, { openMs: CLOSE_MS }));
  assert.deepEqual(pricesOf(late, CLOSE_MS + 10_000), []);

  const cut = followed();
  cut.note(told(OPEN_MS + 5, 1));
  cut.leave(SERIES);
  assert.deepEqual(pricesOf(cut, CLOSE_MS + 10_000), []);

  const changed = followed();
  changed.note(told(OPEN_MS + 5, 1));
  changed.note(told(OPEN_MS + 9, 1, { connection: 2 }));
  assert.deepEqual(pricesOf(changed, CLOSE_MS + 10_000), []);
  assert.equal(changed.sinceMs(SERIES), OPEN_MS + 9);
});

Deno.test("a snapshot, an old candle and a malformed row are never whole", () => {
  const candles = followed();
  candles.note(told(OPEN_MS + 5, 1, { isSnapshot: true }));
  assert.equal(
    priceOf(candles, told(CLOSE_MS, 1, { isSnapshot: true, isClosed: true })),
    undefined,
  );
  const stale = { isClosed: true, openMs: OPEN_MS - 10 * MINUTE_MS };
  assert.equal(priceOf(candles, told(CLOSE_MS, 1, stale)), undefined);
  const bad = candles.note(
    told(CLOSE_MS, 1, { isClosed: true, row: [OPEN_MS + 1, "1", "1", "1", "1", "1"] }),
  );
  assert.ok(bad !== undefined && "reason" in bad && bad.reason === "time_not_aligned");
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 10_000), []);
});

Deno.test("of candles that close faster than they settle none is lost", () => {
  const candles = followed();
  const prices: string[] = [];
  for (let minute = 0; minute < 4; minute++) {
    const openMs = OPEN_MS + minute * MINUTE_MS;
    const price = priceOf(candles, told(OPEN_MS + 3 * MINUTE_MS, minute + 1, { openMs }));
    if (price !== undefined) prices.push(price);
  }
  prices.push(...candles.due(OPEN_MS + 3 * MINUTE_MS + 300).map(({ candle }) => candle.close));
  assert.deepEqual(prices, ["1", "2", "3"]);
});

Deno.test("a candle that was subscribed anew meanwhile is not whole, though its connection lives", () => {
  const candles = followed();
  candles.note(told(OPEN_MS + 5_000, 1));
  // What was told between was not heard.
  candles.follow(SERIES, { connection: 1, nowMs: OPEN_MS + 40_000 });
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 2_000), []);
  assert.equal(candles.sinceMs(SERIES), OPEN_MS + 40_000);
});

Deno.test("nothing is whole long before its close by our clock, whatever time the exchange tells", () => {
  const hourAheadMs = OPEN_MS + 10_000 + 3_600_000;
  const timed = followed();
  timed.note(told(OPEN_MS + 10_000, 1, { exchangeMs: hourAheadMs }));
  assert.deepEqual(pricesOf(timed, CLOSE_MS - 5_000), []);
  assert.deepEqual(pricesOf(timed, CLOSE_MS), [[OPEN_MS, "1"]]);
  const flagged = told(OPEN_MS + 10_000, 1, { isClosed: true, exchangeMs: hourAheadMs });
  assert.equal(priceOf(followed(), flagged), undefined);
});

Deno.test("however far ahead our clock is of an exchange that tells no time, no candle is whole before its close", () => {
  for (const aheadMs of [4_000, 20_000, 90_000, 4 * MINUTE_MS]) {
    const candles = new Watched(OPEN_MS - 1_000 + aheadMs);
    // The first one that opens after it was subscribed, by our clock.
    const firstMs = OPEN_MS + Math.ceil(aheadMs / MINUTE_MS) * MINUTE_MS;
    for (let openMs = firstMs; openMs <= firstMs + 2 * MINUTE_MS; openMs += MINUTE_MS) {
      const tell = (second: number): void => {
        const news = told(openMs + second * 1_000 + aheadMs, second, { openMs });
        assert.equal(priceOf(candles, news), undefined, `ahead by ${aheadMs}`);
      };
      tell(1);
      const before = openMs === firstMs ? [] : [[openMs - MINUTE_MS, "58"]];
      assert.deepEqual(pricesOf(candles, openMs + 1_500 + aheadMs), before);
      for (const second of [5, 30, 58]) tell(second);
    }
    const lastMs = firstMs + 2 * MINUTE_MS;
    const closedMs = lastMs + MINUTE_MS + aheadMs;
    assert.deepEqual(pricesOf(candles, closedMs + 1_299), [], "no other one shows when it closes");
    assert.deepEqual(pricesOf(candles, closedMs + 1_800), [[lastMs, "58"]]);
  }
});

Deno.test("a candle that opens later than any clock may say closes none, and is not waited for", () => {
  const candles = followed();
  candles.note(told(OPEN_MS + 10_000, 1));
  candles.note(told(OPEN_MS + 11_000, 9, { openMs: OPEN_MS + 3_600_000 }));
  assert.deepEqual(pricesOf(candles, OPEN_MS + 12_000), []);
  candles.note(told(OPEN_MS + 50_000, 2));
  candles.note(told(CLOSE_MS - 3_000, 5, { openMs: CLOSE_MS }));
  assert.deepEqual(pricesOf(candles, CLOSE_MS), [[OPEN_MS, "2"]], "our clock is behind");
});

Deno.test("a candle that closed while the machine slept is not whole, whatever is told of it then, and the next one is", () => {
  const candles = followed();
  const next = { openMs: CLOSE_MS + 7_200_000 };
  candles.note(told(OPEN_MS + 30_000, 1));
  // Two hours later, half a minute before a close. What the exchange sent meanwhile comes bit by bit.
  const wakeMs = next.openMs + 30_000;
  candles.jump(wakeMs);
  assert.deepEqual(pricesOf(candles, wakeMs), []);
  assert.equal(priceOf(candles, told(wakeMs + 5, 2)), undefined);
  assert.equal(priceOf(candles, told(wakeMs + 6, 3, { openMs: CLOSE_MS })), undefined);
  assert.equal(priceOf(candles, told(wakeMs + 9, 7, next)), undefined);
  assert.deepEqual(pricesOf(candles, wakeMs + 20_000), []);
  candles.note(told(wakeMs + 20_000, 8, next));
  // Only that it had opened 30 s after its time by our clock is known of the exchange's.
  assert.deepEqual(pricesOf(candles, next.openMs + MINUTE_MS + 30_308), []);
  assert.deepEqual(pricesOf(candles, next.openMs + MINUTE_MS + 30_309), [[next.openMs, "8"]]);
});

Deno.test("a candle that closed in a short sleep is not whole either, whether or not its last message was told first", () => {
  for (const isTold of [false, true]) {
    const candles = followed();
    candles.note(told(CLOSE_MS - 20_000, 1));
    candles.jump(CLOSE_MS + 40_000);
    if (isTold) assert.equal(priceOf(candles, told(CLOSE_MS + 40_000, 2)), undefined);
    assert.deepEqual(pricesOf(candles, CLOSE_MS + 50_000), []);
    const flagged = told(CLOSE_MS + 50_000, 3, { isClosed: true });
    assert.equal(priceOf(candles, flagged), "3", "the exchange calls it closed");
  }
});

Deno.test("a busy second of the program itself costs no candle", () => {
  const candles = followed();
  candles.note(told(OPEN_MS + 5, 1));
  candles.note(told(CLOSE_MS - 2_000, 1));
  candles.jump(CLOSE_MS + 2_000);
  assert.deepEqual(pricesOf(candles, CLOSE_MS + 2_000), [[OPEN_MS, "1"]]);
});

Deno.test("while a clock is set back by a minute no old values are whole, and when it is set right all candles are again", () => {
  const backMs = -MINUTE_MS;
  for (const isToldAgain of [true, false]) {
    const candles = followed();
    candles.note(told(OPEN_MS + 30_000, 1, { exchangeMs: OPEN_MS + 30_000 }));
    candles.jump(OPEN_MS + 31_000 + backMs);
    const tell = (exchangeMs: number, price: number, openMs = OPEN_MS): string | undefined =>
      priceOf(candles, told(exchangeMs + backMs, price, { exchangeMs, openMs }));
    // By our clock neither has begun.
    assert.equal(tell(OPEN_MS + 40_000, 2), undefined);
    if (isToldAgain) assert.equal(tell(CLOSE_MS - 1_000, 3), undefined);
    assert.equal(tell(CLOSE_MS + 10_000, 9, CLOSE_MS), undefined);
    assert.deepEqual(pricesOf(candles, CLOSE_MS - 5_000), []);
    assert.deepEqual(pricesOf(candles, CLOSE_MS + 300), isToldAgain ? [[OPEN_MS, "3"]] : []);
    const next = CLOSE_MS + 2 * MINUTE_MS;
    candles.jump(next + 1_000);
    candles.note(told(next + 1_000, 4, { exchangeMs: next + 1_000, openMs: next }));
    const after = next + MINUTE_MS;
    candles.note(told(after - 1_000, 5, { exchangeMs: after - 1_000, openMs: next }));
    assert.deepEqual(pricesOf(candles, after + 300), [[next, "5"]]);
    candles.note(told(after + 1_000, 6, { exchangeMs: after + 1_000, openMs: after }));
    assert.deepEqual(pricesOf(candles, after + MINUTE_MS + 300), [[after, "6"]]);
  }
});
