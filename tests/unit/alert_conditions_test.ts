import assert from "node:assert/strict";
import {
  breakerConditions,
  deniedConditions,
  gapConditions,
  lossConditions,
  skippedConditions,
  staleConditions,
  streamConditions,
} from "../../lib/alert/conditions.ts";
import { SkippedPolls } from "../../lib/archive/skipped_polls.ts";
import type { SeriesAccount } from "../../lib/gap/account.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { CoverageEnd } from "../../lib/store/coverage_ends.ts";

const MINUTE_MS = 60_000;
const NOW_MS = Date.UTC(2024, 0, 2, 12);

const SERIES = { exchange: "kraken", symbol: "BTC/USD", timeframe: parseTimeframe("1m") };
const SUBJECT = { exchange: "kraken", symbol: "BTC/USD", timeframe: "1m" };

const ACCOUNT: SeriesAccount = {
  series: SERIES,
  candles: 876,
  firstMs: NOW_MS - 1_000 * MINUTE_MS,
  lastMs: NOW_MS,
  owed: 0,
  owedTimes: [],
  heldTimes: [],
  beginMs: Infinity,
  coveredSinceMs: NOW_MS - 1_000 * MINUTE_MS,
  missing: 124,
  explained: 0,
  reasons: {},
  lastError: undefined,
  endedMs: undefined,
  endedWhy: undefined,
  beforeFirst: 0,
  isConfigured: true,
  isWanted: true,
};

const KRAKEN = { id: "kraken", settleMs: 2 * MINUTE_MS, isDenied: () => false };

Deno.test("a gap condition is the share of missing candles over the limit, of a configured series", () => {
  assert.deepEqual(gapConditions([ACCOUNT], 5), [{
    ...SUBJECT,
    value: 12.4,
    threshold: 5,
    summary: "kraken BTC/USD 1m: 12.4 % of the candles are missing (over 5 %)",
  }]);
  assert.deepEqual(gapConditions([ACCOUNT], 12.4), [], "at the limit is not over it");
  assert.deepEqual(gapConditions([{ ...ACCOUNT, isConfigured: false }], 5), []);
  assert.deepEqual(gapConditions([{ ...ACCOUNT, candles: 0, missing: 0 }], 0), []);
});

Deno.test("a breaker condition begins no alert before five minutes are over", () => {
  const after = (ms: number): ReturnType<typeof breakerConditions> =>
    breakerConditions([{
      id: "kraken",
      breakers: { troubled: [{ kind: undefined, sinceMs: NOW_MS - ms, untilMs: NOW_MS }] },
    }], NOW_MS);
  assert.deepEqual(after(5 * MINUTE_MS).map(({ mayBegin }) => mayBegin), [false]);
  assert.deepEqual(after(5 * MINUTE_MS + 1_000), [{
    exchange: "kraken",
    value: 301,
    threshold: 300,
    summary: "kraken: the breaker has not been closed for 5 min (over 5 min)",
    mayBegin: true,
  }]);
  const closed = { id: "kraken", breakers: { troubled: [] } };
  assert.deepEqual(breakerConditions([closed], NOW_MS), []);
});

Deno.test("a series is stale over three timeframes and the time to settle after the end of its coverage", () => {
  const end = (ms: number): CoverageEnd => (
    { series: SERIES, chosen: "list", coveredUntilMs: NOW_MS - ms }
  );
  const exchanges = [{ ...KRAKEN, breakers: { troubled: [] } }];
  assert.deepEqual(staleConditions([end(5 * MINUTE_MS)], { exchanges, nowMs: NOW_MS }), []);
  assert.deepEqual(staleConditions([end(7 * MINUTE_MS)], { exchanges, nowMs: NOW_MS }), [{
    ...SUBJECT,
    value: 420,
    threshold: 300,
    summary: "kraken BTC/USD 1m: the exchange has not answered for the last 7 min (over 5 min)",
    mayBegin: true,
  }]);
});

Deno.test("a series is not stale because its exchange settles late, nor because polls come by the minute", () => {
  const breakers = { troubled: [] };
  const exchanges = [{ ...KRAKEN, breakers, settleMs: 15 * MINUTE_MS }];
  const stale = (ms: number, timeframe: string, settled = exchanges): number =>
    staleConditions([{
      series: { ...SERIES, timeframe: parseTimeframe(timeframe) },
      chosen: "list",
      coveredUntilMs: NOW_MS - ms,
    }], { exchanges: settled, nowMs: NOW_MS }).length;
  assert.deepEqual([stale(18 * MINUTE_MS, "1m"), stale(18 * MINUTE_MS + 1, "1m")], [0, 1]);
  // Final after two minutes, and asked for up to a minute later.
  const usual = [{ ...KRAKEN, breakers }];
  assert.deepEqual([stale(181_000, "1s", usual), stale(5 * MINUTE_MS, "1s", usual)], [0, 1]);
});

Deno.test("a series of an exchange whose breaker is not closed does not begin to be stale", () => {
  const exchanges = [{
    ...KRAKEN,
    breakers: { troubled: [{ kind: undefined, sinceMs: NOW_MS, untilMs: NOW_MS }] },
  }];
  const end = { series: SERIES, chosen: "list", coveredUntilMs: 0 } as const;
  const [condition] = staleConditions([end], { exchanges, nowMs: NOW_MS });
  assert.equal(condition?.mayBegin, false);
});

Deno.test("a loss is told of the series that loses first, and only inside what coverage has torn", () => {
  const owedAgo = (from: number, symbol: string): SeriesAccount => ({
    ...ACCOUNT,
    series: { ...SERIES, symbol },
    owedTimes: [{
      sinceMs: NOW_MS - from * MINUTE_MS,
      untilMs: NOW_MS - (from - 1) * MINUTE_MS,
    }],
  });
  const options = { nowMs: NOW_MS, newestCandlesMax: () => 720 };
  assert.deepEqual(
    lossConditions(
      [owedAgo(700, "BTC/USD"), owedAgo(710, "ETH/USD"), owedAgo(1, "A/USD")],
      options,
    ),
    [{
      exchange: "kraken",
      value: 600,
      threshold: 3600,
      summary:
        "kraken: candles of ETH/USD 1m that are not fetched yet will be lost in 10 min (under 60 min)",
    }],
  );
  assert.deepEqual(lossConditions([owedAgo(660, "BTC/USD")], options), []);
  const first = { ...owedAgo(720, "BTC/USD"), coveredSinceMs: NOW_MS - 600 * MINUTE_MS };
  assert.deepEqual(lossConditions([first], options), []);
  assert.deepEqual(lossConditions([{ ...first, coveredSinceMs: undefined }], options), []);
  const endless = { ...options, newestCandlesMax: () => undefined };
  assert.deepEqual(lossConditions([owedAgo(700, "BTC/USD")], endless), []);
});

Deno.test("refused access begins an alert, and keeps a running one while it is not known after a start", () => {
  const denial = { sinceMs: NOW_MS - MINUTE_MS, why: "No." };
  const found = (denial: Parameters<typeof deniedConditions>[0][0]["denial"]): unknown[] =>
    deniedConditions([{ ...KRAKEN, denial }], NOW_MS)
      .map(({ value, mayBegin = true }) => [value, mayBegin]);
  assert.deepEqual(found(denial), [[60, true]]);
  assert.deepEqual(found("unknown"), [[0, false]]);
  assert.deepEqual(found(undefined), []);
});

Deno.test("series are not stale on top of refused candles, but are where another host is refused", () => {
  const ends: readonly CoverageEnd[] = [{
    series: SERIES,
    chosen: "list",
    coveredUntilMs: NOW_MS - 60 * MINUTE_MS,
  }];
  const mayBegin = (denied: string): unknown => {
    const isDenied = (symbol: string): boolean => symbol === denied;
    const exchanges = [{ ...KRAKEN, breakers: { troubled: [] }, isDenied }];
    return staleConditions(ends, { exchanges, nowMs: NOW_MS })[0]?.mayBegin;
  };
  assert.deepEqual([mayBegin(SERIES.symbol), mayBegin("ETH/USD:ETH")], [false, true]);
});

Deno.test("polls that are skipped for over ten minutes are a condition, also if some in between are not", () => {
  const skippedPolls = new SkippedPolls();
  const judged = (
    minutes: number,
    troubled: readonly { kind: undefined; sinceMs: number; untilMs: number }[] = [],
  ) =>
    skippedConditions(
      [{ id: "kraken", breakers: { troubled }, work: { skippedPolls } }],
      NOW_MS + minutes * MINUTE_MS,
    );
  // A running alert does not end only because the program was started again.
  assert.deepEqual(judged(0).map(({ mayBegin }) => mayBegin), [false]);
  for (let tick = 0; tick <= 10; tick++) {
    skippedPolls.note(NOW_MS + tick * MINUTE_MS, tick % 2 === 0);
    assert.deepEqual(judged(tick).map(({ mayBegin }) => mayBegin), [false], `${tick}`);
  }
  skippedPolls.note(NOW_MS + 11 * MINUTE_MS, true);
  assert.deepEqual(judged(11), [{
    exchange: "kraken",
    value: 660,
    threshold: 600,
    summary:
      "kraken: polls have been skipped for 11 min (over 10 min), because those before had not ended",
    mayBegin: true,
  }]);
  assert.deepEqual(
    judged(11, [{ kind: undefined, sinceMs: NOW_MS, untilMs: NOW_MS }]).map(({ mayBegin }) =>
      mayBegin
    ),
    [false],
    "a breaker that is open says it already",
  );
  skippedPolls.note(NOW_MS + 16 * MINUTE_MS, false);
  assert.deepEqual(judged(16), [], "none for five minutes");
  skippedPolls.note(NOW_MS + 17 * MINUTE_MS, true);
  assert.deepEqual(judged(17).map(({ value, mayBegin }) => [value, mayBegin]), [[0, false]]);
});

Deno.test("a stream that is not well for over five minutes is a condition, and none where there is no stream", () => {
  type State = ReturnType<Parameters<typeof streamConditions>[1]["streams"]["state"]>;
  const lastEnd = { reason: "unopened", why: "connection refused" };
  const opened = { kind: "down", sinceMs: NOW_MS - 1_000, lastEnd } as const;
  const judged = (state: State, isTroubled = false): ReturnType<typeof streamConditions> => {
    const troubled = isTroubled ? [{ kind: undefined, sinceMs: NOW_MS, untilMs: NOW_MS }] : [];
    return streamConditions([{ id: "kraken", breakers: { troubled } }], {
      ...{ nowMs: NOW_MS, streams: { state: () => state } },
    });
  };
  const begins = (state: State, isTroubled?: boolean): unknown =>
    judged(state, isTroubled).map(({ mayBegin }) => mayBegin);
  assert.deepEqual(judged({ ...opened, unsteadySinceMs: NOW_MS - 6 * MINUTE_MS }), [{
    exchange: "kraken",
    value: 360,
    threshold: 300,
    summary: "kraken: its stream has been down, or has not stayed open, for 6 min (over 5 min) " +
      "(unopened: connection refused). Polls go on",
    mayBegin: true,
  }]);
  const long = { ...opened, unsteadySinceMs: NOW_MS - 6 * MINUTE_MS };
  assert.deepEqual(begins(long, true), [false], "a breaker that is open says it already");
  assert.deepEqual(begins({ ...long, kind: "up" }), [true], "it does not stay open");
  assert.deepEqual(begins({ ...opened, unsteadySinceMs: NOW_MS - 5 * MINUTE_MS }), [false]);
  assert.deepEqual(judged({ ...opened, unsteadySinceMs: undefined }), []);
  assert.deepEqual(judged({ kind: "off" }), []);
  const unopened = {
    ...opened,
    sinceMs: undefined,
    unsteadySinceMs: undefined,
    lastEnd: undefined,
  };
  assert.deepEqual(begins(unopened), [false], "a running alert outlives a restart");
});

Deno.test("two minutes more are allowed to an exchange that has a stream, and to no other", () => {
  const ends = (ms: number): readonly CoverageEnd[] => [
    { series: SERIES, chosen: "list", coveredUntilMs: NOW_MS - ms },
  ];
  const exchanges = [{ ...KRAKEN, breakers: { troubled: [] } }];
  const stale = (ms: number, isStreamed: boolean): number =>
    staleConditions(ends(ms), { exchanges, nowMs: NOW_MS, isStreamed: () => isStreamed }).length;
  assert.deepEqual([stale(6 * MINUTE_MS, true), stale(6 * MINUTE_MS, false)], [0, 1]);
  assert.deepEqual([stale(7 * MINUTE_MS, true), stale(7 * MINUTE_MS + 1, true)], [0, 1]);
});
