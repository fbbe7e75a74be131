/** What makes the local exchange of tests speak like a certain one: the program's dialects, and refusals. @module */
import type { Dialect as TruthfulDialect } from "../../../lib/local_exchange/dialect.ts";

export interface Dialect extends TruthfulDialect {
  /** The body of an answer that refuses with an HTTP status, as this exchange words it. */
  refusal(status: number, facts: { readonly untilMs: number }): string;
}

export {
  type Ask,
  type CandlesAsk,
  type DialectRequest,
  type PageRow,
  plain,
  type PlainAsk,
  refused,
  tickText,
  trimmed,
  withDecimals,
} from "../../../lib/local_exchange/dialect.ts";
