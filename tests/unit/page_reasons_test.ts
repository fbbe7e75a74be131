/** The sentences of the page: what is the matter, since when, and what to do. @module */
import assert from "node:assert/strict";
import { NO_NEWS } from "../../lib/serve/news.ts";
import { adviceOf } from "../../lib/serve/page/advice.js";
import { BackfillPace } from "../../lib/serve/page/backfill_pace.js";
import { noticesOf } from "../../lib/serve/page/notices.js";
import { exchangeReason, jobReason } from "../../lib/serve/page/reasons.js";
import { seriesReason, talliesOf } from "../../lib/serve/page/series_reasons.js";
import { sorted } from "../../lib/serve/page/series_columns.js";
import { streamText } from "../../lib/serve/page/stream_dot.js";
import type { ExchangeStatus, SeriesStatus, Status } from "../../lib/serve/status.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12, 0, 30);

const EXCHANGE: ExchangeStatus = {
  exchange: "binance",
  breaker: "closed",
  breakerOf: [],
  bannedOf: [],
  breakerSince: null,
  trialAt: null,
  deniedSince: null,
  bannedUntil: null,
  paceMs: 50,
  lastError: null,
  lastErrorAt: null,
  stream: null,
};

const SERIES: SeriesStatus = {
  exchange: "binance",
  symbol: "BTC/USDT",
  timeframe: "1m",
  candles: 10_080,
  first: "2026-01-24T12:00:00.000Z",
  last: "2026-01-31T11:59:00.000Z",
  lastClosedAt: "2026-01-31T12:00:00.000Z",
  lastSource: "answer",
  owed: 0,
  wantedBy: "settings",
  missing: 0,
  explained: 0,
  reasons: {},
  lastError: null,
  endedAt: null,
  endedWhy: null,
};

type Job = Status["jobs"][number];

const POLL: Job = {
  job: "poll",
  lastStart: "2026-01-31T12:00:00.000Z",
  lastSuccess: "2026-01-31T12:00:02.000Z",
  lastOutcome: "success",
  nextStart: "2026-01-31T12:01:00.000Z",
};

const GAPS: Job = { ...POLL, job: "gaps", nextStart: "2026-01-31T12:05:00.000Z" };
const BACKFILL: Job = { ...POLL, job: "backfill", nextStart: "2026-02-01T02:00:00.000Z" };

function ofExchange(
  change: Partial<ExchangeStatus>,
  series: readonly SeriesStatus[] = [SERIES],
): ReturnType<typeof exchangeReason> {
  const tally = talliesOf(series, NOW_MS).get("binance") ??
    { series: 0, refused: 0, late: 0, live: 0, newestMs: 0 };
  return exchangeReason({ ...EXCHANGE, ...change }, tally, NOW_MS);
}

function ofSeries(
  change: Partial<SeriesStatus>,
  { exchange = {}, jobs = [POLL, GAPS, BACKFILL], pace = new BackfillPace() }: {
    readonly exchange?: Partial<ExchangeStatus>;
    readonly jobs?: readonly Job[];
    readonly pace?: BackfillPace;
  } = {},
): ReturnType<typeof seriesReason> {
  return seriesReason({ ...SERIES, ...change }, {
    nowMs: NOW_MS,
    pace,
    exchanges: new Map([["binance", { ...EXCHANGE, ...exchange }]]),
    jobs: new Map(jobs.map((job) => [job.job, job])),
  });
}

Deno.test("an exchange says what is the matter, since when, and what to do", () => {
  const since = "2026-01-31T11:55:00.000Z";
  const cases: readonly (readonly [Partial<ExchangeStatus>, string, string])[] = [
    [{}, "good", "It answers."],
    [
      { breaker: "open", breakerSince: since, trialAt: "2026-01-31T12:00:45.000Z" },
      "bad",
      "Too many requests failed: nothing is asked since 11:55. One request tests it at 12:00:45.",
    ],
    [
      { breaker: "open", breakerOf: ["linear"], breakerSince: since, trialAt: since },
      "bad",
      "Too many requests failed: nothing of its linear markets is asked since 11:55. The next request tests it.",
    ],
    [
      { breaker: "half_open", breakerSince: since },
      "bad",
      "One request tests now whether it answers again; nothing else is asked since 11:55.",
    ],
    [
      { bannedUntil: "2026-01-31T12:10:30.000Z" },
      "bad",
      "Banned until 12:10:30. Nothing to do: requests begin again by themselves.",
    ],
    [
      { bannedUntil: "2026-01-31T12:10:30.000Z", bannedOf: ["linear"] },
      "bad",
      "Banned from its linear markets until 12:10:30. " +
      "Nothing to do: requests begin again by themselves.",
    ],
    // A ban that is over is none.
    [{ bannedUntil: "2026-01-31T12:00:29.000Z" }, "good", "It answers."],
    [
      { deniedSince: "2026-01-30T11:00:00.000Z", lastError: "access is refused (HTTP 451)" },
      "bad",
      "It refuses this machine's address since 2026-01-30 11:00. Set a proxy whose address is accepted, " +
      "in EXCHANGE_PROXY_URL or EXCHANGE_BINANCE, or take binance out of EXCHANGES.",
    ],
    [
      { lastError: "HTTP 503", lastErrorAt: since },
      "warn",
      "It failed at 11:55. The exchange has trouble of its own. Nothing to do: it is tried again by itself.",
    ],
    // An hour later it is history.
    [
      { lastError: "HTTP 503", lastErrorAt: "2026-01-31T11:00:00.000Z" },
      "good",
      "It answers again.",
    ],
  ];
  for (const [change, level, text] of cases) {
    assert.deepEqual(ofExchange(change), { level, text });
  }
  const late = { ...SERIES, last: "2026-01-31T11:20:00.000Z" };
  assert.deepEqual(ofExchange({}, [late, late]), {
    level: "bad",
    text: "No new candles since 11:21. Run titan10 doctor.",
  });
  // One that is late among others is not the exchange's.
  assert.equal(ofExchange({}, [late, SERIES]).level, "good");
  assert.match(ofExchange({}, [SERIES, { ...SERIES, lastError: "no" }]).text, /refuses 1 of 2 /);
  assert.match(
    ofExchange({ lastError: "dns error", lastErrorAt: since }, []).text,
    /^Nothing of it is archived yet: it has failed since 11:55\. .* titan10 doctor/,
  );
});

Deno.test("a stream says whether it is up, since when, and how its last connection ended", () => {
  const up = {
    ...{ state: "up" as const, why: null, since: "2026-01-31T11:00:00.000Z", connections: 2 },
    ...{ open: 2, lastMessageAt: "2026-01-31T12:00:00.000Z", lastEnd: null },
  };
  const textOf = (stream: ExchangeStatus["stream"]): string =>
    streamText({ ...EXCHANGE, stream }, NOW_MS);
  assert.equal(
    textOf(up),
    "Candles of binance are streamed since 11:00: 2 of 2 connections open, last message 12:00.",
  );
  const lastEnd = { at: "2026-01-31T11:00:00.000Z", reason: "killed", why: "code 1006" };
  assert.equal(
    textOf({ ...up, state: "down", open: 1, lastMessageAt: null, lastEnd }),
    "The stream of binance is down since 11:00, and candles come by polls: 1 of 2 connections open, " +
      "no message yet. The last connection that ended did at 11:00 (killed: code 1006).",
  );
  assert.equal(
    textOf({ ...up, state: "off", why: "LIVE=off" }),
    "Candles of binance come by polls alone: LIVE=off.",
  );
  assert.equal(
    textOf({ ...up, state: "down", since: null, connections: 0, open: 0 }),
    "The stream of binance is not open yet: its markets are not loaded.",
  );
  assert.equal(
    textOf(null),
    "Candles of binance are not streamed: the daemon is starting, or its settings do not name binance.",
  );
});

Deno.test("of an exchange that answers it is said that its stream is down, and why", () => {
  const tally = { series: 2, refused: 0, late: 0, live: 2, newestMs: NOW_MS };
  const stream = {
    ...{ state: "down" as const, why: null, since: "2026-01-31T11:00:00.000Z", connections: 1 },
    ...{ open: 0, lastMessageAt: null },
    lastEnd: {
      at: "2026-01-31T11:59:00.000Z",
      reason: "unopened",
      why: "no handshake within 10 s",
    },
  };
  const reasonOf = (change: Partial<ExchangeStatus>): { level: string; text: string } =>
    exchangeReason({ ...EXCHANGE, stream, ...change }, tally, NOW_MS);
  assert.deepEqual(reasonOf({}), {
    level: "warn",
    text: "It answers. Its stream is down since 11:00 (unopened: no handshake within 10 s): " +
      "candles come by polls.",
  });
  assert.equal(reasonOf({ stream: { ...stream, state: "up" } }).level, "good");
  // Not opened yet: the daemon has just started.
  assert.equal(reasonOf({ stream: { ...stream, since: null } }).level, "good");
  assert.match(reasonOf({ breaker: "open" }).text, /^Too many requests failed/);
});

Deno.test("what to do about an error follows from its words", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      'okx {"code":"50111","msg":"Invalid OK-ACCESS-KEY"}: HTTP 401',
      /apiKey and secret in EXCHANGE_OKX/,
    ],
    ['binance {"code":-2014,"msg":"API-key format invalid."}', /apiKey and secret/],
    [
      "its proxy http://a:1 needs credentials, or refuses the given ones (HTTP 407)",
      /proxy's user/,
    ],
    ["through its proxy http://a:1: connection refused", /whether that proxy works/],
    [
      'access is refused (HTTP 451, through its proxy http://a:1): "no"',
      /whose address is accepted/,
    ],
    ["Timestamp for this request is outside of the recvWindow.", /clock is wrong.* NTP/],
    ["invalid peer certificate: UnknownIssuer", /DENO_TLS_CA_STORE=system/],
    ["Cannot fetch candles: HTTP 429 Too Many Requests", /^Nothing to do/],
    ["Cannot fetch candles: 503 Service Unavailable", /trouble of its own/],
    ["Cannot finish the request: it took longer than 30000 ms", /titan10 doctor tests it/],
    ["error sending request: dns error: failed to lookup address", /no way out/],
    ["ABC/USDT is not listed by okx. Correct SYMBOLS", /SYMBOLS, and run titan10 reload/],
    ["something new", /If it lasts, run titan10 doctor/],
  ];
  for (const [error, advice] of cases) assert.match(adviceOf("okx", error), advice, error);
});

Deno.test("a series says why it is empty, late or incomplete", () => {
  const empty = { candles: 0, first: null, last: null };
  const cases: readonly (readonly [ReturnType<typeof ofSeries>, string, string])[] = [
    [ofSeries({}), "complete", ""],
    // The candle that has just closed comes with the next poll.
    [ofSeries({ owed: 1 }), "complete", ""],
    [
      ofSeries(empty, { jobs: [{ ...POLL, lastSuccess: null, lastOutcome: null }] }),
      "empty",
      "Nothing stored yet: the first poll is at 12:01.",
    ],
    [
      ofSeries(empty, { jobs: [{ ...POLL, lastSuccess: null, lastOutcome: "running" }] }),
      "empty",
      "Nothing stored yet: the first poll is running.",
    ],
    [
      ofSeries({ ...empty, owed: 9 }, { exchange: { breaker: "open" } }),
      "empty",
      "Nothing stored yet: binance is failing and is not asked for now, see Exchanges.",
    ],
    [
      ofSeries({ ...empty, explained: 9 }),
      "empty",
      "Nothing stored: binance has no candles of it in the time that is wanted.",
    ],
    [
      ofSeries({ owed: 1_234 }),
      "owed",
      "Owes 1,234 candles: backfill goes newest first, and runs at 2026-02-01 02:00.",
    ],
    [
      ofSeries({ owed: 1_234 }, { jobs: [{ ...BACKFILL, lastOutcome: "running" }] }),
      "owed",
      "Owes 1,234 candles: backfill is running, newest first.",
    ],
    [
      ofSeries({ owed: 50, wantedBy: "archive" }),
      "owed",
      "Owes 50 candles: the settings of the last run wanted them, these do not name it. " +
      "Name it again, or run titan10 forget.",
    ],
    [
      ofSeries({ missing: 12 }),
      "missing",
      "12 candles missing without a reason yet: asked for again at 12:05, nothing to do.",
    ],
    [
      ofSeries({ last: "2026-01-31T11:20:00.000Z" }, {
        exchange: { bannedUntil: "2026-01-31T12:10:00.000Z" },
      }),
      "late",
      "No new candle for 40 min: binance has banned us until 12:10.",
    ],
    // Of other kinds of markets than the series'.
    [
      ofSeries({ last: "2026-01-31T11:20:00.000Z" }, {
        exchange: {
          ...{ bannedUntil: "2026-01-31T12:10:00.000Z", bannedOf: ["linear"] },
          ...{ breaker: "open", breakerOf: ["inverse"] },
        },
      }),
      "late",
      "No new candle for 40 min: binance has given none since. If it lasts, run titan10 doctor.",
    ],
    [
      ofSeries({ symbol: "BTC/USD:BTC@mark", last: "2026-01-31T11:20:00.000Z" }, {
        exchange: { breaker: "open", breakerOf: ["inverse"] },
      }),
      "late",
      "No new candle for 40 min: binance is failing and is not asked for now, see Exchanges.",
    ],
    [
      ofSeries({ lastError: 'HTTP 401: {"msg":"Invalid API-key"}' }),
      "refused",
      'HTTP 401: {"msg":"Invalid API-key"} — Correct apiKey and secret in EXCHANGE_BINANCE, ' +
      "or take them out: candles are public.",
    ],
    [
      ofSeries({
        last: "2026-01-26T00:00:00.000Z",
        endedAt: "2026-01-26T00:01:00.000Z",
        endedWhy: "delisted",
      }),
      "ended",
      "Delisted on binance 2026-01-26 00:01.",
    ],
  ];
  for (const [reason, state, text] of cases) {
    assert.deepEqual([reason.state, reason.text], [state, text]);
  }
});

Deno.test("the time a backfill takes follows from the pace that was seen, and from nothing else", () => {
  const pace = new BackfillPace();
  const note = (afterMs: number, owed: number): void =>
    pace.note([{ exchange: "binance", owed }], NOW_MS + afterMs);
  note(0, 100_000);
  assert.equal(pace.leftMs("binance"), undefined);
  note(20_000, 90_000);
  assert.equal(pace.leftMs("binance"), undefined, "twenty seconds say little");
  note(60_000, 80_000);
  assert.equal(pace.leftMs("binance"), 4 * 60_000);
  assert.match(
    ofSeries({ owed: 5_000 }, { pace }).text,
    /about 4 min left on binance at its pace of now/,
  );
  // Other settings want more.
  note(70_000, 1_000_000);
  assert.equal(pace.leftMs("binance"), undefined);
  note(140_000, 1_000_000);
  assert.equal(pace.leftMs("binance"), undefined, "nothing comes");
  assert.equal(pace.leftMs("kraken"), undefined);
});

Deno.test("a job that failed says when it runs again and where the reason is", () => {
  const told = (change: Partial<Job>): string => jobReason({ ...POLL, ...change }, NOW_MS).text;
  assert.equal(
    told({ lastOutcome: "failure" }),
    'It runs again at 12:01. The log says why it failed: look for "job failed" and poll.',
  );
  assert.match(told({ lastOutcome: null }), /has not run yet; it runs at 12:01/);
  assert.match(told({ lastOutcome: "cancelled", nextStart: null }), /again when there is work/);
});

Deno.test("an archive that is empty or that nothing answers says what comes next", () => {
  const told = (change: Partial<Status>): string => {
    const status: Status = {
      version: "1.0.0",
      startedAt: null,
      database: { kind: "embedded", timescaledb: null },
      lastReload: null,
      nodes: [],
      ...NO_NEWS,
      exchanges: [EXCHANGE],
      series: [SERIES],
      funding: [],
      jobs: [POLL],
      ...change,
    };
    return noticesOf(status, NOW_MS).map(({ title, text }) => `${title}. ${text}`).join("\n");
  };
  const failing: ExchangeStatus = { ...EXCHANGE, breaker: "open" };
  assert.equal(told({}), "");
  assert.match(
    told({ series: [], jobs: [{ ...POLL, lastSuccess: null, lastOutcome: "running" }] }),
    /^Nothing is archived yet\. The first poll is running: it reads what binance list/,
  );
  assert.match(told({ series: [] }), /SYMBOLS chooses nothing that binance list/);
  assert.match(told({ series: [], exchanges: [failing] }), /No exchange has answered: binance/);
  assert.match(told({ series: [], exchanges: [] }), /Name exchanges in EXCHANGES/);
  assert.match(
    told({ exchanges: [failing, { ...failing, exchange: "okx" }] }),
    /^None of the 2 exchanges answers\. .* the newest candle closed at 12:00/,
  );
  assert.match(
    told({ series: [{ ...SERIES, last: "2026-01-31T11:00:00.000Z" }] }),
    /^No new candles since 11:01\. The last poll succeeded at 12:00:02, .* titan10 doctor/,
  );
  const at = "2026-01-31T11:00:00.000Z";
  assert.match(
    told({ lastReload: { at, ok: false, error: "Cannot read POLL_CRON." } }),
    /^The settings read at 11:00 are not in force\. Cannot read POLL_CRON\. /,
  );
});

Deno.test("the series that need a look come first, and equal ones by name", () => {
  const row = (symbol: string, state: string): { series: SeriesStatus; state: string } => ({
    series: { ...SERIES, symbol },
    state,
  });
  const all = [row("B", "complete"), row("D", "refused"), row("A", "complete"), row("C", "owed")];
  const order = sorted(all, { by: 3, isDescending: true }).map(({ series }) => series.symbol);
  assert.deepEqual(order, ["D", "C", "A", "B"]);
});
