/** The local exchange of tests: it answers truly, until it is given faults or a rate limit. @module */
import type { Clock } from "../../../lib/clock.ts";
import { askedWindow, formingCandle } from "../../../lib/local_exchange/history.ts";
import {
  type Asked,
  historyOf,
  type Interference,
  type RowChange,
} from "../../../lib/local_exchange/interference.ts";
import {
  type LocalExchange as TruthfulExchange,
  type LocalExchangeOptions as TruthfulOptions,
  startLocalExchange as startTruthfulExchange,
} from "../../../lib/local_exchange/server.ts";
import type { LocalFunding } from "../../../lib/local_exchange/contract.ts";
import { addCandles } from "../../../lib/market/timeframe.ts";
import type { Window } from "../../../lib/market/window.ts";
import { binance } from "./binance.ts";
import type { Dialect, PageRow } from "./dialect.ts";
import { type AnswerFault, Faults, type Strike } from "./fault.ts";
import { RateGate, type RateLimit } from "./rate_gate.ts";
import { spoiledFunding, spoiledRows } from "./row_fault.ts";

export interface LocalExchangeOptions extends Omit<TruthfulOptions, "dialect" | "interference"> {
  /** Also waits out latencies. */
  readonly clock: Clock;
  /** One, or several whose paths do not clash, for one server behind a proxy URL. @default binance */
  readonly dialect?: Dialect | readonly Dialect[] | undefined;
  /** Answers 429 with `Retry-After` beyond it, or beyond one of several. Unset: no limit. */
  readonly rateLimit?: RateLimit | readonly RateLimit[] | undefined;
}

export interface LocalExchange extends TruthfulExchange {
  readonly faults: Faults;
}

/** The shortest ban Binance hands out. */
const BAN_SECONDS = 120;

const MAINTENANCE_PAGE = "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head>" +
  "<body><h1>We'll be back soon</h1></body></html>\n";

const HTML_HEADERS = { "content-type": "text/html;charset=UTF-8" };
const JSON_HEADERS = { "content-type": "application/json;charset=UTF-8" };

/**
 * Starts a local exchange whose answers can go wrong; it listens when the promise resolves.
 *
 * @throws Deno.errors.AddrInUse when the port is taken.
 */
export async function startLocalExchange(
  { dialect = binance, rateLimit, ...options }: LocalExchangeOptions,
): Promise<LocalExchange> {
  const faults = new Faults();
  const interference = new FaultyAnswers({
    clock: options.clock,
    dialects: Array.isArray(dialect) ? dialect : [dialect],
    faults,
    gate: rateLimit === undefined ? undefined : new RateGate(rateLimit),
  });
  const exchange = await startTruthfulExchange({ ...options, dialect, interference });
  return Object.assign(exchange, { faults });
}

interface FaultyAnswersOptions {
  readonly clock: Clock;
  readonly dialects: readonly Dialect[];
  readonly faults: Faults;
  readonly gate: RateGate | undefined;
}

class FaultyAnswers implements Interference {
  readonly #options: FaultyAnswersOptions;

  constructor(options: FaultyAnswersOptions) {
    this.#options = options;
  }

  async respond(asked: Asked): Promise<Response | undefined> {
    const { clock, faults, gate } = this.#options;
    // Before any fault: a request that is turned away does not use one up.
    const waitSeconds = gate?.waitSeconds(asked) ?? 0;
    if (waitSeconds > 0) {
      return this.#refusal(asked, { status: 429, retryAfterSeconds: waitSeconds });
    }
    const { dialect: { exchange }, ask, proxied, host, visitor } = asked;
    const window = windowOf(asked);
    const strike = faults.strike({ exchange, ask, window, proxied, host, visitor });
    if (strike.latencyMs > 0) {
      // The exchange closing ends the wait; the answer then has nobody to go to.
      await clock.sleep(strike.latencyMs, { signal: asked.closing }).catch(() => {});
    }
    return await this.#answer(asked, strike);
  }

  async #answer(asked: Asked, strike: Strike): Promise<Response | undefined> {
    const fault = strike.answer;
    if (fault === undefined) return asked.answer(spoiling(asked, strike));
    switch (fault.kind) {
      case "status":
        return this.#refusal(asked, fault);
      case "html":
        return new Response(MAINTENANCE_PAGE, { headers: HTML_HEADERS });
      case "empty_body":
        return new Response("", { headers: JSON_HEADERS });
      case "hang":
        if (fault.afterHeaders !== true) return undefined;
    }
    const body = await asked.answer(spoiling(asked, strike)).text();
    const half = body.slice(0, Math.ceil(body.length / 2));
    return new Response(fault.kind === "truncated" ? half : halfBody(half, fault.kind), {
      headers: JSON_HEADERS,
    });
  }

  #refusal(
    { dialect: { exchange }, nowMs }: Asked,
    { status, retryAfterSeconds, body }: Omit<Extract<AnswerFault, { kind: "status" }>, "kind">,
  ): Response {
    const untilMs = nowMs + (retryAfterSeconds ?? BAN_SECONDS) * 1_000;
    const dialect = this.#options.dialects.find((dialect) => dialect.exchange === exchange);
    const text = body ?? dialect?.refusal(status, { untilMs }) ?? "";
    const headers = new Headers(text.startsWith("<") ? HTML_HEADERS : JSON_HEADERS);
    if (retryAfterSeconds !== undefined) headers.set("retry-after", String(retryAfterSeconds));
    return new Response(text, { status, headers });
  }
}

/** The window that a request is about, if it is about one. */
function windowOf(asked: Asked): Window | undefined {
  const { ask, nowMs } = asked;
  switch (ask.about) {
    case "candles":
      return askedWindow(historyOf({ ...asked, ask }), ask.page);
    case "funding": {
      const { sinceMs = -Infinity, untilMs = Infinity } = ask.page;
      return { sinceMs, untilMs: Math.min(untilMs, nowMs) };
    }
    default:
      return undefined;
  }
}

/** Puts the row faults into the rows. */
function spoiling(asked: Asked, strike: Strike): RowChange | undefined {
  const { dialect, ask } = asked;
  if (strike.rows.length === 0) return undefined;
  if (ask.about === "funding") {
    const funding = (rows: readonly LocalFunding[]): readonly LocalFunding[] =>
      strike.rows.reduce((spoiled, { fault }) => spoiledFunding(spoiled, fault), rows);
    return { funding };
  }
  if (ask.about !== "candles") return undefined;
  const series = `${dialect.exchange} ${ask.symbol.symbol} ${ask.timeframe.text}`;
  const forming = formingCandle(historyOf({ ...asked, ask }));
  const closedForMs = (openTimeMs: number): number =>
    asked.nowMs - addCandles(ask.timeframe, openTimeMs, 1);
  const candles = (rows: readonly PageRow[]): readonly PageRow[] =>
    strike.rows.reduce(
      (spoiled, { fault, window, memory }) =>
        spoiledRows(spoiled, fault, { series, window, memory, forming, closedForMs }),
      rows,
    );
  return { candles };
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
