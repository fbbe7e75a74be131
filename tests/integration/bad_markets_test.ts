/** What becomes of bad lists of markets: real CCXT over HTTP, into a real database. @module */
import assert from "node:assert/strict";
import { backfill } from "../../lib/fetch/backfill.ts";
import { Poll } from "../../lib/fetch/poll.ts";
import { type HostileExchange, startHostileExchange } from "../support/hostile_exchange.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest, type TestDatabase } from "../support/test_database.ts";

interface Market {
  readonly symbol: string;
  readonly status: string;
  readonly baseAsset: string;
  readonly quoteAsset: string;
}

interface BadMarkets {
  /** What comes in place of the true list. */
  readonly answer: (info: { symbols: Market[] }, truth: string) => string | Response;
  /** `SYMBOLS`. @default BTC/USDT */
  readonly symbols?: string;
  /** What is said: the exchange's last error, or a line of the log. */
  readonly says?: RegExp;
  /** Symbols whose candles are stored. @default none */
  readonly stored?: readonly string[];
}

const changed = (change: (market: Market) => unknown): BadMarkets["answer"] => (info) =>
  JSON.stringify({ ...info, symbols: info.symbols.map(change) });

function withMore(info: { symbols: Market[] }, count: number): string {
  const [market] = info.symbols;
  const more = Array.from({ length: count }, (_, index) => ({
    ...market,
    symbol: `X${index}USDT`,
    baseAsset: `X${index}`,
  }));
  return JSON.stringify({ ...info, symbols: [...more, ...info.symbols] });
}

const HOSTILE_BASES: Readonly<Record<string, string>> = {
  "SQL": "'; drop table ohlcv_1m;--",
  "an escape sequence": "\x1b[2J\x1b]0;owned\x07",
  "a line break": 'BTC\n{"level":"fatal"}',
  "a turned direction of writing": "\u202eCTB",
  "the character zero": "B\u0000TC",
  "ten thousand letters": "B".repeat(10_000),
  "the end of a label": 'BTC"} 1\ntitan10_forged{a="',
};

const BAD: Readonly<Record<string, BadMarkets>> = {
  "no JSON: said, nothing stored": {
    answer: () => "<html>maintenance</html>",
    says: /Cannot load the markets of binance: an answer \(HTTP 200\) is not complete JSON/,
  },
  "half of the JSON: said, nothing stored": {
    answer: (_, truth) => truth.slice(0, truth.length / 2),
    says: /Cannot load the markets of binance/,
  },
  "an empty object: no answer": { answer: () => "{}", says: /the answer has no markets/ },
  "no markets: no answer": { answer: () => '{"symbols":[]}', says: /the answer has no markets/ },
  "markets that are null: no answer": {
    answer: () => '{"symbols":null}',
    says: /the answer has no markets/,
  },
  "a market that is null: no answer": {
    answer: () => '{"symbols":[null]}',
    says: /Cannot load the markets of binance/,
  },
  "markets without names: no answer": {
    answer: changed(() => ({})),
    says: /Cannot load the markets of binance/,
  },
  "all but the symbol: it is not listed": {
    answer: (info) =>
      JSON.stringify({
        ...info,
        symbols: info.symbols.filter(({ symbol }) => symbol !== "BTCUSDT"),
      }),
    says: /symbol not listed/,
  },
  "objects in objects, a hundred thousand deep: no answer, no overflow": {
    answer: () => '{"symbols":'.repeat(100_000) + "[]" + "}".repeat(100_000),
    says: /Cannot load the markets of binance/,
  },
  "every market thrice: stored once": {
    answer: (info) =>
      JSON.stringify({ ...info, symbols: [...info.symbols, ...info.symbols, ...info.symbols] }),
    stored: ["BTC/USDT"],
  },
  "seven thousand markets: the symbol is found": {
    answer: (info) => withMore(info, 7_000),
    stored: ["BTC/USDT"],
  },
  "fifty thousand markets: no answer": {
    answer: (info) => withMore(info, 50_000),
    says: /Cannot load the markets of binance: the answer is longer than 25165824 bytes/,
  },
  "markets that are said not to be traded: asked all the same": {
    answer: changed((market) => ({ ...market, status: "BREAK" })),
    stored: ["BTC/USDT"],
  },
  "the most traded base is called __proto__: a symbol like any other": {
    answer: changed((market) =>
      market.symbol === "BTCUSDT" ? { ...market, baseAsset: "__proto__" } : market
    ),
    symbols: "top:1",
    stored: ["__PROTO__/USDT"],
  },
  ...Object.fromEntries(
    Object.entries(HOSTILE_BASES).map(([name, baseAsset]) => [
      `the most traded base is ${name}: it is not chosen, the next one is`,
      {
        // Its own name stays, so that its ticker is found, which says that it is traded most.
        answer: changed((market) =>
          market.symbol === "BTCUSDT" ? { ...market, baseAsset } : market
        ),
        symbols: "top:1",
        stored: ["ETH/USDT"],
      },
    ]),
  ),
};

Deno.test("every bad list of markets ends well", async (t) => {
  const opened = await openAnyTest();
  const exchange = await startHostileExchange(testClock);
  try {
    for (const [name, bad] of Object.entries(BAD)) {
      await t.step(name, () => ask({ opened, exchange, bad }));
    }
  } finally {
    await exchange.close();
    await opened.drop();
  }
});

interface Scene {
  readonly opened: TestDatabase;
  readonly exchange: HostileExchange;
  readonly bad: BadMarkets;
}

async function ask({ opened: { database }, exchange, bad }: Scene): Promise<void> {
  await emptyDatabase(database);
  const { sql } = database;
  const archive = await openTestArchive(database, {
    EXCHANGES: "binance",
    SYMBOLS: bad.symbols ?? "BTC/USDT",
    TIMEFRAMES: "1m",
    BACKFILL: "off",
    RETRY_ATTEMPTS: "1",
    // Large answers take a busy machine long.
    FETCH_TIMEOUT: "2m",
    EXCHANGE_BINANCE: binanceAt(exchange),
  });
  exchange.change("/exchangeInfo", (truth) => {
    const answer = bad.answer(JSON.parse(truth), truth);
    return answer instanceof Response ? answer : new Response(answer);
  });
  await new Poll(archive).runOnce();
  await backfill(archive, { patient: false });

  const stored = await sql<{ symbol: string }[]>`select distinct symbol from ohlcv_1m`;
  assert.deepEqual(stored.map(({ symbol }) => symbol), bad.stored ?? []);
  const [row] = await sql<{ last_error: string | null }[]>`select last_error from exchanges`;
  const said = [row?.last_error ?? "", ...archive.lines].join("\n");
  if (bad.says !== undefined) assert.match(said, bad.says);
  for (const line of archive.lines) {
    assert.doesNotMatch(line, /\p{Cc}|\p{Bidi_Control}/u);
    assert(line.length < 20_000, `a line of ${line.length} characters`);
  }
  assert.doesNotMatch(await archive.metrics.text(), /^titan10_forged/m);
}
