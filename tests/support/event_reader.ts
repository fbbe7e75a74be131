/** Reads server-sent events as a bot does. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";

/** Long enough on a busy machine. */
const EVENT_MS_MAX = 30_000;

export interface ReadEvent {
  readonly kind: string;
  readonly id: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The events of one connection. */
export class EventReader {
  /** The last one that came. */
  id: string | undefined;
  /** How many comments came. */
  comments = 0;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next event; undefined at the end. What has no data is no event. */
  async next(): Promise<ReadEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end === -1) {
        const { done, value } = await this.#reader.read();
        if (done) return undefined;
        this.#text += value;
        continue;
      }
      const lines = this.#text.slice(0, end).split("\n");
      this.#text = this.#text.slice(end + 2);
      const fields = new Map(lines.map((line) => line.split(/:\s?(.*)/s) as [string, string]));
      if (fields.has("")) this.comments++;
      this.id = fields.get("id") ?? this.id;
      const data = fields.get("data");
      if (data === undefined) continue;
      return { kind: fields.get("event") ?? "", id: fields.get("id"), data: JSON.parse(data) };
    }
  }

  /** The next event, which must come. */
  async one(): Promise<ReadEvent> {
    const over = new AbortController();
    const late = systemClock.sleep(EVENT_MS_MAX, over).then(() => assert.fail("no event comes"));
    late.catch(() => {});
    try {
      const event = await Promise.race([this.next(), late]);
      assert.ok(event !== undefined, "the stream is over");
      return event;
    } finally {
      over.abort();
    }
  }

  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}
