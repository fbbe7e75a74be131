/** Believes that a symbol means another market only when a second list, some time later, says so, too. @module */
import type { Archive } from "../archive/archive.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { FetchError } from "../exchange/fetch_error.ts";

/** A server that leaves markets out of its list by mistake may do so for a while. With a shorter `RETRY_MAX` that counts. */
const WAIT_MS_MAX = 60_000;

/** Most lists that are asked for until two in a row agree. */
const LISTS_MAX = 4;

/**
 * Asks for the markets of an exchange. If a symbol seems to mean another market, asks again until two lists in a row agree:
 * another market would be recorded for good.
 *
 * @throws FetchError `transient` if they never agree.
 */
export async function askTwice<M extends { readonly markets: Markets }>(
  { config, clock, log }: Archive,
  ask: () => Promise<M>,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<M> {
  let before: string | undefined;
  for (let lists = 0; lists < LISTS_MAX; lists++) {
    const made = await ask();
    const { exchange, replaced } = made.markets;
    if (replaced.length === 0) return made;
    const symbols = replaced.map(({ symbol, marketId }) => `${symbol} ${marketId}`).join(", ");
    if (symbols === before) return made;
    before = symbols;
    const waitMs = Math.min(WAIT_MS_MAX, config.retry.maxMs);
    const seconds = waitMs / 1000;
    log.warn("symbols seem to mean other markets: checking again", { exchange, symbols, seconds });
    await clock.sleep(waitMs, { signal });
  }
  throw new FetchError(
    "transient",
    `Cannot use the markets: the exchange's lists contradict each other about archived symbols, such as ${before}`,
  );
}
