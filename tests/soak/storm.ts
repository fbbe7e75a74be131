/**
 * Faults at random, from a seed: whatever an exchange can do wrong without changing what is true. What it says of a
 * candle is either the candle or recognizably not one, so that the archive must end up with the candles all the same.
 * @module
 */
import type { LocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import type { Fault } from "../support/local_exchange/fault.ts";
import type { BadValue } from "../support/local_exchange/row_fault.ts";

/** A new fault so often, at one of the exchanges. Milliseconds. */
const EVERY_MS = 1_000;

/** Requests come once a minute: a fault waits for them this long at most, then it is over. Milliseconds. */
const FAULT_MS_MIN = 10_000;
const FAULT_MS_MAX = 70_000;

/** Requests that one fault spoils; five in a row open a breaker. */
const TIMES_MAX = 8;

export interface Storm {
  /** Requests spoiled so far. */
  readonly struck: number;
  /** Ends all faults at once, and brings no more. */
  end(): void;
}

export function startStorm(
  exchanges: readonly { readonly local: LocalExchange }[],
  seed: number,
): Storm {
  const random = randomOf(seed);
  let struck = 0;
  const running = new Set<{ end(): void }>();
  const strike = (): void => {
    const exchange = exchanges[Math.floor(random() * exchanges.length)];
    if (exchange === undefined) return;
    const fault = faultOf(random);
    const times = 1 + Math.floor(random() * TIMES_MAX);
    const handle = exchange.local.faults.add({ when: { about: "candles" }, times, fault });
    const lastsMs = FAULT_MS_MIN + random() * (FAULT_MS_MAX - FAULT_MS_MIN);
    const timer = setTimeout(() => one.end(), lastsMs);
    const one = {
      end: (): void => {
        clearTimeout(timer);
        struck += handle.struck;
        handle.remove();
        running.delete(one);
      },
    };
    running.add(one);
  };
  const timer = setInterval(strike, EVERY_MS);
  for (let i = 0; i < exchanges.length; i++) strike();
  return {
    get struck() {
      return struck;
    },
    end: () => {
      clearInterval(timer);
      for (const one of running) one.end();
    },
  };
}

const STATUSES = [500, 502, 503, 504] as const;
const BAN_STATUSES = [429, 418] as const;
const BAN_SECONDS_MAX = 5;
const LATENCY_MS_MAX = 1_500;
const BAD_VALUES: readonly BadValue[] = [
  "high_below_low",
  "negative_price",
  "zero_price",
  "nan_text",
  "null_value",
  "misaligned_time",
];

/** Of all kinds, about equally often. */
function faultOf(random: () => number): Fault {
  const oneOf = <T>(values: readonly [T, ...T[]] | readonly T[]): T =>
    values[Math.floor(random() * values.length)] as T;
  const kinds: readonly (() => Fault)[] = [
    () => ({ kind: "latency", ms: Math.floor(random() * LATENCY_MS_MAX) }),
    () => ({ kind: "status", status: oneOf(STATUSES) }),
    () => ({
      kind: "status",
      status: oneOf(BAN_STATUSES),
      retryAfterSeconds: 1 + Math.floor(random() * BAN_SECONDS_MAX),
    }),
    () => ({ kind: "hang", afterHeaders: random() < 0.5 }),
    () => ({ kind: "reset" }),
    () => ({ kind: "truncated" }),
    () => ({ kind: "html" }),
    () => ({ kind: "empty_body" }),
    () => ({ kind: "duplicate_rows", rows: 1 + Math.floor(random() * 3) }),
    () => ({ kind: "unordered_rows" }),
    () => ({ kind: "forming" }),
    () => ({ kind: "empty_page" }),
    () => ({ kind: "short_page", rows: 1 + Math.floor(random() * 3) }),
    () => ({ kind: "moved_start", rows: 1 + Math.floor(random() * 3) }),
    () => ({ kind: "bad_value", value: oneOf(BAD_VALUES), row: Math.floor(random() * 5) - 2 }),
  ];
  return oneOf(kinds)();
}

/** A linear congruential generator (Numerical Recipes): a seed that failed can be tried again. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
