/** The local exchange: a real HTTP server on the loopback address that answers like an exchange does. @module */
import type { Clock } from "../clock.ts";
import type { Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { binance } from "./binance.ts";
import type { LocalCandle } from "./price_walk.ts";
import type { Ask, CandlesAsk, Dialect, PageRow } from "./dialect.ts";
import { type AnswerFault, Faults, type Strike } from "./fault.ts";
import { askedWindow, closedCandles, formingCandle, type History, page } from "./history.ts";
import { RateGate, type RateLimit } from "./rate_gate.ts";
import { type LoggedRequest, RequestLog, type RequestTarget, requestTarget } from "./request.ts";
import { spoiledRows } from "./row_fault.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "./local_symbol.ts";

export interface LocalExchangeOptions {
  /** Says what time it is on the exchange, and waits out latencies. */
  readonly clock: Clock;
  /** @default LOCAL_SYMBOLS */
  readonly symbols?: readonly LocalSymbol[] | undefined;
  /** @default 0, any free one */
  readonly port?: number | undefined;
  /** One, or several whose paths do not clash, for one server behind a proxy URL. @default binance */
  readonly dialect?: Dialect | readonly Dialect[] | undefined;
  /** Answers 429 with `Retry-After` beyond it. Unset: no limit. */
  readonly rateLimit?: RateLimit | undefined;
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
  readonly faults: Faults;
  readonly symbols: LocalSymbols;
  /**
   * The closed candles that the exchange, asked without faults, gives for the window at `nowMs`. With
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

/** The shortest ban Binance hands out. */
const BAN_SECONDS = 120;

const MAINTENANCE_PAGE = "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>" +
  "<body><h1>We'll be back soon</h1></body></html>\n";

const HTML_HEADERS = { "content-type": "text/html;charset=UTF-8" };
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
    faults: new Faults(),
    log: new RequestLog(options.requestsMax ?? REQUESTS_MAX),
    gate: options.rateLimit === undefined ? undefined : new RateGate(options.rateLimit),
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
    faults: state.faults,
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
  readonly faults: Faults;
  readonly log: RequestLog;
  readonly gate: RateGate | undefined;
  /** Aborted once the exchange closes. */
  readonly closing: AbortSignal;
  /** Resolves then. What hangs waits for it: a client that went away has stopped listening anyway. */
  readonly closed: Promise<void>;
}

/** A request that some dialect understands. */
interface Understood {
  readonly dialect: Dialect;
  readonly ask: Ask;
  readonly proxied: boolean;
  /** When it came in: the whole answer speaks of this moment. */
  readonly nowMs: number;
}

async function respond(state: State, request: Request): Promise<Response> {
  const nowMs = state.clock.now();
  const target = requestTarget(request.url);
  const entry = state.log.add(target, nowMs);
  const understood = understand(state, target, nowMs);
  if (understood === undefined) {
    return entry.answered(new Response(`No such endpoint: ${target.path}\n`, { status: 404 }));
  }
  // Before any fault: a request that is turned away does not use one up.
  const waitSeconds = state.gate?.waitSeconds(nowMs) ?? 0;
  if (waitSeconds > 0) {
    const fault = { status: 429, retryAfterSeconds: waitSeconds } as const;
    return entry.answered(refusal(understood, fault));
  }
  const strike = strikeOf(state, understood);
  if (strike.latencyMs > 0) {
    // The exchange closing ends the wait; the answer then has nobody to go to.
    await state.clock.sleep(strike.latencyMs, { signal: state.closing }).catch(() => {});
  }
  if (strike.answer?.kind === "hang" && strike.answer.afterHeaders !== true) {
    await state.closed;
    // Nobody reads this, the connection is gone. The log keeps the request as unanswered.
    return new Response(null, { status: 503 });
  }
  const response = responseOf(understood, strike);
  response.headers.set("date", new Date(nowMs).toUTCString());
  return entry.answered(response);
}

function understand(state: State, target: RequestTarget, nowMs: number): Understood | undefined {
  const symbols = [...state.symbols.values()];
  for (const dialect of state.dialects) {
    const ask = dialect.read({ path: target.path, query: target.query, symbols, nowMs });
    if (ask !== undefined) return { dialect, ask, proxied: target.proxied, nowMs };
  }
  return undefined;
}

function strikeOf(state: State, { dialect, ask, proxied, nowMs }: Understood): Strike {
  const window = ask.about === "candles"
    ? askedWindow(historyOf({ dialect, ask, nowMs }), ask.page)
    : undefined;
  return state.faults.strike({ exchange: dialect.exchange, ask, window, proxied });
}

function responseOf(understood: Understood, strike: Strike): Response {
  const { dialect, ask, nowMs } = understood;
  const fault = strike.answer;
  switch (fault?.kind) {
    case "status":
      return refusal(understood, fault);
    case "html":
      return new Response(MAINTENANCE_PAGE, { headers: HTML_HEADERS });
    case "empty_body":
      return new Response("", { headers: JSON_HEADERS });
  }
  const status = ask.about === "candles" ? 200 : ask.answer.status;
  const body = JSON.stringify(
    ask.about === "candles" ? candlesBody({ dialect, ask, nowMs }, strike) : ask.answer.body,
  );
  if (fault === undefined) return new Response(body, { status, headers: JSON_HEADERS });
  const half = body.slice(0, Math.ceil(body.length / 2));
  return new Response(fault.kind === "truncated" ? half : halfBody(half, fault.kind), {
    headers: JSON_HEADERS,
  });
}

/** The candles asked for, as the dialect writes them, with the row faults already in them. */
function candlesBody(told: ToldCandles, strike: Strike): unknown {
  const { dialect, ask } = told;
  const history = historyOf(told);
  const forming = formingCandle(history);
  const series = `${dialect.exchange} ${ask.symbol.symbol} ${ask.timeframe.text}`;
  let rows: readonly PageRow[] = page(history, ask.page);
  for (const { fault, window, memory } of strike.rows) {
    rows = spoiledRows(rows, fault, { series, window, memory, forming });
  }
  return ask.render(ask.page.order === "ascending" ? rows : rows.toReversed());
}

function refusal(
  { dialect, nowMs }: Understood,
  { status, retryAfterSeconds, body }: Omit<Extract<AnswerFault, { kind: "status" }>, "kind">,
): Response {
  const untilMs = nowMs + (retryAfterSeconds ?? BAN_SECONDS) * 1_000;
  const text = body ?? dialect.refusal(status, { untilMs });
  const headers = new Headers(text.startsWith("<") ? HTML_HEADERS : JSON_HEADERS);
  if (retryAfterSeconds !== undefined) headers.set("retry-after", String(retryAfterSeconds));
  return new Response(text, { status, headers });
}

/** A body that begins well and then breaks, or never ends. */
function halfBody(half: string, ending: "hang" | "reset"): ReadableStream<Uint8Array> {
  let isFirst = true;
  return new ReadableStream({
    pull(controller): Promise<void> | void {
      if (isFirst) {
        isFirst = false;
        controller.enqueue(new TextEncoder().encode(half));
        return;
      }
      // Deno drops a connection whose client or server goes away, and this promise with it.
      if (ending === "hang") return new Promise(() => {});
      controller.error(new Error("Connection torn down on request"));
    },
  });
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

type ToldCandles = Pick<Understood, "dialect" | "nowMs"> & { readonly ask: CandlesAsk };

function historyOf({ dialect, ask, nowMs }: ToldCandles): History {
  return { symbol: ask.symbol, timeframe: ask.timeframe, silence: dialect.silence, nowMs };
}
