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
  /** Since when they are of little use: down, or not open and heard for a minute on end. Undefined while they are well. */
  readonly unsteadySinceMs: number | undefined;
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
  ...{ kind: "down", sinceMs: undefined, unsteadySinceMs: undefined, connections: 0, open: 0 },
  ...{ lastMessageMs: undefined, lastEnd: undefined },
};

/** Of an exchange that another node asks for this egress. */
export const ANOTHER_NODES: StreamState = { kind: "off", why: "another node asks this exchange" };

/** Of an exchange of whose series none can be streamed, such as contracts alone. */
export const NOTHING_STREAMED: StreamState = {
  kind: "off",
  why: "none of its series can be streamed",
};

/** Streams that end sooner, or say nothing until then, are of no use: an exchange may take connections and end them at once. */
const STEADY_MS = 60_000;

/** Follows the streams of one exchange. */
export class StreamWatch {
  #kind: "up" | "down" = "down";
  #sinceMs: number;
  #unsteadySinceMs: number | undefined;
  #messages = 0;
  #lastMessageMs: number | undefined;
  #lastEnd: StreamEnd | undefined;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.#unsteadySinceMs = nowMs;
  }

  /** Takes what is counted. Returns how many messages have come since it was called last. */
  count({ connections, up, messages }: ReturnType<OpenStreams["counts"]>, nowMs: number): number {
    const kind = connections > 0 && up === connections ? "up" : "down";
    this.#setBack(nowMs);
    if (kind !== this.#kind) this.#sinceMs = nowMs;
    this.#kind = kind;
    const added = messages - this.#messages;
    this.#messages = messages;
    if (added > 0) this.#lastMessageMs = nowMs;
    const isSteady = kind === "up" && nowMs - this.#sinceMs >= STEADY_MS &&
      (this.#lastMessageMs ?? -Infinity) >= this.#sinceMs;
    this.#unsteadySinceMs = isSteady ? undefined : this.#unsteadySinceMs ?? nowMs;
    return added;
  }

  /** Nothing is later than now: else streams would count as unsteady for as long as the clock was set back. */
  #setBack(nowMs: number): void {
    const atMost = (timeMs: number | undefined): number | undefined =>
      timeMs === undefined ? undefined : Math.min(timeMs, nowMs);
    this.#sinceMs = Math.min(this.#sinceMs, nowMs);
    this.#unsteadySinceMs = atMost(this.#unsteadySinceMs);
    this.#lastMessageMs = atMost(this.#lastMessageMs);
  }

  end(end: StreamEnd): void {
    // It may be open again before somebody counts.
    if (this.#kind === "up" && end.reason !== "stopped") {
      this.#kind = "down";
      this.#sinceMs = end.atMs;
    }
    this.#lastEnd = end;
  }

  state({ connections, up }: ReturnType<OpenStreams["counts"]>): StreamedState {
    return {
      ...{ kind: this.#kind, sinceMs: this.#sinceMs, connections, open: up },
      unsteadySinceMs: this.#unsteadySinceMs,
      ...{ lastMessageMs: this.#lastMessageMs, lastEnd: this.#lastEnd },
    };
  }
}
