import assert from "node:assert/strict";
import { STREAM_DIALECTS } from "../../lib/exchange/stream_address.ts";
import type { StreamDialect, Told, Topic } from "../../lib/exchange/stream_dialect.ts";
import { messageValues } from "../../lib/exchange/stream_message.ts";

interface Sample {
  readonly timeframe: string;
  /** What the exchange calls the market. */
  readonly market: string;
  /** The first subscription, as JSON. */
  readonly subscription: unknown;
  /** Texts of the exchange, as CCXT's classes and the exchanges' documents quote them, and what they say. */
  readonly told: readonly (readonly [text: string, told: readonly Told[] | undefined])[];
}

const SAMPLES: Readonly<Record<string, Sample>> = {
  binance: {
    ...{ timeframe: "1m", market: "ETHBTC" },
    subscription: { method: "SUBSCRIBE", params: ["ethbtc@kline_1m"], id: 1 },
    told: [
      [
        `{"e":"kline","E":1579482921215,"s":"ETHBTC","k":{"t":1579482900000,"T":1579482959999,
          "s":"ETHBTC","i":"1m","f":158411535,"L":158411550,"o":"0.01913200","c":"0.01913500",
          "h":"0.01913700","l":"0.01913200","v":"5.08400000","n":16,"x":false,"q":"0.09728060",
          "V":"3.30200000","Q":"0.06318500","B":"0"}}`,
        [{
          ...{ kind: "candle", topic: "ethbtc@kline_1m", isClosed: false },
          row: [
            1579482900000,
            "0.01913200",
            "0.01913700",
            "0.01913200",
            "0.01913500",
            "5.08400000",
          ],
          exchangeMs: 1579482921215,
        }],
      ],
      [`{"result":null,"id":1}`, [{ kind: "agreed", id: "1" }]],
      [`{"result":["ethbtc@kline_1m"],"id":3}`, [{ kind: "alive" }]],
      [
        `{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":1}`,
        [{ kind: "refused", id: "1", why: "Invalid request: unknown variant" }],
      ],
      [`{"e":"trade","s":"ETHBTC"}`, undefined],
    ],
  },
  bitfinex: {
    ...{ timeframe: "1d", market: "tBTCUST" },
    subscription: { event: "subscribe", channel: "candles", key: "trade:1D:tBTCUST" },
    told: [
      [
        `{"event":"subscribed","channel":"candles","chanId":128306,"key":"trade:1m:tBTCUST"}`,
        [{ kind: "agreed", topic: "trade:1m:tBTCUST", alias: "128306" }],
      ],
      // Open, close, high, low.
      [`[211171,[1654705680000,1801,1802.4,1802.9,1800.4,23.91911091123456789]]`, [{
        ...{ kind: "candle", topic: "211171", isSnapshot: false },
        row: [1654705680000, "1801", "1802.9", "1800.4", "1802.4", "23.91911091123456789"],
      }]],
      [
        `[341527,[[1654705860000,1802.6,1800.3,1802.8,1800.3,86.49588236],
          [1654705800000,1803.6,1802.6,1804.9,1802.3,74.6348086]]]`,
        [{
          ...{ kind: "candle", topic: "341527", isSnapshot: true },
          row: [1654705860000, "1802.6", "1802.8", "1800.3", "1800.3", "86.49588236"],
        }, {
          ...{ kind: "candle", topic: "341527", isSnapshot: true },
          row: [1654705800000, "1803.6", "1804.9", "1802.3", "1802.6", "74.6348086"],
        }],
      ],
      [`[341527,[]]`, []],
      [`[341527,"hb"]`, [{ kind: "alive" }]],
      [`{"event":"pong","ts":1511545528111,"cid":1234}`, [{ kind: "alive" }]],
      [
        `{"event":"info","version":2,"serverId":"7","platform":{"status":1}}`,
        [{ kind: "alive" }],
      ],
      [
        `{"event":"info","code":20051,"msg":"Stopping. Please try to reconnect"}`,
        [{ kind: "closing", why: "Stopping. Please try to reconnect" }],
      ],
      [
        `{"event":"error","msg":"symbol: invalid","code":10300,"channel":"candles",
          "key":"trade:1m:tNOUSD"}`,
        [{ kind: "refused", topic: "trade:1m:tNOUSD", why: "symbol: invalid" }],
      ],
      [`[]`, undefined],
    ],
  },
  bybit: {
    ...{ timeframe: "1h", market: "BTCUSDT" },
    subscription: { req_id: "1", op: "subscribe", args: ["kline.60.BTCUSDT"] },
    told: [
      [
        `{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,
          "interval":"5","open":"16649.5","close":"16677","high":"16678","low":"16608",
          "volume":"2.081","turnover":"34666.4005","confirm":true,"timestamp":1672324988882}],
          "ts":1672324988882,"type":"snapshot"}`,
        [{
          ...{ kind: "candle", topic: "kline.5.BTCUSDT", isClosed: true },
          row: [1672324800000, "16649.5", "16678", "16608", "16677", "2.081"],
          exchangeMs: 1672324988882,
        }],
      ],
      [
        `{"success":true,"ret_msg":"subscribe","conn_id":"2324d924","req_id":"1","op":"subscribe"}`,
        [{ kind: "agreed", id: "1" }],
      ],
      [
        `{"success":true,"ret_msg":"pong","conn_id":"0970e817","req_id":"3","op":"ping"}`,
        [{ kind: "alive" }],
      ],
      [
        `{"success":false,"ret_msg":"error:invalid op","conn_id":"5e079fdd",
          "request":{"req_id":"4","op":"","args":null}}`,
        [{ kind: "refused", id: "4", why: "error:invalid op" }],
      ],
      [`{"topic":"tickers.BTCUSDT","data":{}}`, undefined],
    ],
  },
  kraken: {
    ...{ timeframe: "1m", market: "BTC/USD" },
    subscription: {
      ...{ method: "subscribe", req_id: 1 },
      params: { channel: "ohlc", symbol: ["BTC/USD"], interval: 1, snapshot: false },
    },
    told: [
      [
        `{"channel":"ohlc","type":"update","timestamp":"2023-10-04T16:26:30.524394914Z","data":[
          {"symbol":"MATIC/USD","open":0.5624,"high":0.5628,"low":0.5622,"close":0.5627,
          "trades":12,"volume":30927.68066226000001,"vwap":0.5626,
          "interval_begin":"2023-10-04T16:25:00.000000000Z","interval":5,
          "timestamp":"2023-10-04T16:30:00.000000Z"}]}`,
        [{
          ...{ kind: "candle", topic: "ohlc:5:MATIC/USD", isSnapshot: false },
          row: [1696436700000, "0.5624", "0.5628", "0.5622", "0.5627", "30927.68066226000001"],
          exchangeMs: 1696436790524,
        }],
      ],
      [
        `{"method":"subscribe","result":{"channel":"ohlc","interval":1,"snapshot":false,
          "symbol":"BTC/USD"},"success":true,"time_in":"2023-10-04T16:26:29Z","req_id":1}`,
        [{ kind: "agreed", topic: "ohlc:1:BTC/USD" }],
      ],
      [
        `{"error":"Currency pair not supported NO/USD","method":"subscribe","req_id":1,
          "success":false,"symbol":"NO/USD","time_in":"2023-10-04T16:26:29Z"}`,
        [{
          ...{ kind: "refused", id: "1", market: "NO/USD" },
          why: "Currency pair not supported NO/USD",
        }],
      ],
      [`{"channel":"heartbeat"}`, [{ kind: "alive" }]],
      [`{"method":"pong","req_id":7,"time_in":"2023-10-04T16:26:29Z"}`, [{ kind: "alive" }]],
      [`{"channel":"status","type":"update","data":[{"system":"online"}]}`, [{ kind: "alive" }]],
      [`{"event":"heartbeat"}`, undefined],
    ],
  },
  okx: {
    ...{ timeframe: "1d", market: "BTC-USDT" },
    subscription: {
      ...{ id: "1", op: "subscribe" },
      args: [{ channel: "candle1Dutc", instId: "BTC-USDT" }],
    },
    told: [
      [
        `{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1626690720000","31334",
          "31335","31333","31334.5","0.0077","241.2718","241.2718","1"]]}`,
        [{
          ...{ kind: "candle", topic: "candle1m:BTC-USDT", isClosed: true },
          row: [1626690720000, "31334", "31335", "31333", "31334.5", "0.0077"],
        }],
      ],
      [
        `{"event":"subscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"},"connId":"a4d3ae55"}`,
        [{ kind: "agreed", topic: "candle1m:BTC-USDT" }],
      ],
      [
        `{"id":"1","event":"error","code":"60018","msg":"Wrong URL or channel:candle1m,instId:NO-USDT
 doesn't exist. Please use the correct URL","connId":"a4d3ae55"}`.replace("\n", ""),
        [{
          ...{ kind: "refused", id: "1", topic: "candle1m:NO-USDT" },
          why: "Wrong URL or channel:candle1m,instId:NO-USDT doesn't exist. " +
            "Please use the correct URL",
        }],
      ],
      [
        `{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service
 upgrade. Please reconnect.","connId":"a4d3ae55"}`.replace("\n", ""),
        [{
          kind: "closing",
          why: "The connection will soon be closed for a service upgrade. Please reconnect.",
        }],
      ],
      [`{"event":"channel-conn-count","connCount":"2"}`, [{ kind: "alive" }]],
      [`{"data":[]}`, undefined],
    ],
  },
};

for (const [id, { timeframe, market, subscription, told }] of Object.entries(SAMPLES)) {
  Deno.test(`the dialect of ${id} subscribes by the market's own id, and takes every message for what it is`, () => {
    const dialect = dialectOf(id);
    const topic = topicOf(dialect, market, timeframe);
    assert.deepEqual(JSON.parse(dialect.subscribe([topic], "1")), subscription);
    for (const [text, expected] of told) {
      assert.deepEqual(plain(dialect.read(messageValues(text))), expected, text);
    }
  });
}

const READABLE = Object.entries(STREAM_DIALECTS).filter(([, dialect]) => dialect !== undefined);

Deno.test("every dialect that is not another's has its sample", () => {
  const known = new Set(Object.keys(SAMPLES).map((id) => STREAM_DIALECTS[id]?.read));
  assert.deepEqual(READABLE.filter(([, dialect]) => !known.has(dialect?.read)), []);
});

Deno.test("no dialect throws at a message, whatever is in it", () => {
  const odd: readonly unknown[] = [
    ...[null, true, 0, "", [], {}, [[]], [1], [1, null], [1, [null]], [1, [[null]]], { k: null }],
    ...[{ e: "kline", k: {} }, { e: "kline", k: [] }, { error: {} }, { error: null, id: {} }],
    ...[{ channel: "ohlc" }, { channel: "ohlc", data: [null, 1, {}] }, { method: "subscribe" }],
    ...[{ arg: null, data: [] }, { arg: {}, data: [null, [], {}] }, { event: "error" }],
    ...[{ topic: "kline.1.X" }, { topic: "kline.1.X", data: [null] }, { event: "subscribed" }],
    ...[{ op: "subscribe" }, { success: false }, { request: [] }, { event: null }],
  ];
  for (const [id, dialect] of READABLE) {
    for (const message of odd) {
      assert.doesNotThrow(() => dialect?.read(message), `${id} ${JSON.stringify(message)}`);
    }
  }
});

Deno.test("a batch names every market, and unsubscribing names them again", () => {
  for (const [id, dialect] of READABLE) {
    assert.ok(dialect);
    const [timeframe = ""] = Object.keys(dialect.intervals);
    const topics = ["AAAUSDT", "BBBUSDT"].slice(0, dialect.batchMax)
      .map((market) => topicOf(dialect, market, timeframe));
    const aliases = new Map(topics.map(({ name }) => [name, "67473"]));
    const [on, off] = [dialect.subscribe(topics, "1"), dialect.unsubscribe(topics, "2", aliases)];
    assert.notEqual(on, off);
    for (const { market } of topics) {
      const isNamed = (text: string): boolean => text.toUpperCase().includes(market);
      assert.ok(isNamed(on), `${id} ${on}`);
      assert.ok(isNamed(off) || off.includes("67473"), `${id} ${off}`);
    }
  }
});

function dialectOf(id: string): StreamDialect {
  const dialect = STREAM_DIALECTS[id];
  assert.ok(dialect, id);
  return dialect;
}

function topicOf(dialect: StreamDialect, market: string, timeframe: string): Topic {
  const interval = dialect.intervals[timeframe];
  assert.ok(interval, timeframe);
  return { name: dialect.topicName(market, interval), market, interval };
}

/** Without members that are undefined. */
function plain(told: readonly Told[] | undefined): unknown {
  return told === undefined ? undefined : JSON.parse(JSON.stringify(told));
}
