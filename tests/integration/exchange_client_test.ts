/** The exchange client with the real CCXT classes, over HTTP, against the local exchange. @module */
import assert from "node:assert/strict";
import {
  type ExchangeClient,
  openExchange,
  type OpenExchangeOptions,
} from "../../lib/exchange/client.ts";
import { FetchError, type FetchErrorKind } from "../../lib/exchange/fetch_error.ts";
import type { MarketList } from "../../lib/exchange/market_list.ts";
import { binance } from "../support/local_exchange/binance.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import type { Fault } from "../support/local_exchange/fault.ts";
import type {
  LocalExchange,
  LocalExchangeOptions,
} from "../support/local_exchange/faulty_exchange.ts";
import { LOCAL_SYMBOLS, type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import type { Series } from "../../lib/market/series.ts";
import { addCandles, parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { bitfinex } from "../support/dialects/bitfinex.ts";
import { bitget } from "../support/dialects/bitget.ts";
import { bitstamp } from "../support/dialects/bitstamp.ts";
import { bybit } from "../support/dialects/bybit.ts";
import { coinbase } from "../support/dialects/coinbase.ts";
import { cryptocom } from "../support/dialects/cryptocom.ts";
import { gate } from "../support/dialects/gate.ts";
import { gemini } from "../support/dialects/gemini.ts";
import { htx } from "../support/dialects/htx.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { kucoin } from "../support/dialects/kucoin.ts";
import { NOW_MS, STILL_CLOCK, withExchange } from "../support/dialects/local_client.ts";
import { mexc } from "../support/dialects/mexc.ts";
import { okx } from "../support/dialects/okx.ts";
import { whitebit } from "../support/dialects/whitebit.ts";
import { ManualClock } from "../support/manual_clock.ts";

const MINUTE_MS = 60_000;
const SINCE_MS = Date.UTC(2024, 5, 1, 11, 30);

const [BTC] = LOCAL_SYMBOLS as readonly [LocalSymbol];

interface Facts {
  readonly dialect: Dialect;
  /** Where the class keeps its public URLs. */
  readonly urls: (url: string) => Readonly<Record<string, unknown>>;
  /** What loading the markets asks for, sorted: some is asked for at the same time. */
  readonly marketRequests: readonly string[];
  /** @default whatever ends in its id and `.com` */
  readonly host?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Whether its class takes any object that is no candle list for a refusal, or for a list. */
  readonly readsAnyObject?: boolean;
  readonly pageRowsMax: number;
  /** The code that means success, where it is neither absent nor zero. */
  readonly success?: string;
  /** A timeframe whose candles open on UTC. @default 1d */
  readonly long?: string;
}

const EXCHANGES: readonly Facts[] = [
  {
    dialect: binance,
    urls: (url) => ({ public: `${url}/api/v3` }),
    // It takes any object for a list of its values, which is then rejected row by row.
    readsAnyObject: true,
    marketRequests: ["/api/v3/exchangeInfo"],
    pageRowsMax: 1_000,
  },
  {
    dialect: kraken,
    urls: (url) => ({ public: url }),
    marketRequests: ["/0/public/AssetPairs"],
    pageRowsMax: 720,
  },
  {
    dialect: okx,
    urls: (url) => ({ rest: url }),
    marketRequests: ["/api/v5/public/instruments?instType=SPOT"],
    pageRowsMax: 300,
  },
  {
    dialect: coinbase,
    urls: (url) => ({ rest: url }),
    // The class asks for futures whatever it is told; a failure of those is swallowed.
    marketRequests: [
      "/api/v3/brokerage/market/products",
      "/api/v3/brokerage/market/products?product_type=FUTURE",
      "/api/v3/brokerage/market/products?product_type=FUTURE&contract_expiry_type=PERPETUAL",
    ],
    pageRowsMax: 300,
  },
  {
    dialect: bybit,
    urls: (url) => ({ public: url }),
    marketRequests: ["/v5/market/instruments-info?category=spot"],
    pageRowsMax: 1_000,
  },
  {
    dialect: cryptocom,
    urls: (url) => ({ v1: `${url}/exchange/v1` }),
    marketRequests: ["/exchange/v1/public/get-instruments"],
    host: "api.crypto.com",
    pageRowsMax: 300,
  },
  {
    dialect: bitfinex,
    urls: (url) => ({ public: url }),
    marketRequests: [
      "/v2/conf/pub:info:pair,pub:info:pair:futures,pub:list:pair:securities,pub:list:pair:margin",
    ],
    readsAnyObject: true,
    pageRowsMax: 10_000,
  },
  {
    dialect: bitstamp,
    urls: (url) => ({ public: `${url}/api` }),
    marketRequests: ["/api/v2/markets/"],
    host: "www.bitstamp.net",
    // The class answers from its memory for a second.
    options: { fetchMarkets: { expires: -1 } },
    readsAnyObject: true,
    pageRowsMax: 1_000,
  },
  {
    dialect: gemini,
    urls: (url) => ({ public: url }),
    marketRequests: ["/v1/symbols"],
    pageRowsMax: 2_015,
  },
  {
    dialect: whitebit,
    urls: (url) => ({
      v1: { public: `${url}/api/v1/public` },
      v4: { public: `${url}/api/v4/public` },
    }),
    readsAnyObject: true,
    marketRequests: ["/api/v4/public/markets"],
    pageRowsMax: 1_440,
  },
  {
    dialect: kucoin,
    urls: (url) => ({ public: url }),
    marketRequests: ["/api/v2/symbols"],
    pageRowsMax: 1_500,
    success: "200000",
  },
  {
    dialect: gate,
    urls: (url) => ({ public: { spot: `${url}/api/v4`, margin: `${url}/api/v4` } }),
    marketRequests: ["/api/v4/margin/currency_pairs", "/api/v4/spot/currency_pairs"],
    pageRowsMax: 1_000,
    host: "api.gateio.ws",
    readsAnyObject: true,
  },
  {
    dialect: bitget,
    urls: (url) => ({ spot: url, margin: url }),
    marketRequests: ["/api/v2/margin/currencies", "/api/v2/spot/public/symbols"],
    pageRowsMax: 200,
    success: "00000",
  },
  {
    dialect: mexc,
    urls: (url) => ({ spot: { public: url }, contract: { public: `${url}/api/v1/contract` } }),
    // The class asks for futures whatever it is told.
    marketRequests: ["/api/v3/exchangeInfo"],
    pageRowsMax: 500,
    readsAnyObject: true,
  },
  {
    dialect: htx,
    urls: (url) => ({ spot: url }),
    marketRequests: ["/v1/common/symbols"],
    pageRowsMax: 1_000,
    host: "api.huobi.pro",
    // Its days open on Singapore time.
    long: "4h",
  },
];

/** A local exchange and a client of it, whose markets are loaded. */
interface Pair {
  readonly exchange: LocalExchange;
  readonly client: ExchangeClient;
  /** All markets, as they were loaded first; none where they were not. */
  readonly list: MarketList;
  readonly clock: ManualClock;
  readonly bans: readonly { readonly untilMs: number; readonly reason: string }[];
  /** One ask as the program makes it: a turn, then the page. Five minutes of BTC/USDT unless told. */
  ask(symbol?: string, list?: MarketList): Promise<readonly unknown[]>;
  /** How many requests have reached the exchange since the markets were loaded. */
  requests(): number;
}

interface PairOptions {
  readonly server?: Partial<LocalExchangeOptions>;
  readonly client?: Partial<OpenExchangeOptions>;
  readonly load?: boolean;
}

const FIVE_MINUTES: Window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 5 * MINUTE_MS };

async function withClient(
  { dialect, urls, options = {} }: Pick<Facts, "dialect" | "urls" | "options">,
  { server, client: clientOptions, load = true }: PairOptions,
  use: (pair: Pair) => Promise<void>,
): Promise<void> {
  await withExchange({ dialect, ...server }, async (exchange) => {
    // Starts late, so that the turn after loading the markets needs no wait.
    const clock = new ManualClock({ startMs: NOW_MS });
    const bans: { readonly untilMs: number; readonly reason: string }[] = [];
    const client = await openExchange(dialect.exchange, {
      clock,
      config: { urls: { api: urls(exchange.url) }, options },
      onBan: (ban) => {
        bans.push(ban);
        return Promise.resolve();
      },
      ...clientOptions,
    });
    const loaded: MarketList = load ? await client.loadMarkets() : new Map();
    const before = exchange.requests.length;
    await use({
      exchange,
      client,
      list: loaded,
      clock,
      bans,
      ask: async (symbol = "BTC/USDT", list = loaded) => {
        const turn = client.turn("live");
        turn.catch(() => {});
        // Longer than any class spaces its requests, loading MEXC's futures twice included, and far shorter than any ban.
        await clock.advance(20_000);
        await turn;
        const { rows } = await client.fetchCandles(minutesOf(client.id, symbol), FIVE_MINUTES, {
          list,
        });
        return rows;
      },
      requests: () => exchange.requests.length - before,
    });
    assert.equal(clock.sleepers, 0);
  });
}

const BINANCE = EXCHANGES[0] as Facts;

function minutesOf(exchange: string, symbol: string): Series {
  return { exchange, symbol, timeframe: parseTimeframe("1m") };
}

/** Puts a fault on the next request for candles. */
function strike(exchange: LocalExchange, fault: Fault): void {
  exchange.faults.add({ when: { about: "candles" }, times: 1, fault });
}

/** Asserts that an ask fails with a `FetchError` of this kind, and returns it. */
async function fails(ask: Promise<unknown>, kind: FetchErrorKind, seen = ""): Promise<FetchError> {
  const error = await ask.then(
    (value) => assert.fail(`${seen}: answered ${Deno.inspect(value)}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof FetchError, `${seen}: ${Deno.inspect(error)}`);
  assert.equal(error.kind, kind, `${seen}: ${error.message}`);
  return error;
}

for (const facts of EXCHANGES) {
  const { dialect, marketRequests, pageRowsMax, readsAnyObject = false, success = "0" } = facts;
  const id = dialect.exchange;

  Deno.test(`${id}: markets load slim, without currencies, and spot only`, async () => {
    await withClient(facts, { load: false }, async ({ exchange, client }) => {
      const list = await client.loadMarkets();
      const asked = exchange.requests.map(({ path, query }) => {
        const search = String(new URLSearchParams(query));
        return search === "" ? path : `${path}?${search}`;
      });
      assert.deepEqual(asked.sort(), marketRequests);
      assert.deepEqual(
        [...list.keys()].sort(),
        LOCAL_SYMBOLS.map(({ symbol }) => symbol).sort(),
      );
      assert.deepEqual([list.get("BTC/USDT")?.isActive, list.get("BTC/USDT")?.kind], [
        true,
        "spot",
      ]);
      assert.equal(list.has("toString"), false);
    });
  });

  Deno.test(`${id}: the client knows the class's timeframes and its page limit, or a smaller one it is given`, async () => {
    await withClient(facts, { load: false }, ({ client }) => {
      for (const text of client.timeframes) parseTimeframe(text);
      assert.ok(["1m", "1h", "1d"].every((text) => client.timeframes.includes(text)));
      assert.equal(client.pageRowsMax(minutesOf(id, "BTC/USDT")), pageRowsMax);
      return Promise.resolve();
    });
    await withClient(facts, { load: false, client: { pageRowsMax: 50 } }, ({ client }) => {
      assert.equal(client.pageRowsMax(minutesOf(id, "BTC/USDT")), 50);
      return Promise.resolve();
    });
  });

  Deno.test(`${id}: candles have the very digits of the exchange`, async () => {
    const overrides = [{
      timeframe: "1m",
      openTimeMs: SINCE_MS + MINUTE_MS,
      values: { volume: "12345678901234567890.12345678" },
    }];
    const symbols = [...LOCAL_SYMBOLS.slice(1), market("BTC/USDT", { ...BTC, overrides })];
    await withClient(facts, { server: { symbols } }, async ({ exchange, client, list }) => {
      for (const symbol of ["BTC/USDT", "PEPE/USDT", "ETH/BTC"]) {
        const long = facts.long ?? "1d";
        for (const [text, sinceMs] of [["1m", SINCE_MS], [long, Date.UTC(2024, 4, 1)]] as const) {
          const timeframe = parseTimeframe(text);
          const window = { sinceMs, untilMs: addCandles(timeframe, sinceMs, 20) };
          const series = { exchange: id, symbol, timeframe };
          const { rows } = await client.fetchCandles(series, window, { list });
          const expected = exchange.truth(symbol, timeframe, window).map((candle) =>
            exact([
              candle.openTimeMs,
              candle.open,
              candle.high,
              candle.low,
              candle.close,
              candle.volume,
            ])
          );
          assert.equal(expected.length, 20);
          assert.deepEqual(inside(rows, window), expected, `${symbol} ${text}`);
        }
      }
      const { rows } = await client.fetchCandles(minutesOf(id, "BTC/USDT"), FIVE_MINUTES, { list });
      assert.equal(inside(rows, FIVE_MINUTES)[1]?.[5], "12345678901234567890.12345678");
    });
  });

  Deno.test(`${id}: an answer that is no candle list never looks like an empty page, a real one does`, async () => {
    await withClient(facts, {}, async ({ exchange, ask, requests, bans }) => {
      const noLists = readsAnyObject ? [] : [
        `{"code":"${success}","retCode":0,"error":[],"errors":[],"warnings":[],"result":{"a":{}}}`,
      ];
      const faults: readonly Fault[] = [
        { kind: "html" },
        { kind: "truncated" },
        { kind: "empty_body" },
        ...["{}", "null", "7", '"maintenance"', "[", "<html></html>", ...noLists].map(
          (body): Fault => ({ kind: "status", status: 200, body }),
        ),
      ];
      for (const fault of faults) {
        strike(exchange, fault);
        await fails(ask(), "transient", JSON.stringify(fault));
      }
      assert.equal(requests(), faults.length);
      strike(exchange, { kind: "empty_page" });
      assert.deepEqual(await ask(), []);
      assert.equal((await ask()).length >= 5, true);
      assert.deepEqual(bans, []);
    });
  });

  Deno.test(`${id}: a 429 is waited out to the second, and nothing is asked meanwhile`, async () => {
    await withClient(facts, {}, async ({ exchange, client, clock, bans, ask, requests }) => {
      strike(exchange, { kind: "status", status: 429, retryAfterSeconds: 120 });
      const { untilMs, message } = await fails(ask(), "rate_limited");
      const bannedAtMs = clock.now();
      assert.equal(untilMs, bannedAtMs + 120_000);
      const host = new URL(exchange.url).host;
      assert.deepEqual(bans, [{ host, untilMs, reason: message }]);
      assert.equal(client.bannedUntilMs, untilMs);
      assert.equal(requests(), 1);

      const refused = await fails(client.turn("live"), "rate_limited");
      assert.equal(refused.untilMs, untilMs);
      await clock.advance(bannedAtMs + 119_999 - clock.now());
      await fails(client.turn("backfill"), "rate_limited");
      assert.equal(requests(), 1);

      await clock.advance(1);
      assert.equal((await ask()).length >= 5, true);
      assert.equal(requests(), 2);
      assert.equal(bans.length, 1);
    });
  });

  Deno.test(`${id}: a server's failure and a broken connection are transient`, async () => {
    await withClient(facts, {}, async ({ exchange, ask, bans }) => {
      for (
        const fault of [
          { kind: "status", status: 500 },
          { kind: "status", status: 502, body: "<html>Bad Gateway</html>" },
          { kind: "status", status: 503 },
          { kind: "status", status: 503, body: "[]" },
          { kind: "status", status: 504, body: "" },
          { kind: "reset" },
        ] satisfies Fault[]
      ) {
        strike(exchange, fault);
        await fails(ask(), "transient", JSON.stringify(fault));
      }
      assert.deepEqual(bans, []);
      assert.equal((await ask()).length >= 5, true);
    });
  });

  Deno.test(`${id}: a symbol that is not listed is asked for in vain only once`, async () => {
    await withClient(facts, {}, async ({ exchange, ask, requests }) => {
      const unlisted = await fails(ask("NO/SUCH"), "permanent");
      assert.match(unlisted.message, new RegExp(`^Cannot fetch candles of ${id} NO/SUCH 1m: `));
      assert.equal(requests(), 0);
      exchange.symbols.delist("SOL/USDT", { forget: true });
      await fails(ask("SOL/USDT"), "permanent");
      assert.equal(requests(), 1);
    });
  });

  Deno.test(`${id}: refusals that will not change are permanent`, async () => {
    await withClient(facts, {}, async ({ exchange, ask }) => {
      for (const status of [400, 401, 404]) {
        strike(exchange, { kind: "status", status, body: '{"no":"entry"}' });
        await fails(ask(), "permanent", String(status));
      }
    });
  });

  Deno.test(`${id}: a page that refuses this address or its country is a denial, proved by the second`, async () => {
    await withClient(facts, {}, async ({ exchange, ask, requests, clock }) => {
      const page = "<html><head><title>403 ERROR</title></head><body><h1>403</h1>" +
        "The distribution is configured to block access from your country.</body></html>";
      for (const [status, body] of [[403, page], [451, ""]] as const) {
        strike(exchange, { kind: "status", status, body });
        const first = await fails(ask(), "denied", String(status));
        assert.equal(first.untilMs, undefined);
        assert.doesNotMatch(first.message, /[<>]/);
        strike(exchange, { kind: "status", status, body });
        const second = await fails(ask(), "denied", String(status));
        assert.equal(second.untilMs, clock.now() + MINUTE_MS);
        // Nobody was answered for longer than a minute: this host refuses everything.
        await clock.advance(2 * MINUTE_MS);
        strike(exchange, { kind: "status", status, body });
        const { untilMs = 0 } = await fails(ask(), "denied", String(status));
        assert.equal(untilMs, clock.now() + MINUTE_MS);
        const asked = requests();
        await fails(ask(), "denied", String(status));
        assert.equal(requests(), asked);
        await clock.advance(MINUTE_MS);
        await ask();
      }
    });
  });

  Deno.test(`${id}: a hanging request ends with its signal, before and after the headers`, async () => {
    let arrived = Promise.withResolvers<void>();
    const now = (): number => {
      arrived.resolve();
      return NOW_MS;
    };
    await withClient(
      facts,
      { server: { clock: { ...STILL_CLOCK, now } } },
      async ({ exchange, client, list, ask }) => {
        const series = minutesOf(id, "BTC/USDT");
        for (const afterHeaders of [false, true]) {
          arrived = Promise.withResolvers();
          const abort = new AbortController();
          strike(exchange, { kind: "hang", afterHeaders });
          const { signal } = abort;
          const hanging = client.fetchCandles(series, FIVE_MINUTES, { list, signal });
          await Promise.race([arrived.promise, hanging]);
          // The exchange has seen it and answers others; no timer of CCXT's has to run out.
          assert.equal((await ask("ETH/USDT")).length >= 5, true);
          abort.abort(new Error("enough"));
          await fails(hanging, "cancelled");
        }
        const before = exchange.requests.length;
        const late = { list, signal: AbortSignal.abort(new Error("enough")) };
        await fails(client.fetchCandles(series, FIVE_MINUTES, late), "cancelled");
        assert.equal(exchange.requests.length, before);
      },
    );
  });

  Deno.test(`${id}: the most traded symbols are chosen from all markets`, async () => {
    await withClient(facts, {}, async ({ client, list }) => {
      const top = await client.topSymbols(list, { tops: [{ count: 3 }] });
      // Its tickers name no turnover: there is nothing to choose by.
      if (id === "gemini") return assert.deepEqual(top, []);
      assert.deepEqual(top, ["BTC/USDT", "ETH/USDT", "SOL/USDT"]);
      assert.deepEqual(await client.topSymbols(list, { tops: [{ count: 3, quote: "BTC" }] }), [
        "ETH/BTC",
      ]);
    });
  });

  Deno.test(`${id}: only the kept markets are known afterwards, and their candles still come`, async () => {
    await withClient(facts, {}, async ({ client, list, ask, requests }) => {
      const kept = await client.keepMarkets(
        list,
        new Map([["BTC/USDT", undefined], ["NO/SUCH", undefined]]),
      );
      assert.deepEqual([...kept.keys()], ["BTC/USDT"]);
      assert.equal((await ask("BTC/USDT", kept)).length >= 5, true);
      assert.equal(requests(), 1);
      await fails(ask("ETH/USDT", kept), "permanent");
      await assert.rejects(ask("BTC/USDT", list), /the list of markets is not in use/);
      const anew = await client.loadMarkets();
      assert.equal(anew.size, LOCAL_SYMBOLS.length);
      assert.equal((await ask("ETH/USDT", anew)).length >= 5, true);
      await fails(ask("ETH/USDT", kept), "permanent");
    });
  });

  Deno.test(`${id}: markets that could not be loaded again leave the old ones in use`, async () => {
    await withClient(facts, {}, async ({ exchange, client, ask }) => {
      const faults: readonly Fault[] = [
        { kind: "status", status: 500 },
        { kind: "status", status: 503 },
        { kind: "truncated" },
        { kind: "empty_body" },
        { kind: "html" },
        { kind: "status", status: 200, body: "[]" },
      ];
      for (const fault of faults) {
        const inForce = exchange.faults.add({ when: { about: "markets" }, fault });
        await fails(client.loadMarkets(), "transient", fault.kind);
        inForce.remove();
        assert.equal((await ask()).length >= 5, true, fault.kind);
      }
      for (const kind of ["html", "truncated", "empty_body"] as const) {
        exchange.faults.add({ when: { about: "markets" }, times: 1, fault: { kind } });
        await fails(client.loadMarkets(), "transient");
        assert.equal((await ask()).length >= 5, true);
      }
      await client.loadMarkets();
      assert.equal((await ask()).length >= 5, true);
    });
  });

  Deno.test(`${id}: markets that are being loaded hold up no candles, and none is lost when that is aborted`, async () => {
    await withClient(facts, {}, async ({ exchange, client, list, ask }) => {
      const series = minutesOf(id, "BTC/USDT");
      const rule = exchange.faults.add({ when: { about: "markets" }, fault: { kind: "hang" } });
      const abort = new AbortController();
      const loading = fails(client.loadMarkets({ signal: abort.signal }), "cancelled");
      assert.equal((await ask()).length >= 5, true);
      const asked = client.fetchCandles(series, FIVE_MINUTES, { list });
      abort.abort(new Error("enough"));
      await loading;
      assert.equal((await asked).rows.length >= 5, true);
      rule.remove();
      assert.equal((await client.loadMarkets()).size, LOCAL_SYMBOLS.length);
    });
  });

  Deno.test(`${id}: requests go through the proxy prefix with their full URL`, async () => {
    await withExchange({ dialect }, async (exchange) => {
      const clock = new ManualClock({ startMs: NOW_MS });
      const client = await openExchange(id, { clock, proxyUrl: exchange.proxyUrl });
      const list = await client.loadMarkets();
      const { rows } = await client.fetchCandles(minutesOf(id, "BTC/USDT"), FIVE_MINUTES, { list });
      assert.deepEqual(
        inside(rows, FIVE_MINUTES).map(([timeMs]) => timeMs),
        [0, 1, 2, 3, 4].map((minute) => SINCE_MS + minute * MINUTE_MS),
      );
      assert.ok(exchange.requests.every(({ proxied }) => proxied));
      assert.ok(
        exchange.requests.every(({ host }) => host.endsWith(facts.host ?? `${id}.com`)),
        exchange.requests[0]?.host,
      );
    });
  });
}

Deno.test("a ban's text, too, says how long to stay away: Binance's 418", async () => {
  await withClient(BINANCE, {}, async ({ exchange, bans, ask }) => {
    const body = `{"code":-1003,"msg":"Way too much request weight used; IP banned until ${
      NOW_MS + 600_000
    }."}`;
    strike(exchange, { kind: "status", status: 418, body });
    const { untilMs, message } = await fails(ask(), "rate_limited");
    assert.equal(untilMs, NOW_MS + 600_000);
    assert.match(message, /banned until/);
    assert.equal(bans.length, 1);
  });
});

Deno.test("a rate limit that names no time doubles the pause each time, until an answer comes", async () => {
  await withClient(BINANCE, {}, async ({ exchange, client, clock, ask }) => {
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      strike(exchange, { kind: "status", status: 429 });
      const { untilMs = 0 } = await fails(ask(), "rate_limited");
      pauses.push((untilMs - clock.now()) / MINUTE_MS);
      await clock.advance(untilMs - clock.now());
    }
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    await ask();
    strike(exchange, { kind: "status", status: 429 });
    const { untilMs = 0 } = await fails(ask(), "rate_limited");
    assert.equal(untilMs - clock.now(), MINUTE_MS);
    assert.equal(client.bannedUntilMs, untilMs);
  });
});

Deno.test("requests that were in flight when a ban came count as one, and only a later end is told", async () => {
  await withClient(BINANCE, {}, async ({ exchange, client, list, clock, bans }) => {
    const candles = (): Promise<unknown> =>
      client.fetchCandles(minutesOf("binance", "BTC/USDT"), FIVE_MINUTES, { list });
    for (let i = 0; i < 3; i++) strike(exchange, { kind: "status", status: 429 });
    await Promise.all([1, 2, 3].map(() => fails(candles(), "rate_limited")));
    assert.deepEqual(bans.map(({ untilMs }) => untilMs), [clock.now() + MINUTE_MS]);
    await clock.advance(MINUTE_MS);
    for (const retryAfterSeconds of [300, 10, 300, 10]) {
      strike(exchange, { kind: "status", status: 429, retryAfterSeconds });
    }
    await Promise.all([1, 2, 3, 4].map(() => fails(candles(), "rate_limited")));
    // Their answers may come in any order.
    const untilMs = clock.now() + 5 * MINUTE_MS;
    const told = bans.slice(1).map((ban) => ban.untilMs);
    assert.deepEqual([told.at(-1), client.bannedUntilMs], [untilMs, untilMs]);
    assert(told.length <= 2, String(told));
  });
});

Deno.test("a ban that comes while an ask waits for its turn stops it before its request", async () => {
  await withClient(BINANCE, {}, async ({ exchange, client, list, clock, requests }) => {
    await clock.advance(5_000);
    await client.turn("backfill");
    const waiting = client.turn("backfill");
    strike(exchange, { kind: "status", status: 429, retryAfterSeconds: 60 });
    await fails(
      client.fetchCandles(minutesOf("binance", "BTC/USDT"), FIVE_MINUTES, { list }),
      "rate_limited",
    );
    const refused = fails(waiting, "rate_limited");
    await clock.advance(5_000);
    await refused;
    assert.equal(requests(), 1);
  });
});

Deno.test("a ban from before a restart is in force until its end, and is not told again", async () => {
  await withClient(BINANCE, {}, async ({ client, clock, bans, ask, requests }) => {
    client.restoreBan({
      host: undefined,
      untilMs: NOW_MS + 30_000,
      reason: "Way too many requests",
    });
    const { message, untilMs } = await fails(client.turn("live"), "rate_limited");
    assert.equal(untilMs, NOW_MS + 30_000);
    assert.equal(
      message,
      "Cannot send requests to binance before 2024-06-01T12:01:00.000Z: Way too many requests",
    );
    client.restoreBan({ host: undefined, untilMs: NOW_MS + 10_000, reason: "an older one" });
    assert.equal(client.bannedUntilMs, NOW_MS + 30_000);
    await clock.advance(30_000);
    await ask();
    assert.equal(requests(), 1);
    assert.deepEqual(bans, []);
  });
});

Deno.test("calls in flight at the same time do not mix up their statuses and Retry-After", async () => {
  const wakes: PromiseWithResolvers<void>[] = [];
  const asleep = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const clock = {
    now: () => NOW_MS,
    sleep: () => {
      asleep[wakes.length]?.resolve();
      const wake = Promise.withResolvers<void>();
      wakes.push(wake);
      return wake.promise;
    },
  };
  await withClient(BINANCE, { server: { clock } }, async ({ exchange, client, list, clock }) => {
    const answers = new Map<string, Fault>([
      ["BTC/USDT", { kind: "status", status: 429, retryAfterSeconds: 100 }],
      ["ETH/USDT", { kind: "status", status: 503, retryAfterSeconds: 200 }],
      ["SOL/USDT", { kind: "status", status: 500 }],
    ]);
    const asks: Promise<unknown>[] = [];
    for (const [symbol, fault] of answers) {
      exchange.faults.add({ when: { symbol }, fault: { kind: "latency", ms: 1 } });
      exchange.faults.add({ when: { symbol }, fault });
      asks.push(client.fetchCandles(minutesOf("binance", symbol), FIVE_MINUTES, { list }));
      await asleep[asks.length - 1]?.promise;
    }
    // Answered in the other order than asked, all of them with the others' answers around.
    const failures = [
      fails(asks[0] as Promise<unknown>, "rate_limited"),
      fails(asks[1] as Promise<unknown>, "rate_limited"),
      fails(asks[2] as Promise<unknown>, "transient"),
    ];
    for (const wake of wakes.toReversed()) wake.resolve();
    const ends = (await Promise.all(failures)).map(({ untilMs }) => untilMs);
    assert.deepEqual(ends, [clock.now() + 100_000, clock.now() + 200_000, undefined]);
  });
});

Deno.test("a good answer beside a maintenance page is kept, the page is refused", async () => {
  await withClient(BINANCE, {}, async ({ exchange, client, list }) => {
    exchange.faults.add({ when: { symbol: "ETH/USDT" }, fault: { kind: "html" } });
    exchange.faults.add({ when: { symbol: "SOL/USDT" }, fault: { kind: "empty_page" } });
    const candles = (symbol: string): Promise<{ readonly rows: readonly unknown[] }> =>
      client.fetchCandles(minutesOf("binance", symbol), FIVE_MINUTES, { list });
    for (let i = 0; i < 5; i++) {
      const [good, , empty] = await Promise.all([
        candles("BTC/USDT"),
        fails(candles("ETH/USDT"), "transient"),
        candles("SOL/USDT"),
      ]);
      assert.deepEqual([good.rows.length, empty.rows.length], [5, 0]);
    }
  });
});

Deno.test("digits of numbers that are written without quotes are kept", async () => {
  await withClient(BINANCE, {}, async ({ exchange, ask }) => {
    const body =
      `[[${SINCE_MS},0.12345678901234567890,1e-10,0.0000001,2,98765432109876543210.5,0]]`;
    strike(exchange, { kind: "status", status: 200, body });
    assert.deepEqual(await ask(), [
      [SINCE_MS, "0.12345678901234567890", "1e-10", "1e-7", "2", "98765432109876543210.5"],
    ]);
  });
});

Deno.test("a request that costs more holds the next turn back for as long as it costs", async () => {
  await withClient(BINANCE, { load: false }, async ({ client, clock }) => {
    await client.turn("live");
    await client.loadMarkets();
    // exchangeInfo weighs 20, of which CCXT makes a cost of 4.
    const dueMs = NOW_MS + 4 * client.requestIntervalMs;
    let turnMs: number | undefined;
    const turn = client.turn("live").then(() => turnMs = clock.now());
    await clock.advance(dueMs - NOW_MS - 1);
    assert.equal(turnMs, undefined);
    await clock.advance(1);
    await turn;
    assert.equal(turnMs, dueMs);
  });
});

Deno.test("a redirect is not followed: candles come from the exchange that was configured, or not at all", async () => {
  await withExchange({ dialect: binance }, async (exchange) => {
    const elsewhere = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ url }) => {
        const { pathname, search } = new URL(url);
        return Response.redirect(`${exchange.url}${pathname}${search}`, 307);
      },
    );
    try {
      const client = await openExchange("binance", {
        clock: new ManualClock({ startMs: NOW_MS }),
        config: { urls: { api: { public: `http://127.0.0.1:${elsewhere.addr.port}/api/v3` } } },
      });
      await fails(client.loadMarkets(), "transient");
      assert.deepEqual(exchange.requests, []);
    } finally {
      await elsewhere.shutdown();
    }
  });
});

Deno.test("a class without candles, and a name that is no class, cannot be opened", async () => {
  const clock = new ManualClock();
  await assert.rejects(
    openExchange("coincheck", { clock }),
    (error) =>
      error instanceof RangeError &&
      error.message === "Cannot archive coincheck: it offers no candles",
  );
  await assert.rejects(openExchange("nosuchexchange", { clock }), /nosuchexchange/);
});

/** Rows inside the window, ascending, without zeros that carry nothing. */
function inside(rows: readonly unknown[], window: Window): readonly unknown[][] {
  return (rows as readonly (readonly unknown[])[])
    .filter(([timeMs]) => Number(timeMs) >= window.sinceMs && Number(timeMs) < window.untilMs)
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(exact);
}

/** Every value but the time must be text already: a number here has lost its digits. */
function exact(row: readonly unknown[]): unknown[] {
  return row.map((value, column) =>
    column > 0 && typeof value === "string" && value.includes(".")
      ? value.replace(/\.?0+$/, "")
      : value
  );
}
