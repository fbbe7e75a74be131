/** What a page brought, and how the outcomes of its parts are added up. @module */
import { type Coverage, unite } from "../market/coverage.ts";

/** What one page brought. If it was split, the sum of its parts. */
export interface PageOutcome {
  /** What the exchange answered for. It is stored in the ledger. */
  readonly answered: Coverage;
  /** Nothing older than this came. Milliseconds. */
  readonly reachFromMs: number | undefined;
  /** Whether other answers have proved that, too. If so it is stored, and nothing older is asked for any more. */
  readonly isReachProved: boolean;
  /** How long until the newest requested candle closes at the exchange. Milliseconds; undefined when it has closed. */
  readonly earlyMs?: number | undefined;
  readonly added: number;
  readonly revised: number;
  /** Candles that streams had told of, and that came now for the first time. */
  readonly streamed: number;
  /** Open time of the oldest candle that was revised. Milliseconds; undefined when none was. */
  readonly revisedFromMs?: number | undefined;
  /** Open time of the oldest candle that was added beside stored ones. Milliseconds; undefined when none was. */
  readonly addedFromMs?: number | undefined;
  readonly rejected: number;
}

/** What a page brings that was not asked for. */
export const NOTHING: PageOutcome = {
  answered: [],
  reachFromMs: undefined,
  isReachProved: false,
  added: 0,
  revised: 0,
  streamed: 0,
  rejected: 0,
};

/** The sum of two pages, the newer one first. */
export function both(first: PageOutcome, second: PageOutcome): PageOutcome {
  return {
    answered: unite(first.answered, second.answered),
    reachFromMs: second.reachFromMs,
    isReachProved: second.isReachProved,
    earlyMs: first.earlyMs,
    added: first.added + second.added,
    revised: first.revised + second.revised,
    streamed: first.streamed + second.streamed,
    revisedFromMs: second.revisedFromMs ?? first.revisedFromMs,
    addedFromMs: second.addedFromMs ?? first.addedFromMs,
    rejected: first.rejected + second.rejected,
  };
}
