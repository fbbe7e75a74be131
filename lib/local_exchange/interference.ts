/** Where a test may put itself between the local exchange and its answers. @module */
import type { Ask, CandlesAsk, Dialect, PageRow } from "./dialect.ts";
import type { History } from "./history.ts";

/** May delay, replace or spoil answers. Without one, the exchange answers everything at once and truly. */
export interface Interference {
  /**
   * Resolves to the answer that is sent, whole with its status and headers, `Date` aside. Undefined leaves the request
   * without any answer until the exchange closes or the client goes away.
   */
  respond(asked: Asked): Promise<Response | undefined>;
}

/** A request that some dialect understands, and what is true. */
export interface Asked {
  readonly dialect: Dialect;
  readonly ask: Ask;
  /** Whether the request came through the proxy prefix. */
  readonly proxied: boolean;
  /** When it came in: the whole answer speaks of this moment. */
  readonly nowMs: number;
  /** Aborted once the exchange closes. */
  readonly closing: AbortSignal;
  /** What is answered without interference, except that the rows of candles, ascending, are what `change` makes of them. */
  answer(change?: RowChange): Response;
}

export type RowChange = (rows: readonly PageRow[]) => readonly PageRow[];

/** The candles that a request is about. */
export function historyOf(
  { dialect, ask, nowMs }: Pick<Asked, "dialect" | "nowMs"> & { readonly ask: CandlesAsk },
): History {
  return { symbol: ask.symbol, timeframe: ask.timeframe, silence: dialect.silence, nowMs };
}
