/** The markets of an exchange, made from one answer and from what is known: no exchange, no database. @module */
import assert from "node:assert/strict";
import { type Markets, newsOf, streamedSeries } from "../../lib/archive/markets_in_force.ts";
import { readConfig } from "../../lib/config/config.ts";
import type { MarketFacts, MarketList } from "../../lib/exchange/market_list.ts";
import type { KnownMarkets } from "../../lib/fetch/known_markets.ts";
import { type MadeMarkets, makeMarkets } from "../../lib/fetch/markets.ts";
import { seriesName } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Listing } from "../../lib/store/listings.ts";

const NOW_MS = Date.UTC(2024, 5, 1, 12);
const HOUR_MS = 3_600_000;

const SPOT = {
  kind: "spot",
  settle: undefined,
  contractSize: undefined,
  volumeUnit: "base",
} as const;

interface Given {
  readonly exchange?: string;
  /** What is listed. @default BTC/USDT and ETH/USDT, both traded */
  readonly listed?: Readonly<Record<string, Partial<MarketFacts>>>;
  readonly top?: readonly string[];
  /** Why kinds of markets are not listed, by a part of the symbols of that kind. */
  readonly failed?: Readonly<Record<string, Error>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly checkpoints?: KnownMarkets["checkpoints"];
  readonly listings?: readonly Listing[];
  readonly listedElsewhere?: readonly string[];
  readonly proof?: KnownMarkets["proof"];
  readonly atMs?: number;
  readonly dateMs?: number;
}

function make(
  { exchange = "binance", listed = { "BTC/USDT": {}, "ETH/USDT": {} }, ...given }: Given,
): MadeMarkets {
  const list: MarketList = new Map(
    Object.entries(listed).map(([symbol, facts]) => [
      symbol,
      { id: symbol.replace("/", ""), isActive: true, ...SPOT, ...facts },
    ]),
  );
  const env = {
    EXCHANGES: exchange,
    SYMBOLS: "BTC/USDT,ETH/USDT",
    TIMEFRAMES: "1h",
    BACKFILL: "1h:30d",
    ...given.variables,
  };
  const config = readConfig({ env }, {
    knownExchanges: ["binance", "kraken"],
    isCron: () => true,
  });
  const { top = [], checkpoints = [], listings = [], proof, atMs = NOW_MS, dateMs } = given;
  const failures = Object.entries(given.failed ?? {}).map(([part, error]) => ({
    kind: { has: (symbol: string) => symbol.includes(part) },
    error,
  }));
  return makeMarkets({ exchange, list, failures, top, atMs, dateMs }, {
    config,
    checkpoints,
    listings,
    listedElsewhere: new Set(given.listedElsewhere),
    proof,
  });
}

function checkpoint(
  symbol: string,
  known: Partial<KnownMarkets["checkpoints"][number]> = {},
): KnownMarkets["checkpoints"][number] {
  const series = { exchange: "binance", symbol, timeframe: parseTimeframe("1h") };
  return { series, chosen: "list", endedWhy: undefined, ...known };
}

function listing(symbol: string, known: Partial<Listing> = {}): Listing {
  const marketId = symbol.replace("/", "");
  return {
    symbol,
    marketId,
    ...SPOT,
    replacedMs: undefined,
    untilMs: undefined,
    why: undefined,
    absentMs: undefined,
    missingMs: undefined,
    ...known,
  };
}

const LINEAR = { kind: "linear", settle: "USDT", contractSize: 1, volumeUnit: "base" } as const;

function idOf({ markets }: MadeMarkets["news"], symbol: string): string | undefined {
  return markets.find((one) => one.symbol === symbol)?.marketId;
}

const names = ({ series }: Pick<Markets, "series">): readonly string[] => series.map(seriesName);

Deno.test("what is configured and listed is archived, in every timeframe that is polled or backfilled", () => {
  const { markets, chosen, news } = make({
    variables: { TIMEFRAMES: "1m", BACKFILL: "1h:30d" },
  });
  const expected = [
    ...["binance BTC/USDT 1m", "binance BTC/USDT 1h"],
    ...["binance ETH/USDT 1m", "binance ETH/USDT 1h"],
  ];
  assert.deepEqual(names(markets), expected);
  assert.deepEqual(chosen, markets.series);
  assert.deepEqual([markets.exchange, markets.loadedAtMs], ["binance", NOW_MS]);
  assert.deepEqual(news.changes, [
    { kind: "begins", symbol: "BTC/USDT", marketId: "BTCUSDT" },
    { kind: "begins", symbol: "ETH/USDT", marketId: "ETHUSDT" },
  ]);
  assert.deepEqual([markets.unlisted, [...markets.suspended], markets.leftOut], [[], [], []]);
});

Deno.test("a timeframe whose candles open at other times on the exchange is left out, and named", () => {
  const { markets } = make({
    exchange: "kraken",
    variables: { BACKFILL: "1h:30d,1w:1y" },
  });
  assert.deepEqual(markets.leftOut, [
    { timeframe: "1w", why: "opens_elsewhere", classes: undefined },
  ]);
  assert.deepEqual(names(markets), ["kraken BTC/USDT 1h", "kraken ETH/USDT 1h"]);
});

Deno.test("a timeframe that only a kind of markets lacks is left out of that kind, and named with it", () => {
  const { markets } = make({
    listed: { "BTC/USDT": {}, "BTC/USDT:USDT": {} },
    variables: { SYMBOLS: "BTC/USDT,BTC/USDT:USDT", TIMEFRAMES: "1s", BACKFILL: "1h:30d" },
  });
  assert.deepEqual(names(markets), [
    "binance BTC/USDT 1s",
    "binance BTC/USDT 1h",
    "binance BTC/USDT:USDT 1h",
  ]);
  assert.deepEqual(newsOf(markets).leftOut, [
    "binance 1s of linear markets is left out: this exchange has no 1s for them. Leave 1s out of " +
    "TIMEFRAMES and BACKFILL, or the symbols of these markets out of SYMBOLS",
  ]);
});

Deno.test("a symbol that is not listed is named with its nearest, and asked for only where no other exchange may list it", () => {
  const listed = { "BTC/USDT": {}, "ETHW/USDT": {} };
  const alone = make({ listed }).markets;
  assert.deepEqual(alone.unlisted, [{ symbol: "ETH/USDT", nearest: ["ETHW/USDT"] }]);
  assert.deepEqual(names(alone), ["binance BTC/USDT 1h", "binance ETH/USDT 1h"]);
  const among = make({ listed, variables: { EXCHANGES: "binance,kraken" } }).markets;
  assert.deepEqual(among.unlisted, alone.unlisted);
  assert.deepEqual(names(among), ["binance BTC/USDT 1h"]);
});

Deno.test("a symbol that the ledger knows stays while it is missing, so that its end is seen", () => {
  const { markets } = make({
    listed: { "BTC/USDT": {} },
    variables: { EXCHANGES: "binance,kraken" },
    checkpoints: [checkpoint("ETH/USDT")],
    listings: [listing("BTC/USDT"), listing("ETH/USDT")],
  });
  assert.deepEqual(markets.unlisted, []);
  assert.deepEqual(names(markets), ["binance BTC/USDT 1h", "binance ETH/USDT 1h"]);
  assert.deepEqual([...markets.absentSinceMs], [["ETH/USDT", NOW_MS]]);
});

Deno.test("top:N takes the most traded of the day and never drops one that it took before", () => {
  const { markets, chosen } = make({
    variables: { SYMBOLS: "top:1" },
    top: ["ETH/USDT"],
    checkpoints: [
      checkpoint("BTC/USDT", { chosen: "top" }),
      checkpoint("SOL/USDT", { chosen: "list" }),
    ],
  });
  assert.deepEqual(names(markets), ["binance ETH/USDT 1h", "binance BTC/USDT 1h"]);
  assert.equal(chosen.length, 2);
});

Deno.test("patterns choose what is traded and plainly named, exclusions come last, and names are united with them", () => {
  const { markets, byRule } = make({
    listed: {
      "BTC/FDUSD": {},
      "ETHUP/FDUSD": {},
      "OLD/FDUSD": { isActive: false },
      "ВТС/FDUSD": {},
      "BTC/USDT": {},
      "ETH/USDT": {},
      "BTC/FDUSD:FDUSD": LINEAR,
    },
    variables: { SYMBOLS: "ETH/USDT,*/FDUSD,!*UP/*" },
  });
  assert.deepEqual(names(markets), ["binance ETH/USDT 1h", "binance BTC/FDUSD 1h"]);
  assert.deepEqual([...byRule], ["BTC/FDUSD"]);
});

Deno.test("what a pattern has chosen stays while it is a pattern, and ends with it or with an exclusion", () => {
  const kept: Given = {
    listed: { "BTC/USDT": {}, "SOL/USDT": { isActive: false } },
    checkpoints: [checkpoint("SOL/USDT", { chosen: "top" })],
  };
  const namesOf = (SYMBOLS: string): readonly string[] =>
    names(make({ ...kept, variables: { SYMBOLS } }).markets);
  assert.deepEqual(namesOf("SOL/*"), ["binance SOL/USDT 1h"]);
  assert.deepEqual(namesOf("BTC/*"), ["binance BTC/USDT 1h"]);
  assert.deepEqual(namesOf("top:1"), ["binance SOL/USDT 1h"]);
  assert.deepEqual(namesOf("*/USDT,!SOL/*"), ["binance BTC/USDT 1h"]);
});

Deno.test("a symbol is delisted when it has been missing for an hour, by what the lists before said", () => {
  const missing: Given = {
    listed: { "BTC/USDT": {} },
    checkpoints: [checkpoint("BTC/USDT"), checkpoint("ETH/USDT")],
    listings: [listing("BTC/USDT"), listing("ETH/USDT")],
  };
  const first = make(missing);
  assert.deepEqual([first.news.changes, [...first.markets.absentSinceMs]], [[], [[
    "ETH/USDT",
    NOW_MS,
  ]]]);
  const since = listing("ETH/USDT", { missingMs: NOW_MS });
  const noted = { ...missing, listings: [listing("BTC/USDT"), since] };
  const second = make({ ...noted, atMs: NOW_MS + HOUR_MS - 1 });
  assert.deepEqual([...second.markets.absentSinceMs], [["ETH/USDT", NOW_MS]]);
  assert.equal(names(second.markets).length, 2);
  const third = make({ ...noted, atMs: NOW_MS + HOUR_MS });
  assert.deepEqual(third.news.changes, [{
    kind: "ends",
    symbol: "ETH/USDT",
    why: "delisted",
    successor: undefined,
    atMs: NOW_MS,
  }]);
  assert.deepEqual([...third.markets.absentSinceMs], []);
  assert.deepEqual(names(third.markets), ["binance BTC/USDT 1h"]);
  assert.equal(third.chosen.length, 2);
});

Deno.test("a symbol that is listed again within the hour was never missing", () => {
  const missed = listing("ETH/USDT", { missingMs: NOW_MS - HOUR_MS });
  const { markets, news } = make({ listings: [listing("BTC/USDT"), missed] });
  assert.deepEqual([news.changes, [...markets.absentSinceMs]], [[], []]);
});

Deno.test("a symbol that stays missing after its end is noted as missing, and not asked for", () => {
  const { markets, news } = make({
    listed: { "BTC/USDT": {} },
    checkpoints: [checkpoint("ETH/USDT", { endedWhy: "delisted" })],
    listings: [listing("BTC/USDT"), listing("ETH/USDT", { untilMs: NOW_MS, why: "delisted" })],
  });
  assert.deepEqual([news.changes, news.missing], [[], ["ETH/USDT"]]);
  assert.deepEqual(names(markets), ["binance BTC/USDT 1h"]);
});

Deno.test("a market that is suspended keeps its series, and is traded again under the same listing", () => {
  const pausing = make({
    listed: { "BTC/USDT": {}, "ETH/USDT": { isActive: false } },
    listings: [listing("BTC/USDT"), listing("ETH/USDT")],
  });
  assert.deepEqual([...pausing.markets.suspended], ["ETH/USDT"]);
  assert.equal(names(pausing.markets).length, 2);
  const known = {
    checkpoints: [checkpoint("ETH/USDT", { endedWhy: "suspended" })],
    listings: [listing("BTC/USDT"), listing("ETH/USDT", { untilMs: NOW_MS, why: "suspended" })],
  };
  const still = make({ ...known, listed: { "BTC/USDT": {}, "ETH/USDT": { isActive: false } } });
  assert.deepEqual([still.news.changes, [...still.markets.suspended]], [[], ["ETH/USDT"]]);
  const back = make(known);
  assert.deepEqual([...back.markets.suspended], []);
  assert.deepEqual(back.news.changes, [{
    kind: "returns",
    symbol: "ETH/USDT",
    marketId: "ETHUSDT",
    isNew: false,
    absentMs: NOW_MS,
  }]);
});

Deno.test("a spot market that goes on under another symbol was renamed, whatever else has its id", () => {
  const { markets, news } = make({
    listed: {
      "BTC/USDT": {},
      "ETH/USDT:USDT": { id: "ETHUSDT", kind: "linear", settle: "USDT" },
      "ETHX/USDT": { id: "ETHUSDT" },
    },
    checkpoints: [checkpoint("ETH/USDT")],
    listings: [listing("BTC/USDT"), listing("ETH/USDT")],
  });
  assert.deepEqual(news.changes, [{
    kind: "ends",
    symbol: "ETH/USDT",
    why: "renamed",
    successor: "ETHX/USDT",
    atMs: NOW_MS,
  }]);
  assert.deepEqual(names(markets), ["binance BTC/USDT 1h"]);
});

Deno.test("what another node's list has is not entered as suspended, renamed or gone, but as another market", () => {
  const BTC = { "BTC/USDT": {} };
  const lists: readonly (readonly [Given["listed"], string | undefined])[] = [
    [{ ...BTC, "ETH/USDT": { isActive: false } }, undefined],
    [{ ...BTC, "ETHX/USDT": { id: "ETHUSDT" } }, undefined],
    [BTC, undefined],
    [{ ...BTC, "ETH/USDT": { id: "ETHUSDT2" } }, "replaced"],
  ];
  for (const [listed, kind] of lists) {
    const known = {
      listed: listed!,
      checkpoints: [checkpoint("ETH/USDT")],
      listings: [listing("BTC/USDT"), listing("ETH/USDT", { missingMs: NOW_MS - 2 * HOUR_MS })],
    };
    const { news, markets } = make({ ...known, listedElsewhere: ["BTC/USDT", "ETH/USDT"] });
    const kinds = news.changes.flatMap((change) => change.symbol === "ETH/USDT" ? change.kind : []);
    assert.deepEqual(kinds, kind === undefined ? [] : [kind]);
    assert.deepEqual([news.lacked, markets.elsewhere], [["ETH/USDT"], ["ETH/USDT"]]);
    assert.deepEqual([...markets.absentSinceMs], []);
    assert.equal(make(known).news.changes.some(({ symbol }) => symbol === "ETH/USDT"), true);
  }
});

Deno.test("a list that has none of the archived symbols is in force where another node's list has them all", () => {
  const symbols = ["BTC/USDT", "ETH/USDT"];
  const known = {
    listed: { "SOL/USDT": {} },
    checkpoints: symbols.map((symbol) => checkpoint(symbol)),
    listings: symbols.map((symbol) => listing(symbol)),
  };
  const { news, markets } = make({ ...known, listedElsewhere: symbols });
  assert.deepEqual([news.isNoneListed, news.changes], [false, []]);
  assert.deepEqual([news.lacked, markets.elsewhere], [symbols, symbols]);
  // Then that node knows that nobody else has them: a day of such lists ends them.
  const other = make(known).news;
  assert.deepEqual([other.isNoneListed, other.changes, [...other.absentSinceMs.keys()]], [
    true,
    [],
    symbols,
  ]);
});

Deno.test("a list without any of several archived symbols is believed after a day of such lists", () => {
  const known: Given = {
    listed: { "SOL/USDT": {} },
    checkpoints: [checkpoint("BTC/USDT"), checkpoint("ETH/USDT")],
  };
  const { news } = make({ ...known, listings: [listing("BTC/USDT"), listing("ETH/USDT")] });
  assert.deepEqual([news.changes, news.isNoneListed], [[], true]);
  const since = { missingMs: NOW_MS - 24 * HOUR_MS + 1 };
  const listings = [listing("BTC/USDT", since), listing("ETH/USDT", since)];
  const almost = make({ ...known, listings });
  assert.deepEqual([almost.news.changes, almost.news.isNoneListed], [[], true]);
  const over = make({ ...known, listings, atMs: NOW_MS + 1 });
  assert.equal(over.news.isNoneListed, false);
  assert.deepEqual(over.news.changes.map((change) => "why" in change && change.why), [
    "delisted",
    "delisted",
  ]);
  const ended = listing("ETH/USDT", { untilMs: NOW_MS, why: "delisted" });
  const last = make({ ...known, listings: [listing("BTC/USDT"), ended] });
  assert.deepEqual([last.news.changes, last.news.isNoneListed], [[], false]);
});

const PERPETUAL = { ...LINEAR, id: "ETHUSDT" } as const;

/** A contract with these prices. */
function contractOf(
  symbol: string,
  facts: Partial<MarketFacts>,
  prices: readonly string[] = ["mark", "index"],
): Readonly<Record<string, Partial<MarketFacts>>> {
  const all = [symbol, ...prices.map((price) => `${symbol}@${price}`)];
  return Object.fromEntries(all.map((one) => [one, facts]));
}

Deno.test("a price of a contract is archived as the market that it is of; one that it lacks is told with those it has", () => {
  const { markets, news } = make({
    listed: { "BTC/USDT": {}, ...contractOf("ETH/USDT:USDT", PERPETUAL) },
    variables: {
      SYMBOLS: "BTC/USDT,ETH/USDT:USDT@mark,ETH/USDT:USDT@premium",
      EXCHANGES: "binance,kraken",
    },
  });
  assert.deepEqual(names(markets), [
    "binance BTC/USDT 1h",
    "binance ETH/USDT:USDT@mark 1h",
  ]);
  const { symbol, marketId, kind } = news.markets[1] ?? {};
  assert.deepEqual([symbol, marketId, kind], ["ETH/USDT:USDT@mark", "ETHUSDT", "linear"]);
  assert.deepEqual(markets.unlisted, [{
    symbol: "ETH/USDT:USDT@premium",
    nearest: ["ETH/USDT:USDT@mark", "ETH/USDT:USDT@index"],
  }]);
});

Deno.test("a pattern is of one price, an exclusion too, and top:N chooses trades alone", () => {
  const listed = {
    ...contractOf("ETH/USDT:USDT", PERPETUAL),
    ...contractOf("SOL/USDT:USDT", { ...PERPETUAL, id: "SOLUSDT" }),
  };
  const chosenBy = (SYMBOLS: string, given: Given = {}): readonly string[] =>
    names(make({ listed, ...given, variables: { SYMBOLS } }).markets);
  assert.deepEqual(chosenBy("*/USDT:USDT@mark,!SOL/*:*@mark"), [
    "binance ETH/USDT:USDT@mark 1h",
  ]);
  assert.deepEqual(chosenBy("*/USDT:USDT,!SOL/*:*@mark"), [
    "binance ETH/USDT:USDT 1h",
    "binance SOL/USDT:USDT 1h",
  ]);
  const checkpoints = ["ETH/USDT:USDT@mark", "SOL/USDT:USDT"].map((symbol) =>
    checkpoint(symbol, { chosen: "top" })
  );
  const kept = chosenBy("top:5:USDT:linear", { checkpoints });
  assert.deepEqual(kept, ["binance SOL/USDT:USDT 1h"]);
  assert.deepEqual(chosenBy("top:5", { checkpoints }), []);
});

Deno.test("a price follows its market when that is renamed, suspended or gone", () => {
  const mark = "ETH/USDT:USDT@mark";
  const known = {
    variables: { SYMBOLS: `BTC/USDT,${mark}` },
    checkpoints: [checkpoint("BTC/USDT"), checkpoint(mark)],
    listings: [
      listing("BTC/USDT"),
      listing(mark, { ...LINEAR, marketId: "ETHUSDT", missingMs: NOW_MS - 2 * HOUR_MS }),
    ],
  };
  const changeBy = (listed: Given["listed"]): unknown => {
    const [change] = make({ ...known, listed: { "BTC/USDT": {}, ...listed } }).news.changes;
    return change?.kind === "ends" ? [change.symbol, change.why, change.successor] : change;
  };
  assert.deepEqual(changeBy(contractOf("ETHX/USDT:USDT", PERPETUAL)), [
    ...[mark, "renamed", "ETHX/USDT:USDT@mark"],
  ]);
  assert.deepEqual(changeBy(contractOf("ETH/USDT:USDT", { ...PERPETUAL, isActive: false })), [
    ...[mark, "suspended", undefined],
  ]);
  assert.deepEqual(changeBy({}), [mark, "delisted", undefined]);
  assert.equal(changeBy(contractOf("ETH/USDT:USDT", PERPETUAL)), undefined);
});

Deno.test("streams are not asked for prices that nobody trades", () => {
  const { markets } = make({
    listed: contractOf("ETH/USDT:USDT", PERPETUAL),
    variables: { SYMBOLS: "ETH/USDT:USDT,ETH/USDT:USDT@mark" },
  });
  const streamed = streamedSeries(markets, { timeframes: ["1h"] });
  assert.deepEqual(streamed.map(({ symbol }) => symbol), ["ETH/USDT:USDT"]);
});

/** `ETH/USDT` means the market ETH2USDT; the archived one is ETHUSDT. */
const TAKEN: Given = {
  listed: { "BTC/USDT": {}, "ETH/USDT": { id: "ETH2USDT" } },
  checkpoints: [checkpoint("BTC/USDT"), checkpoint("ETH/USDT")],
  listings: [listing("BTC/USDT"), listing("ETH/USDT")],
};

Deno.test("a symbol that means another market begins anew there, and says what it was", () => {
  const { markets, news } = make(TAKEN);
  assert.deepEqual(news.changes, [{
    kind: "replaced",
    terms: { kind: "spot", settle: undefined, contractSize: undefined, volumeUnit: "base" },
    symbol: "ETH/USDT",
    formerId: "ETHUSDT",
    marketId: "ETH2USDT",
    difference: "ETH2USDT instead of ETHUSDT",
    fromMs: NOW_MS,
    successor: undefined,
  }]);
  assert.equal(idOf(news, "ETH/USDT"), "ETH2USDT");
  assert.deepEqual([...markets.replacedMs], [["ETH/USDT", NOW_MS]]);
  assert.deepEqual(newsOf(markets).replaced, [
    "ETH/USDT now means another market, ETH2USDT instead of ETHUSDT: a new listing begins",
  ]);
  assert.equal(names(markets).length, 2);
});

Deno.test("though our clock was set back, the new market is not asked for time that has passed at the exchange", () => {
  const { markets } = make({ ...TAKEN, dateMs: NOW_MS + 4 * HOUR_MS });
  assert.deepEqual([...markets.replacedMs], [["ETH/USDT", NOW_MS + 4 * HOUR_MS]]);
  assert.equal(markets.loadedAtMs, NOW_MS);
});

Deno.test("a market whose symbol went to another one was renamed, when it is listed elsewhere", () => {
  const { news: { changes } } = make({
    ...TAKEN,
    listed: { ...TAKEN.listed, "ETHC/USDT": { id: "ETHUSDT" } },
  });
  const [change] = changes;
  assert.deepEqual([change?.kind, changes.length], ["replaced", 1]);
  assert.equal(change?.kind === "replaced" && change.successor, "ETHC/USDT");
});

Deno.test("of two markets with one symbol the archived one stays, traded or not", () => {
  const both = (isActive: boolean): Given => ({
    ...TAKEN,
    listed: {
      "BTC/USDT": {},
      "ETH/USDT": {
        id: "ETH2USDT",
        namesakes: [{ id: "ETHUSDT", isActive, ...SPOT }],
      },
    },
  });
  const traded = make(both(true));
  assert.deepEqual([traded.news.changes, newsOf(traded.markets).replaced], [[], []]);
  assert.equal(idOf(traded.news, "ETH/USDT"), "ETHUSDT");
  const halted = make(both(false));
  assert.deepEqual(halted.news.changes.map((change) => "why" in change && change.why), [
    "suspended",
  ]);
  assert.equal(idOf(halted.news, "ETH/USDT"), "ETHUSDT");
});

Deno.test("a market that is not traded takes no symbol over", () => {
  const { news } = make({
    ...TAKEN,
    listed: { "BTC/USDT": {}, "ETH/USDT": { id: "ETH2USDT", isActive: false } },
  });
  assert.deepEqual(news.changes, []);
  assert.deepEqual([...news.absentSinceMs], [["ETH/USDT", NOW_MS]]);
  assert.equal(idOf(news, "ETH/USDT"), undefined);
});

Deno.test("a symbol that comes back as another market begins where it was last missing", () => {
  const absentMs = NOW_MS - HOUR_MS;
  const delisted = { untilMs: NOW_MS - 9 * HOUR_MS, why: "delisted", absentMs } as const;
  const ended = make({ ...TAKEN, listings: [listing("BTC/USDT"), listing("ETH/USDT", delisted)] });
  assert.deepEqual([...ended.markets.replacedMs], [["ETH/USDT", absentMs]]);
  const suspended = { untilMs: NOW_MS - 9 * HOUR_MS, why: "suspended" } as const;
  const halted = make({
    ...TAKEN,
    listings: [listing("BTC/USDT"), listing("ETH/USDT", suspended)],
  });
  assert.deepEqual([...halted.markets.replacedMs], [["ETH/USDT", NOW_MS]]);
});

Deno.test("an archive without market ids learns them, and says nothing", () => {
  const old = { marketId: undefined };
  const { markets, news } = make({
    ...TAKEN,
    listings: [listing("BTC/USDT", old), listing("ETH/USDT", old)],
  });
  assert.deepEqual(news.changes, [
    { kind: "identified", symbol: "BTC/USDT" },
    { kind: "identified", symbol: "ETH/USDT" },
  ]);
  assert.deepEqual([idOf(news, "BTC/USDT"), idOf(news, "ETH/USDT")], ["BTCUSDT", "ETH2USDT"]);
  assert.deepEqual([...markets.replacedMs], []);
});

Deno.test("a contract that ends was not renamed to the spot market with its id", () => {
  const swap = "ETH/USDT:USDT";
  const { news } = make({
    variables: { SYMBOLS: `BTC/USDT,${swap}` },
    listings: [
      listing("BTC/USDT"),
      listing(swap, { marketId: "ETHUSDT", ...LINEAR, missingMs: NOW_MS - HOUR_MS }),
    ],
  });
  assert.deepEqual(news.changes.map((change) => "why" in change && change.why), ["delisted"]);
});

Deno.test("symbols whose kind was not loaded are told of, and neither asked for nor taken for delisted", () => {
  const swap = "ETH/USDT:USDT";
  const { markets, news } = make({
    variables: { SYMBOLS: `BTC/USDT,${swap}` },
    listings: [listing("BTC/USDT"), listing(swap)],
    failed: { ":USDT": new Error("HTTP 451") },
  });
  assert.deepEqual(names(markets), ["binance BTC/USDT 1h"]);
  assert.deepEqual([news.changes, [...markets.absentSinceMs], markets.unlisted], [[], [], []]);
  assert.deepEqual(newsOf(markets).unloaded, [`binance ${swap}: HTTP 451`]);
});

Deno.test("a market of another kind does not take a symbol over while the archived kind is not loaded", () => {
  const swap = "ETH/USDT:USDT";
  const given: Given = {
    listed: { "BTC/USDT": {}, [swap]: { id: "ETH-LOOKALIKE", ...LINEAR } },
    variables: { SYMBOLS: `BTC/USDT,${swap}` },
    checkpoints: [checkpoint("BTC/USDT"), checkpoint(swap)],
    listings: [listing("BTC/USDT"), listing(swap, { marketId: "ETH-SWAP", ...LINEAR })],
  };
  assert.deepEqual(make(given).news.changes.map(({ kind }) => kind), ["replaced"]);
  const { markets, news } = make({ ...given, failed: { ":USDT": new Error("HTTP 451") } });
  assert.deepEqual([news.changes, [...markets.absentSinceMs], markets.unlisted], [[], [], []]);
  assert.deepEqual(names(markets), ["binance BTC/USDT 1h"]);
  assert.deepEqual(newsOf(markets).unloaded, [`binance ${swap}: HTTP 451`]);
  const top = make({
    ...given,
    variables: { SYMBOLS: "top:1" },
    top: ["BTC/USDT"],
    checkpoints: [checkpoint(swap, { chosen: "top" })],
    failed: { ":USDT": new Error("HTTP 451") },
  });
  assert.deepEqual([top.news.changes, names(top.markets)], [[], ["binance BTC/USDT 1h"]]);
});

Deno.test("a contract whose numbers mean something else begins anew, though it keeps its id", () => {
  const swap = "ETH/USDT:USDT";
  const changed = (before: object, now: object): MadeMarkets =>
    make({
      listed: { "BTC/USDT": {}, [swap]: { id: "ETHUSDT", ...LINEAR, ...now } },
      variables: { SYMBOLS: `BTC/USDT,${swap}` },
      checkpoints: [checkpoint("BTC/USDT"), checkpoint(swap)],
      listings: [listing("BTC/USDT"), listing(swap, { marketId: "ETHUSDT", ...LINEAR, ...before })],
    });
  for (
    const [change, words] of [
      [{ contractSize: 10 }, "contracts of 10 instead of 1"],
      [{ settle: "USDC" }, "settlement in USDC instead of USDT"],
      [{ volumeUnit: "contracts" }, "volumes in contracts instead of base"],
      [{ kind: "inverse" }, "kind inverse instead of linear"],
    ] as const
  ) {
    const { markets, news } = changed({}, change);
    assert.deepEqual(newsOf(markets).replaced, [
      `${swap} now means another market, ETHUSDT with ${words}: a new listing begins`,
    ]);
    assert.deepEqual([...markets.replacedMs], [[swap, NOW_MS]]);
    assert.deepEqual({ ...LINEAR, ...news.markets[1], ...change }, news.markets[1]);
  }
  for (const known of [{ contractSize: undefined }, { ...SPOT, kind: undefined }]) {
    assert.deepEqual(changed(known, {}).news.changes, [{ kind: "identified", symbol: swap }]);
    assert.deepEqual(changed({}, known).news.changes, [], "what a list does not say is no change");
  }
});

Deno.test("an id that is proved to be a new spelling goes on, and what could not be proved is left alone", () => {
  const respelled = new Map([["ETH/USDT", "ETH2USDT"]]);
  const same = make({ ...TAKEN, proof: { respelled, undecided: [] } });
  assert.deepEqual(same.news.changes, [{ kind: "identified", symbol: "ETH/USDT" }]);
  const { formerId, marketId } = same.news.markets[1] ?? {};
  assert.deepEqual([formerId, marketId], ["ETHUSDT", "ETH2USDT"]);
  assert.deepEqual([[...same.markets.replacedMs], newsOf(same.markets).replaced], [[], []]);

  const undecided = [{ symbol: "ETH/USDT", error: new Error("HTTP 503") }];
  const { markets, news } = make({ ...TAKEN, proof: { respelled: new Map(), undecided } });
  assert.deepEqual([news.changes, names(markets)], [[], ["binance BTC/USDT 1h"]]);
  assert.deepEqual(newsOf(markets).unloaded, ["binance ETH/USDT: HTTP 503"]);
  assert.equal(markets.isPartial, true, "asked again soon");
});
