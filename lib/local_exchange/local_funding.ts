/** Which payments of a perpetual answer a request. @module */
import { fundingRates, type LocalFunding } from "./contract.ts";
import type { FundingAsk } from "./dialect.ts";

/** No exchange writes a payment later than this after its true time. */
const WRITTEN_LATE_MS_MAX = 60_000;

/** The payments of one answer, with the times that the exchange writes. Always ascending, whatever order is requested. */
export function fundingPage(ask: FundingAsk, nowMs: number): LocalFunding[] {
  const { symbol, page: { sinceMs = -Infinity, untilMs = Infinity, rowsMax, keep } } = ask;
  // The written time may be later than the true one.
  const window = { sinceMs: sinceMs - WRITTEN_LATE_MS_MAX, untilMs };
  const rows = fundingRates(symbol, window, nowMs)
    .map((row) => ({ ...row, timeMs: ask.writtenMs?.(row.timeMs) ?? row.timeMs }))
    .filter(({ timeMs }) => sinceMs <= timeMs && timeMs < untilMs && timeMs <= nowMs);
  if (rows.length <= rowsMax) return rows;
  return keep === "oldest" ? rows.slice(0, rowsMax) : rows.slice(-rowsMax);
}
