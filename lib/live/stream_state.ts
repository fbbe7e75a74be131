/** How the streams of an exchange are, and since when. @module */
import type { EndReason } from "../exchange/stream_connection.ts";
import type { OpenStreams } from "./stream_source.ts";

/** What is known of the streams of an exchange. Times in milliseconds. */
export type StreamState =
  /** Its candles are not streamed, and why. */
  | { readonly kind: "off"; readonly why: string }
  | StreamedState;

interface StreamedState {
  /** `up` while all of its connections are open. */
  readonly kind: "up" | "down";
  /** Undefined before the first connection is wanted. */
  readonly sinceMs: number | undefined;
  readonly connections: number;
  /** How many of them are open. */
  readonly open: number;
  /** When its last message came; undefined before the first. */
  readonly lastMessageMs: number | undefined;
  readonly lastEnd: StreamEnd | undefined;
}

/** How a connection ended. */
interface StreamEnd {
  readonly atMs: number;
  readonly reason: EndReason;
  readonly why: string;
}

/** Of an exchange that is not polled yet. */
export const UNOPENED: StreamState = {
  ...{ kind: "down", sinceMs: undefined, connections: 0, open: 0 },
  ...{ lastMessageMs: undefined, lastEnd: undefined },
};

/** Follows the streams of one exchange. */
export class StreamWatch {
  #kind: "up" | "down" = "down";
  #sinceMs: number;
  #messages = 0;
  #lastMessageMs: number | undefined;
  #lastEnd: StreamEnd | undefined;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Takes what is counted. Returns how many messages have come since it was called last. */
  count({ connections, up, messages }: ReturnType<OpenStreams["counts"]>, nowMs: number): number {
    const kind = connections > 0 && up === connections ? "up" : "down";
    if (kind !== this.#kind) this.#sinceMs = nowMs;
    this.#kind = kind;
    const added = messages - this.#messages;
    this.#messages = messages;
    if (added > 0) this.#lastMessageMs = nowMs;
    return added;
  }

  end(end: StreamEnd): void {
    this.#lastEnd = end;
  }

  state({ connections, up }: ReturnType<OpenStreams["counts"]>): StreamedState {
    return {
      ...{ kind: this.#kind, sinceMs: this.#sinceMs, connections, open: up },
      ...{ lastMessageMs: this.#lastMessageMs, lastEnd: this.#lastEnd },
    };
  }
}
