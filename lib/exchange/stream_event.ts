/** What a stream tells of the series that are subscribed. @module */
import type { MarketFacts } from "./market_list.ts";
import type { EndReason } from "./stream_connection.ts";
import type { StreamedRow } from "./stream_dialect.ts";

/** A series of an exchange. */
export interface StreamedSeries {
  /** CCXT's unified symbol. */
  readonly symbol: string;
  /** CCXT's text. */
  readonly timeframe: string;
}

/** A series that is to be streamed. Its market says what the exchange calls it. */
export interface WishedSeries extends StreamedSeries {
  readonly market: Pick<MarketFacts, "id" | "kind" | "streamName">;
}

/**
 * What happens. A connection's number never comes again in a process. After a connection's `ended`, no other event carries
 * its number.
 */
export type StreamEvent =
  /** The exchange has agreed, or, where it never says so, has sent the first candle. */
  | ({ readonly kind: "subscribed"; readonly connection: number } & StreamedSeries)
  | ({
    readonly kind: "candle";
    readonly connection: number;
    readonly row: StreamedRow;
    /** Whether the exchange calls it closed; undefined where the exchange has no such word. */
    readonly isClosed: boolean | undefined;
    /** Whether it was sent because of the subscription, and not because something happened. */
    readonly isSnapshot: boolean;
    /** What the exchange's clock showed, where it says. */
    readonly exchangeMs: number | undefined;
    readonly receivedMs: number;
  } & StreamedSeries)
  /** The series is not streamed, at least until the next connection. */
  | ({ readonly kind: "refused"; readonly why: string } & StreamedSeries)
  | {
    readonly kind: "ended";
    readonly connection: number;
    readonly reason: EndReason;
    readonly why: string;
    readonly series: readonly StreamedSeries[];
  };

/** An event of a series, without the series. */
export type SeriesNews = WithoutSeries<Exclude<StreamEvent, { readonly kind: "ended" }>>;

type WithoutSeries<Event> = Event extends StreamedSeries ? Omit<Event, keyof StreamedSeries>
  : never;
