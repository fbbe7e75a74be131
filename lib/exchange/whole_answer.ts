/** Checks that an answer is complete and really is a list of rows. @module */
import type { Call } from "./call.ts";
import { FetchError } from "./fetch_error.ts";
import { textAround } from "../text/redact.ts";

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
      { excerpt: call.excerpt },
    );
  }
  if (!Array.isArray(answer)) {
    throw new FetchError("transient", `Cannot ${action}: the answer has no list of rows`);
  }
  if (answer.length === 0 && !holdsEmptyList(call.json)) {
    throw new FetchError(
      "transient",
      `Cannot ${action}: the empty answer is not a list of rows`,
    );
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

/** Kept before and after the place where a body is not JSON. */
const EXCERPT_CHARACTERS = 200;

/** The surroundings of the place where a body is not JSON; undefined where it broke off. */
export function brokenPlace(body: string, error: unknown): string | undefined {
  const isWhole = (body.startsWith("{") && body.endsWith("}")) ||
    (body.startsWith("[") && body.endsWith("]"));
  const at = Number(/at character (\d+)$/.exec(error instanceof Error ? error.message : "")?.[1]);
  if (!isWhole || !(at < body.length)) return undefined;
  return textAround(body, at, EXCERPT_CHARACTERS);
}
