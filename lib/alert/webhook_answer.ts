/** Reads what a webhook answers to a message: taken, refused, or to be tried again, and when. @module */
import type { WebhookFormat } from "../config/webhook_format.ts";
import { retryAfterMs } from "../exchange/classify.ts";
import { printable } from "../text/printable.ts";
import { shortText } from "../text/redact.ts";

/** The webhook did not accept a POST. The message never contains the URL, because its path may be a secret. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  /** `unavailable` may work later; `refused` would fail again. */
  readonly kind: "unavailable" | "refused";
  /** How long the webhook asks to wait; undefined when it does not say. */
  readonly waitMs: number | undefined;

  constructor(kind: WebhookError["kind"], problem: string, waitMs?: number) {
    super(`Cannot post an alert: ${problem}`);
    this.kind = kind;
    this.waitMs = waitMs;
  }
}

/** How the receivers are called in messages. */
const NAMES: Readonly<Record<WebhookFormat, string>> = {
  json: "the webhook",
  slack: "Slack",
  discord: "Discord",
  telegram: "Telegram",
  alertmanager: "the Alertmanager",
};

/** More of an answer is not read: the longest refusals are a few hundred bytes. */
const ANSWER_BYTES_MAX = 16 * 1024;

/** More of it is not shown. */
const SHOWN_CHARACTERS_MAX = 300;

/** A webhook that asks to wait for longer is tried again after this time. */
const WAIT_MS_MAX = 60 * 60_000;

/**
 * Reads the answer to a message.
 *
 * @returns that it was taken, `Slack answered 200`.
 * @throws WebhookError when the webhook did not take the message.
 */
export async function readAnswer(
  response: Response,
  { format, nowMs }: { readonly format: WebhookFormat; readonly nowMs: number },
): Promise<string> {
  const { status, headers } = response;
  const taken = `${NAMES[format]} answered ${status}`;
  if (response.ok && format !== "telegram") {
    // Not read, since it may be slow, and a message that was taken must not be posted again. It would keep the connection.
    await response.body?.cancel();
    return taken;
  }
  const text = await beginningOf(response);
  const fields = fieldsOf(text);
  // Telegram says in the body whether it has taken a message, and as which error not.
  if (response.ok && fields["ok"] === true) return taken;
  const shown = wordsOf(text, fields, headers.get("content-type") ?? "");
  const said = shown === "" ? taken : `${taken} "${shown}"`;
  const code = response.ok ? Number(fields["error_code"]) : status;
  if (!(code >= 500 || code === 408 || code === 429)) throw new WebhookError("refused", said);
  const waitMs = waitMsOf(fields, {
    retryAfter: headers.get("retry-after") ?? undefined,
    code,
    nowMs,
  });
  const wait = waitMs === undefined ? "" : `, to be tried again in ${Math.ceil(waitMs / 1000)} s`;
  throw new WebhookError("unavailable", said + wait, waitMs);
}

async function beginningOf({ body }: Response): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  // The loop's end cancels the rest: an unread body would keep the connection open.
  for await (const chunk of body) {
    bytes += chunk.length;
    text += decoder.decode(chunk, { stream: true });
    if (bytes >= ANSWER_BYTES_MAX) break;
  }
  return text;
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    // An Alertmanager answers with a text in quotes.
    if (typeof value === "string") return { message: value };
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // Not JSON: Slack answers in plain words.
    return {};
  }
}

/** What the answer says for people: Telegram's description, Discord's message, Slack's word. */
function wordsOf(text: string, fields: Readonly<Record<string, unknown>>, type: string): string {
  if (/\bhtml\b/i.test(type)) return "";
  const { description, message } = fields;
  const words = [description, message].find((one) => typeof one === "string") as string | undefined;
  return printable(shortText((words ?? text).trim(), SHOWN_CHARACTERS_MAX));
}

/** The longest wait that header and body ask for. Discord's and Telegram's `retry_after` are seconds. */
function waitMsOf(
  { retry_after, parameters }: Readonly<Record<string, unknown>>,
  { retryAfter, code, nowMs }: {
    readonly retryAfter: string | undefined;
    readonly code: number;
    readonly nowMs: number;
  },
): number | undefined {
  const inParameters = (parameters as { readonly retry_after?: unknown } | undefined | null)
    ?.retry_after;
  const headerMs = (retryAfterMs({ status: code, retryAfter }, nowMs) ?? nowMs) - nowMs;
  const seconds = [retry_after, inParameters].map(Number).filter((one) => one > 0);
  const waitMs = seconds.reduce((most, one) => Math.max(most, one * 1000), headerMs);
  return waitMs > 0 ? Math.min(waitMs, WAIT_MS_MAX) : undefined;
}
