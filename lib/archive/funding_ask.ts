/** Asks an exchange for funding rates, with the same retries, breaker and pace as pages of candles. @module */
import type { Clock } from "../clock.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import type { FundingAsk } from "../exchange/funding_request.ts";
import type { Priority } from "../exchange/pace.ts";
import { answerTime } from "../market/answer_time.ts";
import {
  type FundingVerdict,
  judgeFunding,
  MalformedFundingError,
  readFundingRows,
  usableRates,
} from "../market/funding_rate.ts";
import type { ArchivedExchange } from "./archived_exchange.ts";
import type { Markets } from "./markets_in_force.ts";

interface AskFundingOptions {
  readonly markets: Markets;
  readonly clock: Clock;
  readonly priority: Priority;
  /** Of numbered answers, where the one before began. Milliseconds. */
  readonly joinMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Requests the rates of one window and judges the answer.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError
 */
export async function askFunding(
  exchange: ArchivedExchange,
  ask: FundingAsk,
  { markets: { list }, clock, priority, joinMs, signal }: AskFundingOptions,
): Promise<FundingVerdict> {
  const { symbol, window } = ask;
  const { comes } = exchange.client.fundingTerms(symbol, list);
  const action = `fetch funding rates of ${exchange.id} ${symbol}`;
  await exchange.client.pauseFunding(signal);
  let oddBefore: readonly string[] = [];
  return await exchange.guarded(action, {
    priority,
    signal,
    symbol,
    breaker: exchange.breakers.of(symbol),
    host: await exchange.client.hostOfSymbol(symbol, list),
    subject: `${exchange.id} ${symbol} funding ${priority}`,
  }, async (signal) => {
    const { rows, dateMs, ...sent } = await exchange.client.fetchFunding(ask, {
      list,
      signal,
    });
    const rates = readable(action, () => {
      const read = readFundingRows(rows, symbol);
      const before = oddBefore;
      oddBefore = read.odd;
      return usableRates(read, before);
    });
    const nowMs = answerTime(clock.now(), { dateMs, newestMs: undefined });
    return judgeFunding({ window, rates, ...sent, comes, joinMs, nowMs });
  });
}

/** What cannot be used passes, as far as is known: it is asked for again. */
function readable<T>(action: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedFundingError)) throw error;
    throw new FetchError("transient", `Cannot ${action}: ${error.message}`, { cause: error });
  }
}
