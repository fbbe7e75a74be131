/** Requests to the daemon: single ones, and a stream of events that reconnects when it ends. @module */

/** Stored only until the tab is closed. */
const TOKEN_KEY = "titan10.token";

/** Delay before a reconnect. */
const RETRY_MS = 2_000;

/** The daemon sends events more often than this. After a longer silence the connection is dead. */
const SILENCE_MS_MAX = 60_000;

/** What the connection asks for beside the status. */
let asked = "";

/** Ends the connection. */
let end = new AbortController();

const OTHER_SERIES = new Error("another series is in view");

/**
 * Listens also to how the newest candle of a series forms; at once, by a new connection.
 * @param {import("./chart_candles.js").Shown | undefined} shown
 * @returns {boolean} whether it is another series than before
 */
export function follow(shown) {
  const { exchange = "", symbol = "", timeframe = "" } = shown ?? {};
  const query = shown === undefined
    ? ""
    : `?${new URLSearchParams({ exchange, symbol, timeframe })}`;
  if (query === asked) return false;
  asked = query;
  end.abort(OTHER_SERIES);
  return true;
}

/** The token is missing or wrong. */
export class TokenError extends Error {
  /** @override */
  name = "TokenError";
  /** @param {boolean} isWrong whether a token was sent */
  constructor(isWrong) {
    super(isWrong ? "This token is wrong" : "A token is required");
    this.isWrong = isWrong;
  }
}

/** The daemon cannot be reached. */
export class AwayError extends Error {
  /** @override */
  name = "AwayError";
}

/** The daemon answered, but not with what was asked for. */
export class AnswerError extends Error {
  /** @override */
  name = "AnswerError";
  /**
   * @param {string} message
   * @param {{ readonly status: number, readonly retryMs: number | undefined }} answer when to ask again, if it said so
   */
  constructor(message, { status, retryMs }) {
    super(message);
    this.status = status;
    this.retryMs = retryMs;
  }
}

/** @param {string} token */
export function keepToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

/** Whether this tab has been given a token: then commands to copy name it. @returns {boolean} */
export function isGuarded() {
  return sessionStorage.getItem(TOKEN_KEY) !== null;
}

/**
 * Requests JSON.
 * @param {string} path
 * @param {Readonly<Record<string, string>>} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 * @throws {TokenError | AnswerError | AwayError}
 */
export async function ask(path, query, signal) {
  const response = await send(`${path}?${new URLSearchParams(query)}`, signal);
  if (response.ok) return await response.json();
  // What stands in between, as a reverse proxy, answers with pages of its own.
  const { error } = await response.json().catch(() => ({}));
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  throw new AnswerError(error ?? `${path} was answered with ${response.status}`, {
    status: response.status,
    retryMs: seconds >= 0 ? seconds * 1_000 : undefined,
  });
}

/**
 * Listens until the token turns out to be missing or wrong.
 * @param {{ onEvent: (event: any) => void, onLost: (error: Error) => void }} told
 * @returns {Promise<never>}
 * @throws {TokenError}
 */
export async function listen({ onEvent, onLost }) {
  for (;;) {
    try {
      await readEvents(onEvent);
      onLost(new Error("the daemon has stopped"));
    } catch (error) {
      if (error instanceof TokenError) throw error;
      if (end.signal.reason === OTHER_SERIES) continue;
      onLost(error instanceof Error ? error : new Error(String(error)));
    }
    await pause(RETRY_MS);
  }
}

/** @param {(event: any) => void} onEvent */
async function readEvents(onEvent) {
  const ending = end = new AbortController();
  const response = await send(`/events${asked}`, ending.signal);
  if (!response.ok || response.body === null) {
    const { error } = await response.json().catch(() => ({}));
    throw new Error(error ?? `the daemon answers with HTTP ${response.status}`);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const silence = AbortSignal.timeout(SILENCE_MS_MAX);
    const onSilence = () => ending.abort(new Error("the daemon does not respond"));
    silence.addEventListener("abort", onSilence);
    const { done, value } = await reader.read();
    silence.removeEventListener("abort", onSilence);
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) onEvent(JSON.parse(event.replace(/^data: /, "")));
  }
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 * @throws {TokenError | AwayError}
 */
async function send(path, signal) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const response = await fetch(path, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    ...(signal === undefined ? {} : { signal }),
  }).catch((error) => {
    throw signal?.aborted ? error : new AwayError(error.message, { cause: error });
  });
  if (response.status === 401) throw new TokenError(token !== null);
  return response;
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => {
    AbortSignal.timeout(ms).addEventListener("abort", () => resolve());
  });
}
