/** The local exchange: a real HTTP server on the loopback address that answers like an exchange. @module */
import type { Clock } from "../clock.ts";
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { binance } from "./local_binance.ts";
import { acceptStream } from "./candle_stream.ts";
import type { LocalCandle } from "./price_walk.ts";
import type { Dialect } from "./dialect.ts";
import { findMarket, fundingRates, type LocalFunding } from "./contract.ts";
import { fundingPage } from "./local_funding.ts";
import { closedCandles, page, type PageAsk } from "./history.ts";
import { type Asked, historyOf, type Interference, type RowChange } from "./interference.ts";
import {
  type Arrival,
  type LoggedRequest,
  RequestLog,
  type RequestTarget,
  requestTarget,
} from "./request.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "./local_symbol.ts";

export interface LocalExchangeOptions {
  /** The clock of the exchange. */
  readonly clock: Clock;
  /** @default LOCAL_SYMBOLS */
  readonly symbols?: readonly LocalSymbol[] | undefined;
  /** @default 0, any free port */
  readonly port?: number | undefined;
  /** One dialect, or several with different paths, for one server behind a proxy URL. @default binance */
  readonly dialect?: Dialect | readonly Dialect[] | undefined;
  /** May change the answers. Unset: every answer is correct. */
  readonly interference?: Interference | undefined;
  /** How many of the newest requests are kept. @default 100,000 */
  readonly requestsMax?: number | undefined;
}

export interface LocalExchange {
  /** Without a trailing slash: `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Where the first dialect's stream is. */
  readonly streamUrl: string;
  /** The value for CCXT's `proxyUrl`; it ends with a slash. */
  readonly proxyUrl: string;
  readonly port: number;
  /** A copy of the newest requests, oldest first. */
  readonly requests: readonly LoggedRequest[];
  readonly symbols: LocalSymbols;
  /**
   * The closed candles of the window that the exchange sends at `nowMs` without interference. With several dialects,
   * holes are treated as in the first one.
   *
   * @throws RangeError when there is no such symbol.
   */
  truth(symbol: string, timeframe: Timeframe, window: Window, nowMs?: number): LocalCandle[];
  /**
   * The payments of a perpetual in the window that were settled at `nowMs`, at their true times.
   *
   * @throws RangeError when there is no such symbol.
   */
  funding(symbol: string, window: Window, nowMs?: number): LocalFunding[];
  /** Ends requests without an answer, closes all connections, and resolves when the port is free. */
  close(): Promise<void>;
}

/** The markets of a running exchange. */
interface LocalSymbols {
  all(): readonly LocalSymbol[];
  /** Adds a market, or replaces the one with the same symbol and id. */
  list(symbol: LocalSymbol): void;
  /**
   * Ends trading now. The market keeps its history, and the list of markets shows it as closed. With `forget`, the
   * exchange no longer knows the symbol.
   *
   * @throws RangeError when there is no such symbol.
   */
  delist(symbol: string, options?: { readonly forget?: boolean | undefined }): void;
}

const HOSTNAME = "127.0.0.1";

/** Enough for every test, and small compared with the memory for the candles. */
const REQUESTS_MAX = 100_000;

const FILE_HEADERS = { "content-type": "application/octet-stream" };
const JSON_HEADERS = { "content-type": "application/json;charset=UTF-8" };

/**
 * Starts a local exchange; it listens when the promise resolves.
 *
 * @throws Deno.errors.AddrInUse when the port is taken.
 */
export async function startLocalExchange(options: LocalExchangeOptions): Promise<LocalExchange> {
  const { clock, symbols = LOCAL_SYMBOLS, port = 0, dialect = binance } = options;
  const closing = new AbortController();
  const state: State = {
    clock,
    dialects: Array.isArray(dialect) ? dialect : [dialect],
    symbols: new Map(symbols.map((symbol) => [keyOf(symbol), symbol])),
    interference: options.interference,
    log: new RequestLog(options.requestsMax ?? REQUESTS_MAX),
    closing: closing.signal,
    closed: new Promise((resolve) => closing.signal.addEventListener("abort", () => resolve())),
  };
  const listening = Promise.withResolvers<void>();
  const server = Deno.serve({
    hostname: HOSTNAME,
    port,
    signal: closing.signal,
    onListen: () => listening.resolve(),
    // A dialect that throws is answered with status 500, so that its defect shows.
    onError: (error) => new Response(`The local exchange failed: ${error}\n`, { status: 500 }),
  }, (request, { remoteAddr }) => respond(state, request, remoteAddr.hostname));
  await listening.promise;
  const url = `http://${HOSTNAME}:${server.addr.port}`;
  return {
    url,
    streamUrl: `${url.replace("http", "ws")}${state.dialects[0]?.stream?.path ?? ""}`,
    proxyUrl: `${url}/proxy/`,
    port: server.addr.port,
    get requests() {
      return state.log.newest();
    },
    symbols: symbolsOf(state),
    truth: (symbol, timeframe, window, nowMs = clock.now()) => {
      const silence = state.dialects[0]?.silence ?? "omitted";
      return closedCandles({ symbol: known(state, symbol), timeframe, silence, nowMs }, window);
    },
    funding: (symbol, window, nowMs = clock.now()) =>
      fundingRates(known(state, symbol), window, nowMs),
    async close(): Promise<void> {
      closing.abort();
      await server.finished;
    },
  };
}

interface State {
  readonly clock: Clock;
  readonly dialects: readonly Dialect[];
  /** By symbol and id: an exchange may list two markets that CCXT calls alike. */
  readonly symbols: Map<string, LocalSymbol>;
  readonly interference: Interference | undefined;
  readonly log: RequestLog;
  /** Aborted when the exchange closes. */
  readonly closing: AbortSignal;
  /** Resolves when the exchange closes. Requests without an answer wait for it. */
  readonly closed: Promise<void>;
}

async function respond(state: State, request: Request, visitor: string): Promise<Response> {
  const { interference } = state;
  const nowMs = state.clock.now();
  const target = requestTarget(request.url);
  const entry = state.log.add(target, { nowMs, visitor });
  const stream = streamAt(state, request, target.path);
  if (stream !== undefined) return entry.answered(acceptStream(request, stream));
  const asked = understand(state, target, { nowMs, visitor });
  if (asked === undefined) {
    return entry.answered(new Response(`No such endpoint: ${target.path}\n`, { status: 404 }));
  }
  entry.understood(asked.ask.endpoint);
  const response = interference === undefined ? asked.answer() : await interference.respond(asked);
  if (response === undefined) {
    await state.closed;
    // The connection is closed by now, so this response reaches no client. The log keeps the request as unanswered.
    return new Response(null, { status: 503 });
  }
  response.headers.set("date", new Date(nowMs).toUTCString());
  return entry.answered(response);
}

/** The WebSocket that a request asks for, if it asks for one. */
function streamAt(
  { clock, dialects, symbols, closing }: State,
  { headers }: Request,
  path: string,
): Parameters<typeof acceptStream>[1] | undefined {
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
  const dialect = dialects.find(({ stream }) => stream?.path === path);
  if (dialect?.stream === undefined) return undefined;
  const markets = (): readonly LocalSymbol[] => [...symbols.values()];
  return { dialect, format: dialect.stream, clock, symbols: markets, closing };
}

function understand(
  { dialects, symbols, closing }: State,
  { path, query, proxied, host }: RequestTarget,
  { nowMs, visitor }: Arrival,
): Asked | undefined {
  const request = { path, query, symbols: [...symbols.values()], nowMs };
  for (const dialect of dialects) {
    const ask = dialect.read(request);
    if (ask === undefined) continue;
    const answer = (change?: RowChange): Response => answerOf({ dialect, ask, nowMs }, change);
    return { dialect, ask, proxied, host, visitor, nowMs, closing, answer };
  }
  return undefined;
}

function answerOf(
  { dialect, ask, nowMs }: Pick<Asked, "dialect" | "ask" | "nowMs">,
  { candles = (rows) => rows, funding = (rows) => rows }: RowChange = {},
): Response {
  switch (ask.about) {
    case "candles": {
      const rows = candles(page(historyOf({ dialect, ask, nowMs }), ask.page));
      return jsonAnswer(200, ask.render(ordered(rows, ask.page)));
    }
    case "funding": {
      const rows = funding(fundingPage(ask, nowMs));
      return jsonAnswer(200, ask.render(ordered(rows, ask.page)));
    }
    default:
      return jsonAnswer(ask.answer.status, ask.answer.body);
  }
}

function ordered<Row>(rows: readonly Row[], { order }: PageAsk): readonly Row[] {
  return order === "ascending" ? rows : rows.toReversed();
}

function jsonAnswer(status: number, body: unknown): Response {
  // A file, which only a dialect of tests has.
  if (body instanceof Uint8Array) {
    return new Response(new Uint8Array(body), { status, headers: FILE_HEADERS });
  }
  return new Response(JSON.stringify(body), { status, headers: JSON_HEADERS });
}

function symbolsOf({ symbols, clock }: State): LocalSymbols {
  return {
    all: () => [...symbols.values()],
    list: (symbol) => void symbols.set(keyOf(symbol), symbol),
    delist: (symbol, { forget = false } = {}) => {
      const market = known({ symbols }, symbol);
      if (forget) symbols.delete(keyOf(market));
      else symbols.set(keyOf(market), { ...market, delistedAtMs: clock.now() });
    },
  };
}

function keyOf({ symbol, id = "" }: LocalSymbol): string {
  return `${symbol} ${id}`;
}

/** The first of that symbol, or another price of a contract. */
function known({ symbols }: Pick<State, "symbols">, symbol: string): LocalSymbol {
  const market = findMarket(symbols.values(), symbol);
  if (market === undefined) throw new RangeError(`The local exchange has no market ${symbol}`);
  return market;
}
