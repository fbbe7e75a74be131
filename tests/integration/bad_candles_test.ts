/** What becomes of every bad answer to a request for candles: real CCXT over HTTP, into a real database. @module */
import assert from "node:assert/strict";
import { Poll } from "../../lib/fetch/poll.ts";
import { type HostileExchange, startHostileExchange } from "../support/hostile_exchange.ts";
import { binanceAt, emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { testClock } from "../support/test_clock.ts";
import { openAnyTest, type TestDatabase } from "../support/test_database.ts";

const MINUTE_MS = 60_000;
const CANDLES = 5;

type Row = [number, ...unknown[]];

interface BadAnswer {
  /** What comes in place of the true answer. */
  readonly answer: (
    rows: [Row, ...Row[]],
    truth: string,
  ) => string | Uint8Array<ArrayBuffer> | Response;
  /** Candles stored; nothing that is not stored is claimed, unless it is rejected. */
  readonly stored: number;
  /** Why rows were rejected, each with how many. */
  readonly rejected?: Readonly<Record<string, number>>;
  /** What the exchange's last error says. */
  readonly error?: RegExp;
}

const refused = (answer: BadAnswer["answer"], error = /Cannot fetch candles/): BadAnswer => ({
  answer,
  stored: 0,
  error,
});

/** The middle one of the rows, changed. */
const changed = (change: (row: Row) => unknown, rejected: string | undefined): BadAnswer => ({
  answer: (rows) => JSON.stringify(rows.map((row, index) => index === 2 ? change(row) : row)),
  stored: rejected === undefined ? CANDLES : CANDLES - 1,
  ...(rejected === undefined ? {} : { rejected: { [rejected]: 1 } }),
});

/** One of a row's values, changed. 0 time, 1 open, 2 high, 3 low, 4 close, 5 volume. */
const value = (index: number, text: unknown, rejected: string | undefined): BadAnswer =>
  changed((row) => row.map((old, at) => at === index ? text : old), rejected);

/** What CCXT makes one row without a time of. */
const unplaced = (answer: () => string): BadAnswer => ({
  answer,
  stored: 0,
  rejected: { time_not_a_number: 1 },
});

const NOT_JSON = /not complete JSON/;
const TOO_DEEP = /Cannot fetch candles of binance BTC\/USDT 1m: the answer is nested deeper than/;
const CODES: Readonly<Record<string, string>> = {
  "an escape sequence": "\x1b]0;owned\x07\x1b[2J",
  "line breaks": '\n{"level":"fatal","message":"forged"}\n',
  "a turned direction of writing": "\u202etxt.exe",
  "the character zero": "a\u0000b",
};

const BAD: Readonly<Record<string, BadAnswer>> = {
  "an empty body: transient, nothing claimed": refused(() => "", NOT_JSON),
  "a page of HTML: transient, nothing claimed": refused(() => "<html>\x1b[31mno</html>", NOT_JSON),
  "half of the JSON: transient": refused((_, truth) => truth.slice(0, truth.length / 2), NOT_JSON),
  "JSON with something behind it: transient": refused((_, truth) => `${truth};alert(1)`, NOT_JSON),
  "NaN without quotes: transient": refused(
    (_, truth) => truth.replace(/"\d+\.\d+"/, "NaN"),
    NOT_JSON,
  ),
  "invalid UTF-8: transient": refused(() => Uint8Array.of(0xff, 0xfe, 0x5b, 0x5d), NOT_JSON),
  "UTF-16: transient": refused((_, truth) =>
    new Uint8Array(Uint16Array.from(truth, codeOf).buffer)
  ),
  "the word null: transient": refused(() => "null", NOT_JSON),
  "a number: transient": refused(() => "42", NOT_JSON),
  "a text: transient": refused(() => '"candles"', NOT_JSON),
  "an object without a list: rejected": unplaced(() => '{"a":{"b":1}}'),
  "a list in an object of errors: rejected": unplaced(() => '{"errors":[]}'),
  "a hundred thousand brackets: transient": refused(() => "[".repeat(100_000), TOO_DEEP),
  "lists in lists, a hundred thousand deep: transient": refused(
    () => "[".repeat(100_000) + "]".repeat(100_000),
    TOO_DEEP,
  ),
  "objects in objects, a hundred thousand deep: transient": refused(
    () => '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000),
    TOO_DEEP,
  ),
  "a prototype in the JSON: rejected, and no prototype changed": unplaced(
    () => '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
  ),
  "a byte order mark before good JSON: stored": {
    answer: (_, truth) => `\ufeff${truth}`,
    stored: CANDLES,
  },
  "good JSON that calls itself an image: stored": {
    answer: (_, truth) => new Response(truth, { headers: { "content-type": "image/png" } }),
    stored: CANDLES,
  },
  "compressed with a method it does not name: transient": refused(
    () => Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0),
    NOT_JSON,
  ),
  "called gzip and is none: transient": refused((_, truth) =>
    new Response(truth, { headers: { "content-encoding": "gzip" } })
  ),
  "rows that are objects of numbered values: read as rows": {
    answer: (rows) => JSON.stringify(rows.map((row) => ({ ...row }))),
    stored: CANDLES,
  },
  "rows that are numbers: rejected one by one": {
    answer: () => "[1,2,3]",
    stored: 0,
    rejected: { time_not_a_number: 1 },
  },
  "rows that are null: rejected": {
    answer: () => "[null,null]",
    stored: 0,
    rejected: { time_not_a_number: 1 },
  },
  "a row too short: rejected, the others stored": changed(
    ([time]) => [time],
    "not_a_finite_number",
  ),
  "a row with a value too many: stored without it": changed((row) => [...row, "extra"], undefined),
  "a time that is null: rejected": value(0, null, "time_not_a_number"),
  "a time that is an object: rejected": value(0, {}, "time_not_a_number"),
  "a time in words: rejected": value(0, "yesterday", "time_not_a_number"),
  "a time before 1970: rejected": value(0, -60_000, "time_not_a_number"),
  "a time of 1e300: rejected": value(0, 1e300, "time_not_a_number"),
  "a time in microseconds: rejected": changed(
    ([time, ...row]) => [time * 1000, ...row],
    "time_not_a_number",
  ),
  "all times in microseconds: rejected, nothing claimed": {
    answer: (rows) => JSON.stringify(rows.map(([time, ...row]) => [time * 1000, ...row])),
    stored: 0,
    rejected: { time_not_a_number: CANDLES },
  },
  "all times in seconds: dropped, nothing claimed": {
    answer: (rows) => JSON.stringify(rows.map(([time, ...row]) => [time / 1000, ...row])),
    stored: 0,
  },
  "a time half a minute off: rejected": changed(
    ([time, ...row]) => [time + 30_000, ...row],
    "time_not_aligned",
  ),
  "an open that is null: rejected": value(1, null, "not_a_finite_number"),
  "an open that is false: rejected": value(1, false, "not_a_finite_number"),
  "an open that is a list: rejected": value(1, [1], "not_a_finite_number"),
  "an open in words: rejected": value(1, "one", "not_a_finite_number"),
  "an open in hexadecimal: rejected": value(1, "0x10", "not_a_finite_number"),
  "an open with a thousands separator: rejected": value(1, "1,000", "not_a_finite_number"),
  "an open that is empty: rejected": value(1, "", "not_a_finite_number"),
  "an open that is SQL: rejected": value(1, "1'); drop table ohlcv_1m;--", "not_a_finite_number"),
  "an open of NaN: rejected": value(1, "NaN", "not_a_finite_number"),
  "a high of Infinity: rejected": value(2, "Infinity", "not_a_finite_number"),
  "a high of 1e999: rejected": value(2, "1e999", "not_a_finite_number"),
  "a high of ten thousand digits: rejected": value(2, "9".repeat(10_000), "not_a_finite_number"),
  "a low of zero: rejected": value(3, "0", "price_not_positive"),
  "a low below zero: rejected": value(3, "-1", "price_not_positive"),
  "a low of 1e-400: stored as it is": value(3, "1e-400", undefined),
  "a high below the low: rejected": value(2, "0.00000001", "high_below_body"),
  "a low above the high: rejected": value(3, "999999999", "low_above_body"),
  "a volume below zero: rejected": value(5, "-1", "volume_negative"),
  "a volume that is missing: rejected": value(5, undefined, "not_a_finite_number"),
  "every row twice: stored once": {
    answer: (rows) => JSON.stringify([...rows, ...rows]),
    stored: CANDLES,
  },
  "two rows of one time that differ: transient, nothing stored": refused(
    (rows) => JSON.stringify([...rows, [rows.at(-1)![0], "1", "1", "1", "1", "1", 0, 0, 0, 0, 0]]),
    /two different rows/,
  ),
  "rows from new to old: stored": {
    answer: (rows) => JSON.stringify(rows.toReversed()),
    stored: CANDLES,
  },
  "candles of the future: dropped": {
    answer: (rows) =>
      JSON.stringify([...rows, ...rows.map(([time, ...row]) => [time + 1e9 * 60, ...row])]),
    stored: CANDLES,
  },
  "a hundred thousand rows: transient": refused(
    (rows) => JSON.stringify(Array(100_000).fill(rows[0])),
    /longer than 8388608 bytes/,
  ),
  "twenty thousand rows: only those of the window are stored": {
    answer: (rows) =>
      JSON.stringify(
        Array.from({ length: 20_000 }, (_, index) => {
          const [time, ...row] = rows.at(-1)!;
          return index < CANDLES ? rows[index] : [time - index * MINUTE_MS, ...row];
        }),
      ),
    stored: CANDLES,
  },
  ...Object.fromEntries(
    Object.entries(CODES).map(([name, text]) => [
      `an error's text with ${name}: shown harmless`,
      refused(
        () =>
          new Response(JSON.stringify({ code: -1121, msg: `Invalid ${text} symbol.` }), {
            status: 400,
          }),
        /Invalid/,
      ),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(CODES).map(([name, text]) => [
      `a row with ${name}: kept as evidence, shown harmless`,
      value(1, text, "not_a_finite_number"),
    ]),
  ),
};

function codeOf(character: string): number {
  return character.charCodeAt(0);
}

Deno.test("every bad answer to a request for candles ends well", async (t) => {
  const opened = await openAnyTest();
  const exchange = await startHostileExchange(testClock);
  try {
    for (const [name, bad] of Object.entries(BAD)) {
      await t.step(name, () => poll({ opened, exchange, bad }));
    }
  } finally {
    await exchange.close();
    await opened.drop();
  }
});

interface Scene {
  readonly opened: TestDatabase;
  readonly exchange: HostileExchange;
  readonly bad: BadAnswer;
}

async function poll({ opened: { database }, exchange, bad }: Scene): Promise<void> {
  await emptyDatabase(database);
  // Every poll asks for the same five candles.
  testClock.restart();
  const archive = await openTestArchive(database, {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "1m",
    BACKFILL: "off",
    RETRY_ATTEMPTS: "1",
    // Large answers take a busy machine long.
    FETCH_TIMEOUT: "2m",
    EXCHANGE_BINANCE: binanceAt(exchange),
  });
  exchange.change("/klines", (truth) => {
    const rows = (JSON.parse(truth) as Row[]).slice(0, CANDLES) as [Row, ...Row[]];
    const answer = bad.answer(rows, JSON.stringify(rows));
    return answer instanceof Response ? answer : new Response(answer);
  });
  await new Poll(archive).runOnce();
  await assertOutcome(database.sql, bad);
  for (const line of archive.lines) {
    assert.doesNotMatch(line, /\p{Cc}|\p{Bidi_Control}/u);
    assert(line.length < 20_000, `a line of ${line.length} characters`);
  }
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);

  exchange.change("/klines", undefined);
  await new Poll(archive).runOnce();
  const [after] = await database.sql`select count(*)::int as stored from ohlcv_1m`;
  assert.equal(after?.["stored"], CANDLES, "the next good answer is stored");
}

async function assertOutcome(sql: TestDatabase["database"]["sql"], bad: BadAnswer): Promise<void> {
  const [found] = await sql<{ stored: number; claimed: number; error: string | null }[]>`
    select (select count(*)::int from ohlcv_1m) as stored,
           (select last_error from exchanges) as error,
           (select count(*)::int from checkpoints where not isempty(covered)) as claimed`;
  const rejected = await sql<{ reason: string; rows: number }[]>`
    select reason, count(*)::int as rows from rejected_candles group by reason order by reason`;
  const reasons = Object.fromEntries(rejected.map(({ reason, rows }) => [reason, rows]));
  assert.deepEqual(
    { stored: found?.stored, rejected: reasons },
    { stored: bad.stored, rejected: bad.rejected ?? {} },
    found?.error ?? "no error",
  );
  assert.equal(found?.claimed, bad.stored === 0 ? 0 : 1, "what did not come is not claimed");
  if (bad.error === undefined) assert.equal(found?.error ?? null, null);
  else assert.match(found?.error ?? "", bad.error);
}
