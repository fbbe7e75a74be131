/** What the exchange's own log says of the nodes: what was asked twice, and for how long nothing was asked. @module */
import type { LoggedRequest } from "../../lib/local_exchange/request.ts";
import type { LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";

const MINUTE_MS = 60_000;

/** A time in which a node may not have stored what it was answered, so that another one has to ask again. */
export interface Pardon {
  /** The address of the node; undefined for all nodes. */
  readonly visitor: string | undefined;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The address that may ask again. @default any */
  readonly by?: string;
}

export interface AskedTwice {
  /** Minutes that were asked again after an answer that nothing can have kept from being stored. */
  readonly unpardoned: readonly string[];
  /** Minutes that were asked again because of a takeover. */
  readonly pardoned: number;
}

/** Minutes of history before `untilMs` that were answered more than once. */
export function askedTwice(
  requests: readonly LoggedRequest[],
  { untilMs, pardons }: { readonly untilMs: number; readonly pardons: readonly Pardon[] },
): AskedTwice {
  const answered = new Map<string, LoggedRequest>();
  const unpardoned = new Map<LoggedRequest, string>();
  let pardoned = 0;
  for (const request of candleRequests(requests, "1m")) {
    const sinceMs = Number(request.query["startTime"]);
    const endMs = Math.min(
      sinceMs + Number(request.query["limit"]) * MINUTE_MS,
      Number(request.query["endTime"] ?? Infinity) + 1,
      untilMs,
    );
    for (let timeMs = sinceMs; timeMs < endMs; timeMs += MINUTE_MS) {
      const key = `${request.query["symbol"]} ${timeMs}`;
      const before = answered.get(key);
      answered.set(key, request);
      if (before === undefined) continue;
      if (pardons.some((pardon) => pardonsOf(pardon, before, request))) pardoned++;
      else if (!unpardoned.has(request)) unpardoned.set(request, sentence(before, request));
    }
  }
  return { unpardoned: [...unpardoned.values()], pardoned };
}

function pardonsOf(
  { visitor, sinceMs, untilMs, by }: Pardon,
  before: LoggedRequest,
  again: LoggedRequest,
): boolean {
  return (visitor === undefined || visitor === before.visitor) &&
    (by === undefined || by === again.visitor) &&
    sinceMs <= before.timeMs && before.timeMs < untilMs;
}

function sentence(before: LoggedRequest, again: LoggedRequest): string {
  const window = `${again.query["symbol"]} from ${isoOf(Number(again.query["startTime"]))}`;
  return `${window} was asked by ${before.visitor} at ${isoOf(before.timeMs)} and again by ` +
    `${again.visitor} at ${isoOf(again.timeMs)}`;
}

export interface Unpolled {
  readonly symbol: string;
  readonly sinceMs: number;
  readonly forMs: number;
}

/** The longest time in which the newest candles of one of the symbols were not answered for. */
export function longestUnpolled(
  requests: readonly LoggedRequest[],
  { symbols, sinceMs, untilMs }: {
    readonly symbols: readonly LocalSymbol[];
    readonly sinceMs: number;
    readonly untilMs: number;
  },
): Unpolled {
  let longest: Unpolled = { symbol: "", sinceMs, forMs: 0 };
  const polls = candleRequests(requests, "1s");
  for (const { symbol, base, quote } of symbols) {
    const times = polls.filter(({ query, timeMs }) =>
      query["symbol"] === base + quote && sinceMs <= timeMs && timeMs < untilMs
    ).map(({ timeMs }) => timeMs);
    let lastMs = sinceMs;
    for (const timeMs of [...times, untilMs]) {
      if (timeMs - lastMs > longest.forMs) {
        longest = { symbol, sinceMs: lastMs, forMs: timeMs - lastMs };
      }
      lastMs = timeMs;
    }
  }
  return longest;
}

/** Requests for candles of a timeframe that were answered. */
export function candleRequests(
  requests: readonly LoggedRequest[],
  timeframe: string,
): readonly LoggedRequest[] {
  return requests.filter(({ endpoint, query, status }) =>
    endpoint === "klines" && query["interval"] === timeframe && status === 200
  );
}

export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
