/** Tells the webhook one piece of news: a JSON POST, tried again where that may help. @module */
import type { AlertNews } from "../store/alerts.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import { retry } from "../policy/retry.ts";
import type { Archive } from "../archive/archive.ts";

/** The body of a POST. Times are ISO 8601 UTC; null is what does not apply. */
interface AlertMessage {
  readonly alert: AlertNews["alert"];
  readonly state: AlertNews["state"];
  readonly exchange: string;
  readonly symbol: string | null;
  readonly timeframe: string | null;
  /** What was found when the alert began: percent of `gap_percent`, seconds of the others. */
  readonly value: number;
  readonly threshold: number;
  readonly since: string;
  readonly until: string | null;
  readonly summary: string;
  /** The summary once more, under the name that chats show. */
  readonly text: string;
}

/** A webhook that did not take a POST. Its text never holds the URL, whose path may be a secret. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  /** `unavailable` may pass; `refused` will come again. */
  readonly kind: "unavailable" | "refused";

  constructor(kind: WebhookError["kind"], problem: string) {
    super(`Cannot post an alert: ${problem}`);
    this.kind = kind;
  }
}

/**
 * Posts one piece of news, as often as the configuration says, until the webhook takes it.
 *
 * @throws WebhookError, DeadlineError when it did not; only `refused` is for good.
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
      // A webhook that moved is a wrong setting: what may hold a secret is not carried elsewhere.
      redirect: "manual",
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new WebhookError("unavailable", reasonOf(error));
  }
  // What a webhook has to say is of no use; left unread, it would hold the connection.
  await response.body?.cancel();
  if (response.ok) return;
  const { status } = response;
  const kind = status >= 500 || status === 408 || status === 429 ? "unavailable" : "refused";
  throw new WebhookError(kind, `the webhook answered ${status}`);
}

/** A URL with a user in it is refused by `fetch` after the standard, with an error that repeats it. */
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
 * Why no answer came: what the platform says of the error and of its cause, without the URL that it puts into them.
 * The error itself is not kept as a cause, because it repeats the URL.
 */
function reasonOf(error: unknown): string {
  const errors = error instanceof Error ? [error, error.cause] : [];
  const texts = errors.flatMap((one) => one instanceof Error ? [one.message] : []);
  return texts.join(": ")
    .replaceAll(/ for url \(\S*\)/g, "")
    .replaceAll(/\bhttps?:\/\/\S+/gi, "the webhook");
}
