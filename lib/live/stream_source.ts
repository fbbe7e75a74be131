/** What streams of an exchange are to this room, whoever opens them. @module */
import type { MarketFacts } from "../exchange/market_list.ts";

/** A series of one exchange, by CCXT's symbol and timeframe. */
interface StreamedSeries {
  readonly symbol: string;
  readonly timeframe: string;
}

/** What happens. A connection's number never comes again in a process. */
export type StreamNews =
  | ({ readonly kind: "subscribed"; readonly connection: number } & StreamedSeries)
  | ({
    readonly kind: "candle";
    readonly connection: number;
    readonly row: readonly unknown[];
    readonly isClosed: boolean | undefined;
    readonly isSnapshot: boolean;
    readonly exchangeMs: number | undefined;
    readonly receivedMs: number;
  } & StreamedSeries)
  | ({ readonly kind: "refused"; readonly why: string } & StreamedSeries)
  | {
    readonly kind: "ended";
    readonly connection: number;
    readonly reason: string;
    readonly why: string;
    readonly series: readonly StreamedSeries[];
  };

/** The open streams of one exchange. */
export interface OpenStreams {
  /** All that is to be streamed from now on. */
  subscribe(wished: readonly (StreamedSeries & { readonly market: MarketFacts })[]): void;
  end(connection: number, reason: "backpressure"): void;
  counts(): { readonly connections: number; readonly up: number; readonly messages: number };
  close(): Promise<void>;
}

/** Opens the streams of exchanges. */
export interface StreamSource {
  /** Whether the settings want an exchange's candles to be streamed. */
  readonly isWanted: (exchange: string) => boolean;
  /** Why an exchange has no streams; undefined when it has. */
  readonly lackOf: (exchange: string) => string | undefined;
  readonly open: (exchange: string, onNews: (news: StreamNews) => void) => OpenStreams;
}
