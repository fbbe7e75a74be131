/** Where an exchange's stream is, and by which way: its own address, or that of the configuration. @module */
import { type EgressSettings, sourceAddress } from "../config/egress_setting.ts";
import { factOf } from "./ancestry.ts";
import { binance, binanceus } from "./dialects/binance.ts";
import { bingx } from "./dialects/bingx.ts";
import { bitfinex } from "./dialects/bitfinex.ts";
import { bitget } from "./dialects/bitget.ts";
import { bitvavo } from "./dialects/bitvavo.ts";
import { bybit, bybiteu, bybitid } from "./dialects/bybit.ts";
import { cryptocom } from "./dialects/cryptocom.ts";
import { gate, gateeu } from "./dialects/gate.ts";
import { gemini } from "./dialects/gemini.ts";
import { bequant, hitbtc } from "./dialects/hitbtc.ts";
import { htx } from "./dialects/htx.ts";
import { kraken } from "./dialects/kraken.ts";
import { kucoin } from "./dialects/kucoin.ts";
import { myokx, okx, okxus } from "./dialects/okx.ts";
import { poloniex } from "./dialects/poloniex.ts";
import { recordOf, type StreamDialect } from "./stream_dialect.ts";

/** An exchange whose candles may be streamed, with the options that its requests have. */
export interface StreamedExchange {
  /** CCXT's id. */
  readonly id: string;
  /** `EXCHANGE_<ID>`. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** `EXCHANGE_PROXY_URL`. */
  readonly proxyUrl?: string | undefined;
  /** The address of this machine that connections leave from. @default any */
  readonly sourceAddress?: string | undefined;
}

/** An exchange with what the settings say of it. */
export function streamedExchange(
  id: string,
  settings: EgressSettings,
): StreamedExchange {
  const { exchangeOptions, exchangeProxyUrl: proxyUrl } = settings;
  return { id, config: exchangeOptions[id], proxyUrl, sourceAddress: sourceAddress(settings, id) };
}

/** Whether an exchange's candles can be streamed. */
type StreamAbility =
  | { readonly canStream: false; readonly why: string }
  | {
    readonly canStream: true;
    /** Its server's name, with the port unless it is the usual one. */
    readonly host: string;
    /** CCXT's timeframes. */
    readonly timeframes: ReadonlySet<string>;
    readonly flagsClosed: boolean;
    readonly seriesPerConnection: number;
  };

/** What a connection is opened with. */
export interface StreamAddress {
  readonly url: string;
  /** A forward proxy's URL. */
  readonly proxy: string | undefined;
  /** An address of this machine to leave from. */
  readonly sourceAddress?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * By class. `undefined`: the class inherits from one that has a stream, and is another exchange with other markets, or at
 * an address that is not known.
 */
export const STREAM_DIALECTS: Readonly<Record<string, StreamDialect | undefined>> = {
  ...{ binance, binanceus, binancecoinm: undefined, binanceusdm: undefined },
  ...{ bingx, bitfinex, bitget, bitvavo },
  ...{ bybit, bybiteu, bybitid },
  cryptocom,
  ...{ gate, gateeu },
  gemini,
  ...{ hitbtc, bequant, fmfwio: undefined },
  htx,
  kraken,
  ...{ kucoin, kucoinfutures: undefined },
  ...{ okx, myokx, okxus },
  poloniex,
};

/** Options of CCXT that put a prefix before every address. A stream cannot go through one. */
const PREFIXES = ["proxyUrl", "proxy_url", "proxy"] as const;

const FORWARD_PROXIES = [
  ...["httpsProxy", "https_proxy", "httpProxy", "http_proxy", "socksProxy", "socks_proxy"],
] as const;

export function streamAbility(exchange: StreamedExchange): StreamAbility {
  const found = findStream(exchange);
  if ("why" in found) return { canStream: false, why: found.why };
  const { intervals, flagsClosed, topicsMax } = found.dialect;
  return {
    canStream: true,
    host: new URL(found.address.url).host,
    timeframes: new Set(Object.keys(intervals)),
    flagsClosed,
    seriesPerConnection: topicsMax,
  };
}

/** The exchange's dialect and address, or why it has no stream. */
export function findStream(
  { id, config = {}, proxyUrl, sourceAddress }: StreamedExchange,
): { readonly why: string } | {
  readonly dialect: StreamDialect;
  readonly address: StreamAddress;
} {
  const dialect = factOf(STREAM_DIALECTS, id);
  if (dialect === undefined) return { why: `no stream of ${id} is known` };
  const named = namedUrl(config, dialect);
  if (named === undefined && isElsewhere(config)) {
    return {
      why: `EXCHANGE_${id.toUpperCase()} names another server and no address of its stream: ` +
        `name it as urls.ws`,
    };
  }
  const url = named ?? dialect.url;
  if (!isWebSocketUrl(url)) {
    return {
      why: `urls.ws of EXCHANGE_${id.toUpperCase()} is not an address beginning ws:// or wss://`,
    };
  }
  const proxy = FORWARD_PROXIES.map((name) => config[name]).find(isText);
  const isPrefixed = PREFIXES.some((name) => isText(config[name])) ||
    (isText(proxyUrl) && proxy === undefined);
  // An address that stands for the stream alone is reached without the prefix.
  if (isPrefixed && !isText(recordOf(config["urls"])?.["ws"])) {
    return {
      why: "its requests go to a prefix (proxyUrl), and a stream cannot: use httpsProxy, or name " +
        `the stream's address as urls.ws of EXCHANGE_${id.toUpperCase()}`,
    };
  }
  const from = sourceAddress === undefined ? {} : { sourceAddress };
  return { dialect, address: { url, proxy, ...from, headers: headersOf(config) } };
}

/** The address that the configuration names: `urls.ws` as it is, or what is in `urls.api` where CCXT's class has it. */
function namedUrl(
  { urls }: Readonly<Record<string, unknown>>,
  { urlKeys, urlSuffix = "" }: StreamDialect,
): string | undefined {
  const { ws, api } = recordOf(urls) ?? {};
  if (isText(ws)) return ws;
  let named: unknown = recordOf(api);
  for (const key of urlKeys) if (!isText(named)) named = recordOf(named)?.[key];
  return isText(named) ? named + urlSuffix : undefined;
}

/** Whether requests go to another server than the exchange's own: of its stream nothing is known. */
function isElsewhere(config: Readonly<Record<string, unknown>>): boolean {
  const { api, hostnames } = recordOf(config["urls"]) ?? {};
  // CCXT takes these two from either place.
  const isSandbox = [config, recordOf(config["options"])].some((given) =>
    given?.["sandbox"] === true || given?.["testnet"] === true
  );
  return isSandbox || [config["hostname"], api, hostnames].some((given) => given !== undefined);
}

/**
 * Those that CCXT gives to requests and to streams. Without a user agent: the platform sends its own, and would send both in
 * one header.
 */
function headersOf(config: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const ws = recordOf(recordOf(config["options"])?.["ws"]);
  const given = {
    ...recordOf(config["headers"]),
    ...recordOf(recordOf(ws?.["options"])?.["headers"]),
  };
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] =>
      isText(entry[1]) && entry[0].toLowerCase() !== "user-agent"
    ),
  );
}

function isWebSocketUrl(url: string): boolean {
  return URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
