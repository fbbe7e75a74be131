/** Asks for one page of funding rates and stores what it proved. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { askedLease, storeByLease } from "../archive/asked_lease.ts";
import { isCancelled, storeNote } from "../archive/failure.ts";
import { failureKind } from "../archive/failure_kind.ts";
import { askFunding } from "../archive/funding_ask.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { retryStore } from "../archive/store_retry.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import type { FundingAsk } from "../exchange/funding_request.ts";
import type { Priority } from "../exchange/pace.ts";
import type { FundingVerdict } from "../market/funding_rate.ts";
import { BreakerOpenError } from "../policy/breaker.ts";
import { isOfOtherMarket, isServerAway, StoreError } from "../store/connection/store_error.ts";
import { noteFundingError } from "../store/funding_ledger.ts";
import { writeFunding } from "../store/funding_write.ts";
import { type Perpetual, perpetualName } from "../store/funding_rates.ts";
import { errorText } from "../text/redact.ts";

interface FundingPageOptions {
  readonly markets: Markets;
  readonly priority: Priority;
  /** Of numbered answers, where the one before began. Milliseconds. */
  readonly joinMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a page brought. */
export interface FundingOutcome extends FundingVerdict {
  readonly added: number;
  readonly revised: number;
}

/** @throws FetchError, DeadlineError, BreakerOpenError, StoreError */
export async function ingestFunding(
  archive: Archive,
  exchange: ArchivedExchange,
  ask: FundingAsk,
  options: FundingPageOptions,
): Promise<FundingOutcome> {
  const { config, database, clock, random } = archive;
  const { markets, signal } = options;
  const { symbol } = ask;
  const stamp = askedLease(archive, { exchange: exchange.id, symbol });
  const verdict = await askFunding(exchange, ask, { ...options, clock });
  const marketId = markets.list.get(symbol)?.id;
  const perpetual = { exchange: exchange.id, symbol };
  const write = { ...verdict, marketId, stamp };
  try {
    const written = await storeByLease(
      archive,
      { ...perpetual, stamp },
      () =>
        retryStore(() => writeFunding(database, perpetual, write), {
          ...{ config, clock, random, signal },
        }),
    );
    archive.failures.clear(failureName(perpetual));
    return { ...verdict, ...written };
  } catch (error) {
    if (isOfOtherMarket(error)) exchange.markets.outdate(markets);
    throw error;
  }
}

/** Logs why rates of a perpetual were not fetched or not stored, and stores the reason for `status`. Never throws. */
export async function reportFundingFailure(
  archive: Archive,
  { exchange, symbol, error, signal }: Perpetual & {
    readonly error: unknown;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { failures, log, database } = archive;
  // What an open breaker holds back was told when it opened.
  if (isCancelled(error, signal) || error instanceof BreakerOpenError || isServerAway(error)) {
    return;
  }
  const message = errorText(error);
  if (!failures.isNews(failureName({ exchange, symbol }), message)) return;
  log.warn("funding rates were not fetched or not stored", {
    exchange,
    symbol,
    kind: error instanceof StoreError ? `store_${error.kind}` : failureKind(error),
    error,
  });
  if (!(error instanceof FetchError && (error.kind === "permanent" || error.isUnknown))) return;
  await storeNote(archive, () => noteFundingError(database, { exchange, symbol }, message));
}

function failureName(perpetual: Perpetual): string {
  return `${perpetualName(perpetual)} funding`;
}
