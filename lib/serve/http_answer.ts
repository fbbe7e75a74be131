/** A request of a visitor and its answer, whichever server has taken it. @module */

/** A request. */
export interface Asked {
  readonly method: string;
  /** As it was sent: nothing is decoded or resolved. */
  readonly path: string;
  /** After the `?`. */
  readonly query: string;
  /** The value of the header Host; undefined where there is none, or none is needed. */
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  /** What the request is for, which only our own command says; see `reload_answer.ts`. */
  readonly purpose: string | undefined;
  /** The value of the header Last-Event-ID: where a listener was that has been away. */
  readonly lastEventId: string | undefined;
  /** The address that asks. */
  readonly peer: string;
  /** Aborts when the visitor has gone. */
  readonly signal: AbortSignal;
  /** The body. Only where bodies are read. */
  readonly json?: () => Promise<unknown>;
}

export interface Answer {
  readonly status: number;
  /** By names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is read while the visitor reads, and cancelled when the visitor has gone. */
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
}

const ENCODER = new TextEncoder();

/** A document as an answer. */
export function jsonAnswer(
  document: unknown,
  { status = 200, headers = {} }: Partial<Pick<Answer, "status" | "headers">> = {},
): Answer {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: ENCODER.encode(JSON.stringify(document)),
  };
}

/** An answer that says why there is no other. */
export function refusal(
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return jsonAnswer({ error }, { status, headers });
}
