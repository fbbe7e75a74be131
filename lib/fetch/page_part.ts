/** What is asked for as one page, and what became of its parts. @module */
import type { Markets } from "../archive/markets_in_force.ts";
import type { Priority } from "../exchange/pace.ts";
import type { Coverage } from "../market/coverage.ts";
import type { Window } from "../market/window.ts";
import type { LeaseStamp } from "../store/lease_stamp.ts";
import type { PageOutcome } from "./page_outcome.ts";
import type { UnusableCandle } from "./unusable_candle.ts";

interface PageOptions {
  readonly priority: Priority;
  /**
   * The owed parts of the window. No answer covers them yet, so all their candles are new, and only they are stored.
   *
   * @default all candles of the window are stored
   */
  readonly owed?: Coverage | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with every part of the page once it is stored, also when the page as a whole fails. */
  readonly onStored?: ((part: PageOutcome) => void) | undefined;
}

export type PageAsk = PageOptions & { readonly window: Window };

/** A page, to be asked of one market by one lease. */
export type MarketAsk = PageAsk & {
  readonly markets: Markets | undefined;
  /** Taken before anything is asked: what is answered is no newer than that. */
  readonly stamp: LeaseStamp | undefined;
};

/** A part of a page. */
export type PagePart = MarketAsk & { readonly trouble: Trouble };

/** What went wrong while a page was split: the other parts were asked for all the same. */
export interface Trouble {
  readonly unusable: UnusableCandle[];
  readonly failures: unknown[];
  contested: number;
}
