/** Sends one alert message to the webhook: a JSON POST, retried when that may help. @module */
import type { AlertNews } from "../store/alerts.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import { retry } from "../policy/retry.ts";
import type { Archive } from "../archive/archive.ts";

/** The body of a POST. Times are ISO 8601 UTC; fields that do not apply are null. */
interface AlertMessage {
  readonly alert: AlertNews["alert"];
  readonly state: AlertNews["state"];
  readonly exchange: string;
  readonly symbol: string | null;
  readonly timeframe: string | null;
  /** The value when the alert began: percent for `gap_percent`, seconds for the other alerts. */
  readonly value: number;
  readonly threshold: number;
  readonly since: string;
  readonly until: string | null;
  readonly summary: string;
  /** The summary again, under the name that chat programs display. */
  readonly text: string;
}

/** The webhook did not accept a POST. The message never contains the URL, because its path may be a secret. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  /** `unavailable` may work later; `refused` would fail again. */
  readonly kind: "unavailable" | "refused";

  constructor(kind: WebhookError["kind"], problem: string) {
    super(`Cannot post an alert: ${problem}`);
    this.kind = kind;
  }
}

/**
 * Posts one message, and retries as configured until the webhook accepts it.
 *
 * @throws WebhookError, DeadlineError when the webhook did not accept it; only `refused` is final.
 * @throws the reason of `signal` when it is aborted.
 */
export async function postNews(
  { config, clock, random, metrics, log }: Archive,
  news: AlertNews,
  { url, signal }: { readonly url: string; readonly signal: AbortSignal },
): Promise<void> {
  const body = JSON.stringify(messageOf(news));
  await retry(async () => {
    try {
      await withDeadline(config.fetchTimeoutMs, (inner) => post(url, { body, signal: inner }), {
        clock,
        signal,
        name: "the post of an alert",
      });
    } catch (error) {
      if (!signal.aborted) metrics.alertPosts.inc({ outcome: "failed" });
      throw error;
    }
    metrics.alertPosts.inc({ outcome: "sent" });
  }, {
    ...config.retry,
    clock,
    random,
    signal,
    isRetryable: isPassing,
    onRetry: ({ attempt, delayMs, error }) =>
      log.debug("posting an alert again", { attempt, delayMs, error }),
  });
}

function isPassing(error: unknown): boolean {
  return error instanceof DeadlineError ||
    (error instanceof WebhookError && error.kind === "unavailable");
}

function messageOf(news: AlertNews): AlertMessage {
  const { alert, state, exchange, value, threshold } = news;
  const summary = state === "firing" ? news.summary : `Resolved: ${news.summary}`;
  return {
    alert,
    state,
    exchange,
    symbol: news.symbol ?? null,
    timeframe: news.timeframe ?? null,
    value,
    threshold,
    since: new Date(news.beganMs).toISOString(),
    until: news.endedMs === undefined ? null : new Date(news.endedMs).toISOString(),
    summary,
    text: summary,
  };
}

async function post(
  url: string,
  { body, signal }: { readonly body: string; readonly signal: AbortSignal },
): Promise<void> {
  const { target, headers } = targetOf(url);
  let response: Response;
  try {
    response = await fetch(target, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      // A redirect is refused: the message and its credentials must go only to the configured address.
      redirect: "manual",
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new WebhookError("unavailable", reasonOf(error));
  }
  // The body is not needed, but an unread body would keep the connection open.
  await response.body?.cancel();
  if (response.ok) return;
  const { status } = response;
  const kind = status >= 500 || status === 408 || status === 429 ? "unavailable" : "refused";
  throw new WebhookError(kind, `the webhook answered ${status}`);
}

/**
 * Moves the user and password from the URL to a header. `fetch` refuses a URL that contains them, as its standard
 * says, with an error that repeats the URL.
 */
function targetOf(
  url: string,
): { readonly target: URL; readonly headers: Readonly<Record<string, string>> } {
  const target = new URL(url);
  const { username, password } = target;
  if (username === "" && password === "") return { target, headers: {} };
  target.username = "";
  target.password = "";
  const bytes = new TextEncoder().encode(decodeURIComponent(`${username}:${password}`));
  return { target, headers: { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` } };
}

/**
 * Why no answer came: the messages of the error and its cause, with the URL removed. The error itself is not kept as a
 * cause, because its message contains the URL.
 */
function reasonOf(error: unknown): string {
  const errors = error instanceof Error ? [error, error.cause] : [];
  const texts = errors.flatMap((one) => one instanceof Error ? [one.message] : []);
  return texts.join(": ")
    .replaceAll(/ for url \(\S*\)/g, "")
    .replaceAll(/\bhttps?:\/\/\S+/gi, "the webhook");
}
