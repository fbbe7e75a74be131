/** The local exchange: a real HTTP server on the loopback address that answers like an exchange does. @module */
import type { Clock } from "../clock.ts";
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { binance } from "./binance.ts";
import type { LocalCandle } from "./price_walk.ts";
import type { Dialect } from "./dialect.ts";
import { closedCandles, page } from "./history.ts";
import { type Asked, historyOf, type Interference, type RowChange } from "./interference.ts";
import { type LoggedRequest, RequestLog, type RequestTarget, requestTarget } from "./request.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "./local_symbol.ts";

export interface LocalExchangeOptions {
  /** Says what time it is on the exchange. */
  readonly clock: Clock;
  /** @default LOCAL_SYMBOLS */
  readonly symbols?: readonly LocalSymbol[] | undefined;
  /** @default 0, any free one */
  readonly port?: number | undefined;
  /** One, or several whose paths do not clash, for one server behind a proxy URL. @default binance */
  readonly dialect?: Dialect | readonly Dialect[] | undefined;
  /** Stands between the exchange and its answers. Unset: every answer is true. */
  readonly interference?: Interference | undefined;
  /** How many of the newest requests are kept. @default 100,000 */
  readonly requestsMax?: number | undefined;
}

export interface LocalExchange {
  /** Without a trailing slash: `http://127.0.0.1:40123`. */
  readonly url: string;
  /** What CCXT's `proxyUrl` is set to; it ends in a slash. */
  readonly proxyUrl: string;
  readonly port: number;
  /** The newest requests, oldest first; a copy. */
  readonly requests: readonly LoggedRequest[];
  readonly symbols: LocalSymbols;
  /**
   * The closed candles that the exchange, asked without interference, gives for the window at `nowMs`. With
   * several dialects: as the first of them treats holes.
   *
   * @throws RangeError when there is no such symbol.
   */
  truth(symbol: string, timeframe: Timeframe, window: Window, nowMs?: number): LocalCandle[];
  /** Ends hanging requests, tears down what is open, and resolves when the port is free. */
  close(): Promise<void>;
}

/** The markets of a running exchange. */
interface LocalSymbols {
  all(): readonly LocalSymbol[];
  /** Adds a market, or puts another one in the place of its namesake. */
  list(symbol: LocalSymbol): void;
  /**
   * Ends trading now: the market keeps its history, and its listing says that it is closed. With `forget`
   * the exchange no longer knows the symbol at all.
   *
   * @throws RangeError when there is no such symbol.
   */
  delist(symbol: string, options?: { readonly forget?: boolean | undefined }): void;
}

const HOSTNAME = "127.0.0.1";

/** Long enough for every test and small beside the candles it speaks of. */
const REQUESTS_MAX = 100_000;

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
    symbols: new Map(symbols.map((symbol) => [symbol.symbol, symbol])),
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
    // Whoever tears a connection down on request is not heard; a defect of a dialect is.
    onError: (error) => new Response(`The local exchange failed: ${error}\n`, { status: 500 }),
  }, (request) => respond(state, request));
  await listening.promise;
  const url = `http://${HOSTNAME}:${server.addr.port}`;
  return {
    url,
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
    async close(): Promise<void> {
      closing.abort();
      await server.finished;
    },
  };
}

interface State {
  readonly clock: Clock;
  readonly dialects: readonly Dialect[];
  readonly symbols: Map<string, LocalSymbol>;
  readonly interference: Interference | undefined;
  readonly log: RequestLog;
  /** Aborted once the exchange closes. */
  readonly closing: AbortSignal;
  /** Resolves then. What hangs waits for it: a client that went away has stopped listening anyway. */
  readonly closed: Promise<void>;
}

async function respond(state: State, request: Request): Promise<Response> {
  const { interference } = state;
  const nowMs = state.clock.now();
  const target = requestTarget(request.url);
  const entry = state.log.add(target, nowMs);
  const asked = understand(state, target, nowMs);
  if (asked === undefined) {
    return entry.answered(new Response(`No such endpoint: ${target.path}\n`, { status: 404 }));
  }
  const response = interference === undefined ? asked.answer() : await interference.respond(asked);
  if (response === undefined) {
    await state.closed;
    // Nobody reads this, the connection is gone. The log keeps the request as unanswered.
    return new Response(null, { status: 503 });
  }
  response.headers.set("date", new Date(nowMs).toUTCString());
  return entry.answered(response);
}

function understand(
  { dialects, symbols, closing }: State,
  { path, query, proxied }: RequestTarget,
  nowMs: number,
): Asked | undefined {
  const request = { path, query, symbols: [...symbols.values()], nowMs };
  for (const dialect of dialects) {
    const ask = dialect.read(request);
    if (ask === undefined) continue;
    const answer = (change?: RowChange): Response => answerOf({ dialect, ask, nowMs }, change);
    return { dialect, ask, proxied, nowMs, closing, answer };
  }
  return undefined;
}

function answerOf(
  { dialect, ask, nowMs }: Pick<Asked, "dialect" | "ask" | "nowMs">,
  change: RowChange = (rows) => rows,
): Response {
  if (ask.about !== "candles") return jsonAnswer(ask.answer.status, ask.answer.body);
  const rows = change(page(historyOf({ dialect, ask, nowMs }), ask.page));
  return jsonAnswer(200, ask.render(ask.page.order === "ascending" ? rows : rows.toReversed()));
}

function jsonAnswer(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: JSON_HEADERS });
}

function symbolsOf({ symbols, clock }: State): LocalSymbols {
  return {
    all: () => [...symbols.values()],
    list: (symbol) => void symbols.set(symbol.symbol, symbol),
    delist: (symbol, { forget = false } = {}) => {
      const market = known({ symbols }, symbol);
      if (forget) symbols.delete(symbol);
      else symbols.set(symbol, { ...market, delistedAtMs: clock.now() });
    },
  };
}

function known({ symbols }: Pick<State, "symbols">, symbol: string): LocalSymbol {
  const market = symbols.get(symbol);
  if (market === undefined) throw new RangeError(`The local exchange has no market ${symbol}`);
  return market;
}
