/** Lets a test change, delay or replace the answers of the local exchange. @module */
import type { LocalFunding } from "./contract.ts";
import type { Ask, CandlesAsk, Dialect, PageRow } from "./dialect.ts";
import type { History } from "./history.ts";

/** May delay, replace or change answers. Without one, the exchange answers at once and correctly. */
export interface Interference {
  /**
   * Resolves to the answer that is sent, with its status and all headers except `Date`. If undefined, the request gets
   * no answer until the exchange closes or the client disconnects.
   */
  respond(asked: Asked): Promise<Response | undefined>;
}

/** A request that a dialect can parse, and its correct answer. */
export interface Asked {
  readonly dialect: Dialect;
  readonly ask: Ask;
  /** Whether the request came through the proxy prefix. */
  readonly proxied: boolean;
  /** The target's host: that of the exchange after a proxy prefix, else that of the local exchange. */
  readonly host: string;
  /** The address that the request came from, `127.0.0.1`. */
  readonly visitor: string;
  /** When the request arrived. The answer shows the state at this time. */
  readonly nowMs: number;
  /** Aborted when the exchange closes. */
  readonly closing: AbortSignal;
  /** Makes the correct answer. For candles and funding rates, `change` may change the rows. */
  answer(change?: RowChange): Response;
}

/** Changes of rows, which come and go in ascending order. */
export interface RowChange {
  readonly candles?: ((rows: readonly PageRow[]) => readonly PageRow[]) | undefined;
  readonly funding?: ((rows: readonly LocalFunding[]) => readonly LocalFunding[]) | undefined;
}

/** The history that a request for candles refers to. */
export function historyOf(
  { dialect, ask, nowMs }: Pick<Asked, "dialect" | "nowMs"> & { readonly ask: CandlesAsk },
): History {
  return { symbol: ask.symbol, timeframe: ask.timeframe, silence: dialect.silence, nowMs };
}
