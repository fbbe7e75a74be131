/** Messages of the exchanges' streams, as CCXT's classes and the exchanges' documents quote them, and what they say. @module */
import type { Told } from "../../lib/exchange/stream_dialect.ts";

interface StreamSample {
  readonly timeframe: string;
  /** What the exchange calls the market. */
  readonly market: string;
  /** The first subscription, as JSON. */
  readonly subscription: unknown;
  /** Texts of the exchange, as CCXT's classes and the exchanges' documents quote them, and what they say. */
  readonly told: readonly (readonly [text: string, told: readonly Told[] | undefined])[];
}

export const STREAM_SAMPLES: Readonly<Record<string, StreamSample>> = {
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
  bingx: {
    ...{ timeframe: "1m", market: "BTC-USDT" },
    subscription: { id: "1", dataType: "BTC-USDT@kline_1m" },
    told: [
      [
        `{"code":0,"data":{"E":1696687498608,"K":{"T":1696687499999,"c":"27917.829",
          "h":"27918.427","i":"1min","l":"27917.7","n":262,"o":"27917.91","q":"25715.359197",
          "s":"BTC-USDT","t":1696687440000,"v":"0.921100"},"e":"kline","s":"BTC-USDT"},
          "dataType":"BTC-USDT@kline_1min","success":true}`,
        [{
          ...{ kind: "candle", topic: "BTC-USDT@kline_1m" },
          row: [1696687440000, "27917.91", "27918.427", "27917.7", "27917.829", "0.921100"],
          exchangeMs: 1696687498608,
        }],
      ],
      [
        `{"code":0,"id":"1","msg":"SUCCESS","timestamp":1759225965363}`,
        [{ kind: "agreed", id: "1" }],
      ],
      [
        `{"code":100500,"id":"1","msg":"","timestamp":1696245842307}`,
        [{ kind: "refused", id: "1", why: "code 100500" }],
      ],
      [
        `{"ping":"5963ba3db76049b2870f9a686b2ebaac","time":"2023-10-02T18:51:55.089+0800"}`,
        [{
          kind: "reply",
          text: `{"pong":"5963ba3db76049b2870f9a686b2ebaac","time":"2023-10-02T18:51:55.089+0800"}`,
        }],
      ],
      [`{"e":"ACCOUNT_UPDATE"}`, undefined],
    ],
  },
  bitget: {
    ...{ timeframe: "1d", market: "BTCUSDT" },
    subscription: {
      op: "subscribe",
      args: [{ instType: "SPOT", channel: "candle1Dutc", instId: "BTCUSDT" }],
    },
    told: [
      [
        `{"action":"snapshot","arg":{"instType":"SPOT","channel":"candle1m","instId":"BTCUSDT"},
          "data":[["1701871620000","44080.23","44080.24","44028.5","44028.51","9.9287",
          "437404.105512","437404.105512"]],"ts":1701901610417}`,
        [{
          ...{ kind: "candle", topic: "candle1m:BTCUSDT", isSnapshot: true },
          row: [1701871620000, "44080.23", "44080.24", "44028.5", "44028.51", "9.9287"],
          exchangeMs: 1701901610417,
        }],
      ],
      [
        `{"action":"update","arg":{"instType":"SPOT","channel":"candle1m","instId":"BTCUSDT"},
          "data":[["1701871680000","1","2","0.5","1.5","3"]],"ts":1701901610418}`,
        [{
          ...{ kind: "candle", topic: "candle1m:BTCUSDT", isSnapshot: false },
          row: [1701871680000, "1", "2", "0.5", "1.5", "3"],
          exchangeMs: 1701901610418,
        }],
      ],
      [
        `{"event":"subscribe","arg":{"instType":"SPOT","channel":"candle1m","instId":"BTCUSDT"}}`,
        [{ kind: "agreed", topic: "candle1m:BTCUSDT" }],
      ],
      [
        `{"event":"error","arg":{"instType":"SPOT","channel":"candle1m","instId":"NO"},
          "code":30001,"msg":"instType:SPOT,channel:candle1m,instId:NO doesn't exist"}`,
        [{
          ...{ kind: "refused", topic: "candle1m:NO" },
          why: "instType:SPOT,channel:candle1m,instId:NO doesn't exist",
        }],
      ],
      [`{"data":[]}`, undefined],
    ],
  },
  bitvavo: {
    ...{ timeframe: "1m", market: "BTC-EUR" },
    subscription: {
      action: "subscribe",
      channels: [{ name: "candles", interval: ["1m"], markets: ["BTC-EUR"] }],
    },
    told: [
      [
        `{"event":"candle","market":"BTC-EUR","interval":"1m","candle":[[1590797160000,
          "8480.9","8481.9","8480.8","8480.7","0.01038628"]]}`,
        [{
          ...{ kind: "candle", topic: "candles:1m:BTC-EUR" },
          row: [1590797160000, "8480.9", "8481.9", "8480.8", "8480.7", "0.01038628"],
        }],
      ],
      [
        `{"event":"subscribed","subscriptions":{"candles":{"1m":["BTC-EUR","ETH-EUR"]}}}`,
        [
          { kind: "agreed", topic: "candles:1m:BTC-EUR" },
          { kind: "agreed", topic: "candles:1m:ETH-EUR" },
        ],
      ],
      [`{"action":"getTime","response":{"time":1590797160000}}`, [{ kind: "alive" }]],
      [
        `{"action":"subscribe","errorCode":205,"error":"market parameter is invalid."}`,
        [{ kind: "refused", why: "market parameter is invalid." }],
      ],
      [`{"event":"book","market":"BTC-EUR"}`, undefined],
    ],
  },
  cryptocom: {
    ...{ timeframe: "1d", market: "BTC_USDT" },
    subscription: {
      ...{ id: 1, method: "subscribe", nonce: 1_704_067_200_500 },
      params: { channels: ["candlestick.1D.BTC_USDT"] },
    },
    told: [
      [
        `{"id":-1,"code":0,"method":"subscribe","result":{"instrument_name":"BTC_USDT",
          "subscription":"candlestick.1m.BTC_USDT","channel":"candlestick","depth":300,
          "interval":"1m","data":[{"o":"26949.89","h":"26957.64","l":"26948.24","c":"26950.00",
          "v":"0.0670","t":1687237080000}]}}`,
        [{
          ...{ kind: "candle", topic: "candlestick.1m.BTC_USDT", isSnapshot: false },
          row: [1687237080000, "26949.89", "26957.64", "26948.24", "26950.00", "0.0670"],
        }],
      ],
      [`{"id":1,"code":0,"method":"subscribe"}`, [{ kind: "agreed", id: "1" }]],
      [
        `{"id":1587523073344,"method":"public/heartbeat","code":0}`,
        [{ kind: "reply", text: `{"id":1587523073344,"method":"public/respond-heartbeat"}` }],
      ],
      [
        `{"id":1,"code":10004,"method":"subscribe","message":"invalid channel"}`,
        [{ kind: "refused", id: "1", why: "invalid channel" }],
      ],
      [`{"id":1725448572836,"method":"unsubscribe","code":0}`, [{ kind: "alive" }]],
      [`{"info":{"channel":"ticker"}}`, undefined],
    ],
  },
  gate: {
    ...{ timeframe: "1m", market: "BTC_USDT" },
    subscription: {
      ...{ id: 1, time: 1_704_067_200, channel: "spot.candlesticks", event: "subscribe" },
      payload: ["1m", "BTC_USDT"],
    },
    told: [
      [
        `{"time":1606292600,"time_ms":1606292600376,"channel":"spot.candlesticks",
          "event":"update","result":{"t":"1606292580","v":"2362.32035","c":"19128.1",
          "h":"19128.2","l":"19127.9","o":"19128","n":"1m_BTC_USDT","a":"0.1235","w":true}}`,
        [{
          ...{ kind: "candle", topic: "1m_BTC_USDT", isClosed: true },
          row: [1606292580000, "19128", "19128.2", "19127.9", "19128.1", "0.1235"],
          exchangeMs: 1606292600376,
        }],
      ],
      [
        `{"time":1739853211,"id":1,"channel":"spot.candlesticks","event":"subscribe",
          "payload":["1m","BTC_USDT"],"error":null,"result":{"status":"success"}}`,
        [{ kind: "agreed", id: "1" }],
      ],
      [
        `{"time":1739853211,"time_ms":1739853211201,"id":1,"channel":"spot.candlesticks",
          "event":"subscribe","payload":["1m","LUNARLENS_USDT"],"error":{"code":2,
          "message":"unknown currency pair: LUNARLENS_USDT"},"result":{"status":"fail"}}`,
        [{ kind: "refused", id: "1", why: "unknown currency pair: LUNARLENS_USDT" }],
      ],
      [`{"time":1545404023,"channel":"spot.pong","event":"","result":null}`, [{ kind: "alive" }]],
      [`{"channel":"spot.trades","event":"update","result":{}}`, undefined],
    ],
  },
  gemini: {
    ...{ timeframe: "15m", market: "btcusd" },
    subscription: {
      type: "subscribe",
      subscriptions: [{ name: "candles_15m", symbols: ["BTCUSD"] }],
    },
    told: [
      [
        `{"type":"candles_15m_updates","symbol":"BTCUSD","changes":[
          [1561054500000,9350.18,9358.35,9350.18,9355.51,2.07],
          [1561053600000,9357.33,9357.34,9350.18,9350.19,1.5900161]]}`,
        [{
          ...{ kind: "candle", topic: "candles_15m:BTCUSD", isSnapshot: false },
          row: [1561053600000, "9357.33", "9357.34", "9350.18", "9350.19", "1.5900161"],
        }, {
          ...{ kind: "candle", topic: "candles_15m:BTCUSD", isSnapshot: false },
          row: [1561054500000, "9350.18", "9358.35", "9350.18", "9355.51", "2.07"],
        }],
      ],
      [`{"type":"heartbeat","timestamp":1659740268958}`, [{ kind: "alive" }]],
      [
        `{"result":"error","reason":"Invalid symbol"}`,
        [{ kind: "refused", why: "Invalid symbol" }],
      ],
      [`{"type":"trade","symbol":"BTCUSD"}`, undefined],
    ],
  },
  hitbtc: {
    ...{ timeframe: "1m", market: "BTCUSDT" },
    subscription: {
      ...{ method: "subscribe", ch: "candles/M1", id: 1 },
      params: { symbols: ["BTCUSDT"], limit: 1 },
    },
    told: [
      [
        `{"ch":"candles/M1","snapshot":{"BTCUSDT":[{"t":1626860340000,"o":"30881.95",
          "c":"30890.96","h":"30900.8","l":"30861.27","v":"1.27852","q":"39493.9021811"}]}}`,
        [{
          ...{ kind: "candle", topic: "candles/M1:BTCUSDT", isSnapshot: true },
          row: [1626860340000, "30881.95", "30900.8", "30861.27", "30890.96", "1.27852"],
        }],
      ],
      [
        `{"ch":"candles/M1","update":{"ETHBTC":[{"t":1626860880000,"o":"0.060711","c":"0.060749",
          "h":"0.060749","l":"0.060711","v":"12.2800","q":"0.7455339675"}]}}`,
        [{
          ...{ kind: "candle", topic: "candles/M1:ETHBTC", isSnapshot: false },
          row: [1626860880000, "0.060711", "0.060749", "0.060711", "0.060749", "12.2800"],
        }],
      ],
      [
        `{"result":{"ch":"candles/M1","subscriptions":["BTCUSDT"]},"id":1}`,
        [{ kind: "agreed", id: "1" }],
      ],
      [
        `{"jsonrpc":"2.0","error":{"code":2001,"message":"Symbol not found","description":
          "Try get all available symbols"},"id":1}`,
        [{ kind: "refused", id: "1", why: "Try get all available symbols" }],
      ],
      [`{"ch":"trades"}`, undefined],
    ],
  },
  htx: {
    ...{ timeframe: "1h", market: "btcusdt" },
    subscription: { sub: "market.btcusdt.kline.60min", id: "1" },
    told: [
      [
        `{"ch":"market.btcusdt.kline.1min","ts":1583501786794,"tick":{"id":1583501760,
          "open":9094.5,"close":9094.51,"low":9094.4,"high":9094.52,
          "amount":0.44639786263800907,"vol":4059.76919054,"count":16}}`,
        [{
          ...{ kind: "candle", topic: "market.btcusdt.kline.1min", exchangeMs: 1583501786794 },
          row: [1583501760000, "9094.5", "9094.52", "9094.4", "9094.51", "0.44639786263800907"],
        }],
      ],
      [
        `{"id":"1","status":"ok","subbed":"market.btcusdt.kline.1min","ts":1583414229143}`,
        [{ kind: "agreed", id: "1", topic: "market.btcusdt.kline.1min" }],
      ],
      [
        `{"ts":1586323747018,"status":"error","err-code":"bad-request",
          "err-msg":"invalid symbol nousdt","id":"2"}`,
        [{ kind: "refused", id: "2", why: "invalid symbol nousdt" }],
      ],
      [`{"ping":1583491673714}`, [{ kind: "reply", text: `{"pong":1583491673714}` }]],
      [`{"id":"2","status":"ok","unsubbed":"market.btcusdt.kline.1min"}`, [{ kind: "alive" }]],
      [`{"ts":1583491673714}`, undefined],
    ],
  },
  kucoin: {
    ...{ timeframe: "1h", market: "ETH-USDT" },
    subscription: {
      ...{ id: "1", action: "subscribe", channel: "kline", tradeType: "SPOT" },
      ...{ symbol: "ETH-USDT", interval: "1hour" },
    },
    told: [
      [
        `{"T":"kline.SPOT","P":"1774621652314890314","d":{"a":"195333.419819132","s":"ETH-USDT",
          "C":1774621680,"c":"1973.4","S":false,"v":"98.941095","h":"1974.97","i":"1min",
          "l":"1973.3","O":1774621620,"o":"1974.34"}}`,
        [{
          ...{ kind: "candle", topic: "kline:1min:ETH-USDT", exchangeMs: 1774621652314 },
          row: [1774621620000, "1974.34", "1974.97", "1973.3", "1973.4", "98.941095"],
        }],
      ],
      [`{"id":"1","result":true}`, [{ kind: "agreed", id: "1" }]],
      [
        `{"id":"1","result":false,"reason":"missing symbol for topic"}`,
        [{ kind: "refused", id: "1", why: "missing symbol for topic" }],
      ],
      [
        `{"sessionId":"ddfb0cbd","message":"welcome","pingInterval":18000}`,
        [{ kind: "alive" }],
      ],
      [`{"id":"2","type":"pong"}`, [{ kind: "alive" }]],
      [
        `{"id":"1","type":"error","code":415,"data":"type is not supported"}`,
        [{ kind: "refused", id: "1", why: "type is not supported" }],
      ],
      [`{"T":"trade.SPOT","d":{}}`, undefined],
    ],
  },
  poloniex: {
    ...{ timeframe: "1m", market: "BTC_USDT" },
    subscription: { event: "subscribe", channel: ["candles_minute_1"], symbols: ["BTC_USDT"] },
    told: [
      [
        `{"channel":"candles_minute_1","data":[{"symbol":"BTC_USDT","amount":"840.7240416",
          "high":"24832.36","quantity":"0.033856","tradeCount":1,"low":"24832.34",
          "closeTime":1676942519999,"startTime":1676942460000,"close":"24832.35",
          "open":"24832.345","ts":1676942492072}]}`,
        [{
          ...{ kind: "candle", topic: "candles_minute_1:BTC_USDT", exchangeMs: 1676942492072 },
          row: [1676942460000, "24832.345", "24832.36", "24832.34", "24832.35", "0.033856"],
        }],
      ],
      [
        `{"channel":"candles_minute_1","event":"subscribe","symbols":["BTC_USDT"]}`,
        [{ kind: "agreed", topic: "candles_minute_1:BTC_USDT" }],
      ],
      [`{"event":"pong"}`, [{ kind: "alive" }]],
      [
        `{"event":"error","message":"Invalid channel value"}`,
        [{ kind: "refused", why: "Invalid channel value" }],
      ],
      [`{"channel":"auth"}`, undefined],
    ],
  },
};
