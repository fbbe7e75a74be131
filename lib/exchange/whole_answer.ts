/** Checks that an answer is complete and really is a list of candles or markets. @module */
import type { Call } from "./call.ts";
import { FetchError } from "./fetch_error.ts";

/**
 * CCXT turns a maintenance page, a truncated body and an empty body into `[]`. So an empty list counts only if the
 * body was complete JSON with an empty list in it.
 *
 * @throws FetchError `transient`
 */
export function assertAnswered(
  action: string,
  answer: unknown,
  call: Call,
): asserts answer is readonly unknown[] {
  if (call.json === undefined) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: the answer (HTTP ${call.status ?? "none"}) is not complete JSON`,
    );
  }
  if (!Array.isArray(answer)) {
    throw new FetchError("transient", `Cannot ${action}: the answer has no list of candles`);
  }
  if (answer.length === 0 && !holdsEmptyList(call.json)) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: the empty answer is not a list of candles`,
    );
  }
}

/**
 * CCXT turns a truncated body into an empty list of markets.
 *
 * @throws FetchError `transient`
 */
export function assertMarkets(action: string, markets: number, call: Call): void {
  if (call.unreadable > 0) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: an answer (HTTP ${call.status ?? "none"}) is not complete JSON`,
    );
  }
  if (markets === 0) {
    throw new FetchError("transient", `Cannot ${action}: the answer has no markets`);
  }
}

/** Twice the deepest known nesting of a candle list: `{ result: { XXBTZUSD: [] } }`. */
const LIST_DEPTH_MAX = 4;

/** Whether JSON is an empty list, or contains one whose name does not mean errors or warnings. */
function holdsEmptyList(json: unknown, depth = 0): boolean {
  if (Array.isArray(json)) return json.length === 0;
  if (typeof json !== "object" || json === null || depth >= LIST_DEPTH_MAX) return false;
  return Object.entries(json).some(([key, value]) =>
    !/err|warn/i.test(key) && holdsEmptyList(value, depth + 1)
  );
}
