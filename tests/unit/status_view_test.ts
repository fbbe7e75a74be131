import assert from "node:assert/strict";
import { renderStatus } from "../../lib/cli/status_view.ts";
import { width } from "../../lib/cli/text.ts";
import { frame } from "../../lib/cli/watch.ts";
import type { NodeStatus } from "../../lib/serve/node_status.ts";
import { NO_NEWS } from "../../lib/serve/news.ts";
import type { ExchangeStatus, SeriesStatus, Status, StreamStatus } from "../../lib/serve/status.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12, 0, 0);

const QUIET: ExchangeStatus = {
  exchange: "binance",
  breaker: "closed",
  breakerOf: [],
  bannedOf: [],
  breakerSince: null,
  trialAt: null,
  deniedSince: null,
  bannedUntil: null,
  paceMs: null,
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

function statusOf(change: Partial<Status>): Status {
  return {
    version: "0.1.0",
    startedAt: "2026-01-31T11:00:00.000Z",
    database: { kind: "embedded", timescaledb: "2.23.0" },
    lastReload: null,
    nodes: [],
    ...NO_NEWS,
    exchanges: [QUIET],
    series: [SERIES],
    funding: [],
    jobs: [{
      job: "poll",
      lastStart: "2026-01-31T11:59:00.000Z",
      lastSuccess: "2026-01-31T11:59:00.000Z",
      lastOutcome: "success",
      nextStart: null,
    }],
    ...change,
  };
}

function lines(status: Status, options: { columns?: number; rows?: number } = {}): string[] {
  return renderStatus(status, { nowMs: NOW_MS, ...options }).split("\n");
}

Deno.test("a sound archive is read at a glance", () => {
  assert.deepEqual(lines(statusOf({})), [
    "titan10 0.1.0, embedded database, TimescaleDB 2.23.0, daemon up for 1 h 0 min",
    "",
    "EXCHANGE  SERIES  CANDLES  OWED  MISSING  EXPLAINED  STATE",
    "binance        1   10,080     0        0          0  ok",
    "",
    "SERIES               CANDLES  FIRST       LAST   OWED  MISSING",
    "binance BTC/USDT 1m   10,080  2026-01-24  11:59     0        0",
    "",
    "JOB   LAST START        LAST SUCCESS      OUTCOME",
    "poll  2026-01-31 11:59  2026-01-31 11:59  success",
  ]);
});

Deno.test("where candles are streamed, it is told whether streams are up, and how old each newest candle is", () => {
  const up: StreamStatus = {
    ...{
      state: "up" as const,
      why: null,
      since: "2026-01-31T11:00:00.000Z",
      connections: 2,
      open: 2,
    },
    ...{ lastMessageAt: "2026-01-31T11:59:59.000Z", lastEnd: null },
  };
  const end = { at: "2026-01-31T11:00:00.000Z", reason: "killed", why: "code 1006" };
  const down = { ...up, state: "down" as const, open: 1, lastEnd: end };
  const status = statusOf({
    exchanges: [{ ...QUIET, stream: up }, { ...QUIET, exchange: "kraken", stream: down }],
    series: [
      { ...SERIES, lastClosedAt: "2026-01-31T11:59:57.500Z", lastSource: "stream" },
      { ...SERIES, exchange: "kraken", symbol: "PEPE2/USDT:USDT-261231@mark" },
    ],
  });
  const shown = lines(status);
  assert.equal(shown.find((line) => line.startsWith("binance"))?.slice(53), "ok, stream up");
  assert.equal(shown.find((line) => line.startsWith("kraken"))?.slice(53), "ok, stream down");
  const [head, streamed, polled, note] = shown.slice(
    shown.findIndex((line) => /^SERIES/.test(line)),
  );
  assert.match(head!, / AGE$/);
  assert.match(streamed!, / 2\.5 s\*$/);
  assert.match(polled!, / 0\.0 s$/);
  assert.equal(note, "* came over a stream; no answer of the exchange has confirmed it yet");
  assert.match(
    shown.slice(shown.indexOf("TROUBLE")).join(" ").replaceAll(/ +/g, " "),
    /kraken: its stream is down since 2026-01-31 11:00 \(killed: code 1006\): candles come by polls/,
  );
  assert.ok(shown.every((line) => width(line) <= 80));
});

Deno.test("ages leave room for the names of series, in a terminal of 80 columns", () => {
  const stream = { state: "up" as const, why: null, since: "2026-01-31T11:00:00.000Z" };
  const status = statusOf({
    exchanges: [{
      ...QUIET,
      stream: { ...stream, connections: 1, open: 1, lastMessageAt: null, lastEnd: null },
    }],
    series: ["BTC/USDT", "DOGE/USDT"].flatMap((symbol) => [
      {
        ...SERIES,
        symbol,
        lastClosedAt: "2026-01-31T12:00:00.000Z",
        lastSource: "stream" as const,
      },
      {
        ...{ ...SERIES, symbol, timeframe: "1d", candles: 1_826, owed: 1_000 },
        ...{ last: "2026-01-30T00:00:00.000Z", lastClosedAt: "2026-01-31T00:00:00.000Z" },
      },
      { ...SERIES, symbol, timeframe: "1h", lastClosedAt: "2026-01-31T11:21:00.000Z" },
    ]),
  });
  for (const rows of [undefined, 14]) {
    const shown = lines(status, rows === undefined ? {} : { rows });
    const from = shown.findIndex((line) => line.startsWith("SERIES"));
    const names = shown.slice(from + 1).filter((line) => line.startsWith("binance "));
    assert.deepEqual(
      names.slice(0, 2).map((line) => line.slice(0, 21).trim()),
      rows === undefined
        ? ["binance BTC/USDT 1m", "binance BTC/USDT 1d"]
        : ["binance BTC/USDT 1d", "binance DOGE/USDT 1d"],
    );
    assert.match(names.find((line) => line.includes(" 1d"))!, / 12 h$/);
    assert.ok(shown.length <= (rows ?? Infinity));
    assert.equal(shown.filter((line) => line.startsWith("* came over")).length, 1);
  }
});

Deno.test("several exchanges have a sum, also of series of those that are not asked any more", () => {
  const status = statusOf({
    exchanges: [QUIET, { ...QUIET, exchange: "kraken" }],
    series: [SERIES, SERIES, { ...SERIES, exchange: "okx", owed: 7, missing: 2, explained: 3 }],
  });
  assert.deepEqual(lines(status).slice(3, 7), [
    "binance        2   20,160     0        0          0  ok",
    "kraken         0        0     0        0          0  ok",
    "okx            1   10,080     7        2          3  not asked",
    "total          3   30,240     7        2          3",
  ]);
});

Deno.test("a ban, an open breaker and a last error are named last, with their times", () => {
  const status = statusOf({
    exchanges: [
      { ...QUIET, breaker: "open" },
      {
        exchange: "kraken",
        breaker: "closed",
        breakerOf: [],
        bannedOf: [],
        breakerSince: null,
        trialAt: null,
        deniedSince: null,
        bannedUntil: "2026-01-31T12:24:00.000Z",
        paceMs: null,
        lastError: "Cannot fetch candles: HTTP 429",
        lastErrorAt: "2026-01-30T10:03:00.000Z",
        stream: null,
      },
    ],
  });
  const text = lines(status);
  assert.match(text[3] ?? "", /breaker open$/);
  assert.match(text[4] ?? "", /banned to 12:24$/);
  assert.deepEqual(
    text.slice(-6),
    [
      "LAST ERRORS OF EXCHANGES",
      "  kraken, 2026-01-30 10:03: Cannot fetch candles: HTTP 429",
      "",
      "TROUBLE",
      "  binance: too many requests failed: the breaker is open, requests are paused",
      "  kraken is banned until 2026-01-31 12:24 UTC, for another 24 min",
    ],
  );
});

Deno.test("where only some kinds of markets have banned us they are named", () => {
  const bannedUntil = "2026-01-31T12:24:00.000Z";
  const status = statusOf({ exchanges: [{ ...QUIET, bannedUntil, bannedOf: ["linear"] }] });
  assert.match(
    lines(status).join("\n").replaceAll(/\s+/g, " "),
    /binance is banned from its linear markets until 2026-01-31 12:24 UTC/,
  );
});

Deno.test("where each kind of market has a breaker, those that are not closed are named", () => {
  const status = statusOf({
    exchanges: [{ ...QUIET, breaker: "open", breakerOf: ["linear", "inverse"] }],
  });
  const text = lines(status).join("\n");
  assert.match(
    text.replaceAll(/\s+/g, " "),
    /the breaker of its linear and inverse markets is open/,
  );
});

Deno.test("long, wide and hostile names and messages stay within 80 columns", () => {
  const names = [
    "1000000000000BABYDOGE/USDT:USDT-260925-100000-C",
    "币安人生币安人生币安人生币安人生币安人生/USDT",
    "\x1b[2J\u202eEVIL\n/USDT",
    "🚀".repeat(40),
    "e\u0301".repeat(60),
  ];
  const series = names.map((symbol) => ({
    ...SERIES,
    exchange: "cryptocom",
    symbol,
    candles: 12_345_678,
    owed: 12_345_678,
    missing: 1_234_567,
    last: "2026-01-30T11:59:00.000Z",
    lastError: `Cannot fetch candles of ${symbol}: ${"<html>".repeat(200)}`,
    endedAt: "2026-01-30T11:59:00.000Z",
    endedWhy: "delisted" as const,
  }));
  const text = lines(statusOf({ series, exchanges: [{ ...QUIET, lastError: "x".repeat(999) }] }));
  assert.deepEqual(text.filter((line) => width(line) > 80), []);
  // deno-lint-ignore no-control-regex -- It is what must not be there.
  assert.doesNotMatch(text.join(""), /[\x00-\x1f\u202e]/);
  assert.match(text.join("\n"), /^cryptocom \S*…\S*-C 1m {2}12,345,678/m);
});

Deno.test("of 400 series with errors a few are told, and how many there are", () => {
  const series = Array.from({ length: 400 }, (_, index) => ({
    ...SERIES,
    symbol: `S${index}/USDT`,
    lastError: "gone",
  }));
  const text = lines(statusOf({ series }));
  assert.equal(text.filter((line) => line.endsWith(": gone")).length, 10);
  assert.equal(text.at(-1), "  and 390 more series");
});

Deno.test("a screen shows the series that lack most, and how many more there are", () => {
  const series = Array.from({ length: 400 }, (_, index) => ({
    ...SERIES,
    symbol: `S${index}/USDT`,
    missing: index === 399 ? 5 : 0,
  }));
  const shown = frame({ document: statusOf({ series }), trouble: undefined }, {
    nowMs: NOW_MS,
    columns: 80,
    rows: 24,
    hasColor: false,
  });
  assert.equal(shown.length, 23);
  assert.equal(shown[0], "12:00:00 UTC, every 2 s. Ctrl-C ends it.");
  assert.match(shown[8] ?? "", /^binance S399\/USDT 1m .* 5$/);
  assert.match(shown[9] ?? "", /^binance S0\/USDT 1m /);
  assert(shown.includes("and 389 more series"), shown.join("\n"));
  assert.match(shown.at(-1) ?? "", /^poll /);
});

Deno.test("a screen says who is away, above what was known last", () => {
  const look = { document: statusOf({}), trouble: "Away: \x1b[2Jnobody answers" };
  const shown = frame(look, { nowMs: NOW_MS, columns: 60, rows: 6, hasColor: false });
  assert.equal(shown.length, 6);
  assert.equal(shown[1], "Away: \\x1b[2Jnobody answers");
  assert.match(shown[3] ?? "", /^titan10 0\.1\.0/);
});

Deno.test("a reload that was refused is told of with its first problem", () => {
  const error = 'titan10.yaml:3:5 exchanges="krakn": expected a CCXT exchange id';
  const at = "2026-01-31T11:30:00.000Z";
  const text = lines(statusOf({ lastReload: { at, ok: false, error } })).join(" ");
  assert.match(
    text,
    /TROUBLE +the settings of 2026-01-31 11:30 are not in force\. titan10\.yaml:3:5/,
  );
  assert.doesNotMatch(
    lines(statusOf({ lastReload: { at, ok: true, error: null } })).join(" "),
    /TROUBLE/,
  );
});

Deno.test("nodes are told of where there are several, and each that is gone or differs", () => {
  const node: NodeStatus = {
    ...{ node: "", name: "db1:9464", kind: "daemon", version: "1", egress: "db1" },
    ...{ startedAt: "2026-01-31T11:00:00.000Z", seenAt: "2026-01-31T11:59:57.000Z" },
    ...{ isLive: true, isLeader: true, leases: 1, exchanges: [], differs: [] },
  };
  assert(!lines(statusOf({ nodes: [node] })).some((line) => line.startsWith("NODE")));
  const gone = {
    ...{ ...node, name: "db2:9464", isLive: false, isLeader: false, leases: 0 },
    seenAt: "2026-01-31T11:00:00.000Z",
  };
  const shown = lines(statusOf({ nodes: [node, gone] }));
  const from = shown.findIndex((line) => line.startsWith("NODE"));
  assert.deepEqual(shown.slice(from, from + 3), [
    "NODE      EGRESS  UP FOR  SEEN   EXCHANGES  SYMBOLS  STATE",
    "db1:9464  db1     1 h     3.0 s          0        1  leads",
    "db2:9464  db1     –       1 h            0        0  gone",
  ]);
  assert.deepEqual(shown.slice(shown.indexOf("TROUBLE") + 1).map((line) => line.trim()), [
    "node db2:9464 has not been seen since 2026-01-31 11:00 UTC: other nodes have",
    "its symbols",
  ]);
});
