/** The tables that are copied row by row, in which order. @module */

/**
 * All tables except the candles, each with the key columns that order its rows. A table comes after those that
 * it refers to. A test checks that no table is missing.
 */
export const LEDGER_TABLES: Readonly<Record<string, readonly string[]>> = {
  imports: ["id"],
  checkpoints: ["exchange", "symbol", "timeframe"],
  changed_months: ["exchange", "symbol", "timeframe", "month"],
  listings: ["exchange", "symbol", "since"],
  gaps: ["exchange", "symbol", "timeframe", "since"],
  candle_revisions: ["exchange", "symbol", "timeframe", "time", "revised_at"],
  rejected_candles: ["exchange", "symbol", "timeframe", "answered"],
  import_conflicts: ["exchange", "symbol", "timeframe", "time"],
  exchanges: ["exchange"],
  exchange_egress: ["exchange", "egress"],
  capabilities: ["exchange", "market_kind", "timeframe"],
  jobs: ["job"],
  alerts: ["id"],
  events: ["id"],
  funding_checkpoints: ["exchange", "symbol"],
  funding_rates: ["exchange", "symbol", "time"],
  funding_revisions: ["exchange", "symbol", "time", "revised_at"],
  funding_holes: ["exchange", "symbol", "since"],
};
