/** What streams of an exchange are to this room, whoever opens them. @module */
import type { StreamEvent, WishedSeries } from "../exchange/stream_event.ts";

/** The open streams of one exchange. */
export interface OpenStreams {
  /** All that is to be streamed from now on. */
  subscribe(wished: readonly WishedSeries[]): void;
  counts(): { readonly connections: number; readonly up: number; readonly messages: number };
  close(): Promise<void>;
}

/** Opens the streams of exchanges. */
export interface StreamSource {
  /** Whether the settings want an exchange's candles to be streamed. */
  readonly isWanted: (exchange: string) => boolean;
  /** Why an exchange has no streams; undefined when it has. */
  readonly lackOf: (exchange: string) => string | undefined;
  readonly open: (exchange: string, onEvent: (event: StreamEvent) => void) => OpenStreams;
}
