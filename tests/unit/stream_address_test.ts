import assert from "node:assert/strict";
import {
  findStream,
  streamAbility,
  type StreamedExchange,
} from "../../lib/exchange/stream_address.ts";

function urlOf(exchange: StreamedExchange): string {
  const found = findStream(exchange);
  return "why" in found ? found.why : found.address.url;
}

Deno.test("an exchange's stream is at its own address, and that of an alias at the alias's", () => {
  assert.equal(urlOf({ id: "binance" }), "wss://stream.binance.com:9443/ws");
  assert.equal(urlOf({ id: "binanceus" }), "wss://stream.binance.us:9443/ws");
  assert.equal(urlOf({ id: "okxus" }), "wss://wsus.okx.com:8443/ws/v5/business");
  assert.equal(urlOf({ id: "bybiteu" }), "wss://stream.bybit.eu/v5/public/spot");
});

Deno.test("a class that inherits from one with a stream, and is another exchange, has none", () => {
  for (const id of ["binanceusdm", "binancecoinm", "coinbase", "constructor"]) {
    assert.deepEqual(streamAbility({ id }), {
      canStream: false,
      why: `no stream of ${id} is known`,
    });
  }
});

Deno.test("an ability says the timeframes, how many series a connection carries, and closed flags", () => {
  const ability = streamAbility({ id: "kraken" });
  assert.ok(ability.canStream);
  assert.equal(ability.flagsClosed, false);
  assert.ok(ability.seriesPerConnection >= 25);
  // Weeks of Kraken open on Thursdays.
  assert.deepEqual([...ability.timeframes], ["1m", "5m", "15m", "30m", "1h", "4h", "1d"]);
});

Deno.test("where requests go to another server, there is no stream unless its address is named, too", () => {
  const elsewhere: readonly Record<string, unknown>[] = [
    { hostname: "bytick.com" },
    { sandbox: true },
    { testnet: true },
    { options: { sandbox: true } },
    { options: { testnet: true } },
    { urls: { hostnames: { spot: "127.0.0.1:1" } } },
    { urls: { api: "http://127.0.0.1:1" } },
    { urls: { api: { public: "http://127.0.0.1:1/v5" } } },
    { urls: { api: { public: "http://127.0.0.1:1/v5", ws: { private: "ws://127.0.0.1:1" } } } },
  ];
  for (const config of elsewhere) {
    const why = urlOf({ id: "bybit", config });
    assert.match(why, /^EXCHANGE_BYBIT names another server and no address of its stream/);
    const urls = { ...config["urls"] as object, ws: "ws://127.0.0.1:2/" };
    assert.equal(urlOf({ id: "bybit", config: { ...config, urls } }), "ws://127.0.0.1:2/");
  }
  assert.equal(
    urlOf({ id: "bybit", config: { urls: { www: "https://www.bybit.com" }, sandbox: false } }),
    "wss://stream.bybit.com/v5/public/spot",
  );
});

Deno.test("an address is also named as CCXT's class has it", () => {
  const ws = { public: { spot: "ws://127.0.0.1:2/v5/public/spot" } };
  const config = { urls: { api: { ws } } };
  assert.equal(urlOf({ id: "bybit", config }), "ws://127.0.0.1:2/v5/public/spot");
  const plain = { urls: { api: { ws: "ws://127.0.0.1:2/ws/v5" } } };
  assert.equal(urlOf({ id: "okx", config: plain }), "ws://127.0.0.1:2/ws/v5/business");
  assert.match(
    urlOf({ id: "okx", config: { urls: { ws: "https://127.0.0.1" } } }),
    /^urls.ws of EXCHANGE_OKX is not an address/,
  );
});

Deno.test("a stream goes through the proxy of the requests, and there is none behind a prefix", () => {
  const found = findStream({
    ...{ id: "okx", proxyUrl: "https://prefix.example/" },
    config: {
      socksProxy: "socks5://127.0.0.1:1080",
      headers: { "X-Gate": "1", "User-Agent": "archive" },
      options: { ws: { options: { headers: { Origin: "https://okx.com" } } } },
    },
  });
  assert.ok(!("why" in found));
  assert.equal(found.address.proxy, "socks5://127.0.0.1:1080");
  assert.deepEqual(found.address.headers, { "X-Gate": "1", Origin: "https://okx.com" });
  const prefixed = /^its requests go to a prefix/;
  assert.match(urlOf({ id: "okx", proxyUrl: "https://prefix.example/" }), prefixed);
  assert.match(urlOf({ id: "okx", config: { proxy: "https://prefix.example/" } }), prefixed);
  assert.equal(
    urlOf({
      id: "okx",
      config: { proxyUrl: "https://prefix.example/", urls: { ws: "wss://stream.example" } },
    }),
    "wss://stream.example",
    "an address of the stream alone is reached without the prefix",
  );
});
