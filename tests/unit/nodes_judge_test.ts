/** The judges of the schedules of several nodes see what they are there to see. @module */
import assert from "node:assert/strict";
import type { LoggedRequest } from "../../lib/local_exchange/request.ts";
import { market } from "../../lib/local_exchange/local_symbol.ts";
import { askedTwice, longestUnpolled } from "../nodes/asked.ts";
import { toldTwice } from "../nodes/posts.ts";
import { isCommon, PROMOTION, scheduleOf, TROUBLES, UPGRADES } from "../nodes/schedule.ts";

const NOW_MS = Date.UTC(2024, 5, 1, 12);
const SINCE_MS = Date.UTC(2024, 4, 31);
const MINUTE_MS = 60_000;

function asked(
  { visitor, interval = "1m", fromMinute = 0, atMs = 0, status = 200 }: {
    readonly visitor: string;
    readonly interval?: string;
    readonly fromMinute?: number;
    readonly atMs?: number;
    readonly status?: number;
  },
): LoggedRequest {
  const startTime = String(SINCE_MS + fromMinute * MINUTE_MS);
  return {
    timeMs: NOW_MS + atMs,
    path: "/api/v3/klines",
    endpoint: "klines",
    query: { symbol: "BTCUSDT", interval, startTime, limit: "10" },
    host: "127.0.0.1",
    proxied: false,
    visitor,
    status,
  };
}

Deno.test("windows that overlap are asked twice, but not what is young, refused or next to each other", () => {
  const judge = (requests: readonly LoggedRequest[], untilMs = NOW_MS): readonly string[] =>
    askedTwice(requests, { untilMs, pardons: [] }).unpardoned;
  const first = asked({ visitor: "a" });
  assert.match(
    judge([first, asked({ visitor: "b", fromMinute: 9, atMs: 5 })]).join("\n"),
    /^BTCUSDT from 2024-05-31T00:09.* was asked by a at .* and again by b at [^\n]*$/,
  );
  assert.deepEqual(judge([first, asked({ visitor: "b", fromMinute: 10 })]), []);
  assert.deepEqual(judge([first, asked({ visitor: "b", status: 429 })]), []);
  assert.deepEqual(judge([first, asked({ visitor: "b", interval: "1s" })]), []);
  assert.deepEqual(judge([first, asked({ visitor: "b" })], SINCE_MS), []);
});

Deno.test("a window is pardoned if the node that asked first may have lost it", () => {
  const requests = [asked({ visitor: "a" }), asked({ visitor: "b", atMs: 1_000 })];
  const judge = (visitor: string | undefined, sinceMs: number): number =>
    askedTwice(requests, {
      untilMs: NOW_MS,
      pardons: [{ visitor, sinceMs, untilMs: NOW_MS + 500 }],
    }).unpardoned.length;
  assert.equal(judge("a", NOW_MS), 0);
  assert.equal(judge(undefined, NOW_MS), 0);
  assert.equal(judge("b", NOW_MS), 1, "the other node lost nothing");
  assert.equal(judge("a", NOW_MS + 1), 1, "it was asked before");
});

Deno.test("the longest time without a poll counts from the beginning and to the end", () => {
  const symbols = [market("BTC/USDT", { tickDecimals: 2, price: 1, quoteVolume24h: 1 })];
  const polls = [0, 3_000, 10_000].map((atMs) => asked({ visitor: "a", interval: "1s", atMs }));
  const judge = (sinceMs: number, untilMs: number): number =>
    longestUnpolled(polls, { symbols, sinceMs: NOW_MS + sinceMs, untilMs: NOW_MS + untilMs }).forMs;
  assert.equal(judge(0, 11_000), 7_000);
  assert.equal(judge(-9_000, 11_000), 9_000);
  assert.equal(judge(0, 30_000), 20_000);
});

Deno.test("an event is told of once, and again only after its end", () => {
  const post = (state: string, exchange = "binance"): Readonly<Record<string, unknown>> => ({
    alert: "stale",
    state,
    exchange,
    symbol: null,
    timeframe: null,
  });
  const [begins, ends] = [post("firing"), post("resolved")];
  assert.deepEqual(toldTwice([begins, post("firing", "kraken"), ends, begins]), []);
  assert.equal(toldTwice([begins, begins]).length, 1);
  assert.equal(toldTwice([begins, ends, ends]).length, 1);
  assert.equal(toldTwice([ends]).length, 1, "it never began");
});

Deno.test("in every schedule one node is left alone, and two hundred have each trouble on each server", () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    const schedule = scheduleOf(seed, { servers: ["server", "pgbouncer", "promoted"] });
    const own = schedule.steps.filter(({ trouble }) => !isCommon(trouble));
    const struck = new Set(own.map(({ node }) => node));
    assert(struck.size < schedule.egresses.length, `seed ${seed}`);
    for (const { trouble } of schedule.steps) seen.add(trouble);
    seen.add(schedule.server);
    if (new Set(schedule.egresses).size < schedule.egresses.length) seen.add("one egress");
    const banned = own.filter(({ trouble }) => trouble === "address banned");
    for (const { node } of banned) {
      const others = schedule.egresses.filter((_, other) => !struck.has(other));
      assert(!others.includes(schedule.egresses[node] ?? ""), `seed ${seed}: nobody may ask`);
    }
  }
  const all = [
    ...Object.keys(TROUBLES),
    PROMOTION,
    ...UPGRADES,
    "server",
    "pgbouncer",
    "promoted",
    "one egress",
  ];
  assert.deepEqual(all.filter((name) => !seen.has(name)), []);
});
