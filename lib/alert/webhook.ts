/** Sends one message of alerts to the webhook: a JSON POST, retried when that may help. @module */
import type { WebhookFormat } from "../config/webhook_format.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import { retry } from "../policy/retry.ts";
import type { Archive } from "../archive/archive.ts";
import type { AlertPost } from "./alert_message.ts";
import { readAnswer, WebhookError } from "./webhook_answer.ts";

export interface PostOptions {
  readonly format: WebhookFormat;
  readonly signal: AbortSignal;
  /** Ends it, but no attempt that is under way. @default `signal` */
  readonly waits?: AbortSignal | undefined;
  /** Is done right before each attempt. If it throws, nothing is posted any more. @default nothing */
  readonly before?: (() => Promise<void>) | undefined;
}

/**
 * Posts one message, and retries as configured until the webhook accepts it. A webhook that asks to wait is left alone for
 * that long, unless that is longer than any delay between attempts: then the caller must wait.
 *
 * @throws WebhookError, DeadlineError when the webhook did not accept it; only `refused` is final.
 * @throws the reason of `signal` when it is aborted.
 */
export async function postAlerts(
  archive: Archive,
  post: AlertPost,
  options: PostOptions,
): Promise<void> {
  const { config, clock, random, metrics, log } = archive;
  const { signal, waits, before } = options;
  await retry(async () => {
    await before?.();
    try {
      await postOnce(archive, post, options);
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
    waits,
    isRetryable: (error) => isPassing(error) && (waitMsOf(error) ?? 0) <= config.retry.maxMs,
    delayMsMin: waitMsOf,
    onRetry: ({ attempt, delayMs, error }) =>
      log.debug("posting an alert again", { attempt, delayMs, error }),
  });
}

/**
 * Posts one message, once.
 *
 * @returns what the webhook answered, in a few words.
 * @throws as {@linkcode postAlerts}.
 */
export async function postOnce(
  { config, clock }: Pick<Archive, "config" | "clock">,
  post: AlertPost,
  { format, signal }: PostOptions,
): Promise<string> {
  return await withDeadline(config.fetchTimeoutMs, async (inner) => {
    try {
      return await readAnswer(await send(post, inner), { format, nowMs: clock.now() });
    } catch (error) {
      if (inner.aborted || error instanceof WebhookError) throw error;
      throw new WebhookError("unavailable", reasonOf(error));
    }
  }, { clock, signal, name: "the post of an alert" });
}

function isPassing(error: unknown): boolean {
  return error instanceof DeadlineError ||
    (error instanceof WebhookError && error.kind === "unavailable");
}

function waitMsOf(error: unknown): number | undefined {
  return error instanceof WebhookError ? error.waitMs : undefined;
}

async function send({ url, body }: AlertPost, signal: AbortSignal): Promise<Response> {
  const { target, headers } = targetOf(url);
  return await fetch(target, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body,
    // A redirect is refused: the message and its credentials must go only to the configured address.
    redirect: "manual",
    signal,
  });
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
