/** Tells an answer that holds candles, or none, from a body that holds nothing of the sort. @module */
import type { Call } from "./call.ts";
import { FetchError } from "./fetch_error.ts";

/**
 * CCXT turns a maintenance page, a truncated body and an empty one into `[]`: an empty list counts only when the
 * body itself was whole JSON that holds one.
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
      `Cannot ${action}: the answer (HTTP ${call.status ?? "none"}) is not whole JSON`,
    );
  }
  if (!Array.isArray(answer)) {
    throw new FetchError("transient", `Cannot ${action}: the answer holds no list of candles`);
  }
  if (answer.length === 0 && !holdsEmptyList(call.json)) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: the empty answer is not a list of candles`,
    );
  }
}

/**
 * CCXT reads no market out of a body that broke off, and takes that for a list without markets.
 *
 * @throws FetchError `transient`
 */
export function assertMarkets(action: string, markets: number, call: Call): void {
  if (call.unreadable > 0) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: an answer (HTTP ${call.status ?? "none"}) is not whole JSON`,
    );
  }
  if (markets === 0) {
    throw new FetchError("transient", `Cannot ${action}: the answer names none`);
  }
}

/** Candle lists lie at most this deep: `{ result: { XXBTZUSD: [] } }`. */
const LIST_DEPTH_MAX = 4;

/** Whether JSON is an empty list, or holds one under a name that does not speak of errors. */
function holdsEmptyList(json: unknown, depth = 0): boolean {
  if (Array.isArray(json)) return json.length === 0;
  if (typeof json !== "object" || json === null || depth >= LIST_DEPTH_MAX) return false;
  return Object.entries(json).some(([key, value]) =>
    !/err|warn/i.test(key) && holdsEmptyList(value, depth + 1)
  );
}
