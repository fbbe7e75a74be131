/** Turns alerts into the messages that a webhook reads: a document, a text for a chat, Alertmanager's alerts. @module */
import type { WebhookFormat } from "../config/webhook_format.ts";
import type { AlertNews } from "../store/alerts.ts";
import { printable } from "../text/printable.ts";

/** What is told: an alert of the archive, or one that only tries the webhook. */
export type ToldAlert = Omit<AlertNews, "alert"> & { readonly alert: AlertNews["alert"] | "test" };

/** One POST, with all the alerts that it tells of. */
export interface AlertPost<Told extends ToldAlert = ToldAlert> {
  /** To where, with what the receiver wants in the body taken out of it. */
  readonly url: string;
  /** JSON. */
  readonly body: string;
  readonly alerts: readonly Told[];
}

interface Receiver {
  readonly url: string;
  readonly format: WebhookFormat;
  readonly nowMs: number;
}

/** The messages that tell of these alerts, in their order. */
export function postsOf<Told extends ToldAlert>(
  alerts: readonly Told[],
  { url, format, nowMs }: Receiver,
): readonly AlertPost<Told>[] {
  switch (format) {
    case "json":
      return alerts.map((one) => ({ url, body: JSON.stringify(documentOf(one)), alerts: [one] }));
    case "alertmanager":
      if (alerts.length === 0) return [];
      return [{ url, body: JSON.stringify(alerts.map((one) => labelled(one, nowMs))), alerts }];
    case "slack":
    case "discord":
    case "telegram": {
      const { escape, charactersMax, message } = CHATS[format];
      return packed(alerts, { escape, charactersMax }).map((part) => {
        const { url: target, fields } = message(url, part.text);
        return { url: target, body: JSON.stringify(fields), alerts: part.alerts };
      });
    }
  }
}

/** The body of a POST in the format `json`. Times are ISO 8601 UTC; fields that do not apply are null. */
interface AlertDocument {
  /** The number of the alert in the archive: with the state, it tells whether a message came before. */
  readonly id: number;
  readonly alert: ToldAlert["alert"];
  readonly state: ToldAlert["state"];
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

function documentOf(told: ToldAlert): AlertDocument {
  const { alert, state, exchange, value, threshold } = told;
  const summary = summaryOf(told);
  return {
    id: told.id,
    alert,
    state,
    exchange,
    symbol: told.symbol ?? null,
    timeframe: told.timeframe ?? null,
    value,
    threshold,
    since: new Date(told.beganMs).toISOString(),
    until: told.endedMs === undefined ? null : new Date(told.endedMs).toISOString(),
    summary,
    text: summary,
  };
}

function summaryOf({ state, summary }: ToldAlert): string {
  return state === "firing" ? summary : `Resolved: ${summary}`;
}

interface Chat {
  readonly escape: (text: string) => string;
  /** Of one message, escapes included. */
  readonly charactersMax: number;
  readonly message: (
    url: string,
    text: string,
  ) => { readonly url: string; readonly fields: Readonly<Record<string, unknown>> };
}

const CHATS: Readonly<Record<"slack" | "discord" | "telegram", Chat>> = {
  slack: {
    // docs.slack.dev, "Formatting message text": these three alone, and mentions begin with a <.
    escape: (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
    // Slack cuts a text after 40,000 characters, and splits one after 4,000, also in the middle of an escape.
    charactersMax: 4_000,
    message: (url, text) => ({
      url,
      fields: { text, mrkdwn: false, unfurl_links: false, unfurl_media: false },
    }),
  },
  discord: {
    // Markdown; `<` begins mentions, times and emojis, `[` a link, `:` an emoji in some clients.
    escape: (text) => text.replaceAll(/[\\*_~`|<>[\]#@]/g, "\\$&"),
    charactersMax: 2_000,
    message: (url, text) => ({
      url,
      // Nobody is mentioned, whatever the text has; 4: no previews of links.
      fields: { content: text, allowed_mentions: { parse: [] }, flags: 4 },
    }),
  },
  telegram: {
    // Without parse_mode a text is only a text.
    escape: (text) => text,
    charactersMax: 4_096,
    message: (url, text) => {
      const target = new URL(url);
      // All parameters in one place: chat_id, and message_thread_id where there is one.
      const parameters = Object.fromEntries(target.searchParams);
      target.search = "";
      const fields = { ...parameters, text, link_preview_options: { is_disabled: true } };
      return { url: target.href, fields };
    },
  },
};

/** A line for each alert, as many in one text as it may hold. */
function packed<Told extends ToldAlert>(
  alerts: readonly Told[],
  { escape, charactersMax }: Pick<Chat, "escape" | "charactersMax">,
): readonly { readonly text: string; readonly alerts: readonly Told[] }[] {
  const parts: { text: string; alerts: Told[] }[] = [];
  for (const told of alerts) {
    const mark = told.state === "firing" ? "🔴" : "🟢";
    const line = fitted(`${mark} ${printable(summaryOf(told))}`, { escape, charactersMax });
    const last = parts.at(-1);
    if (last !== undefined && last.text.length + 1 + line.length <= charactersMax) {
      last.text += `\n${line}`;
      last.alerts.push(told);
    } else parts.push({ text: line, alerts: [told] });
  }
  return parts;
}

/** The escaped text, cut where it would be too long, and never within a character or an escape. */
function fitted(
  text: string,
  { escape, charactersMax }: Pick<Chat, "escape" | "charactersMax">,
): string {
  const whole = escape(text);
  if (whole.length <= charactersMax) return whole;
  let cut = "";
  for (const character of text) {
    const next = escape(character);
    if (cut.length + next.length > charactersMax - 1) break;
    cut += next;
  }
  return `${cut}…`;
}

/** An alert of Alertmanager's API. Its labels are its identity, so they are the same when it begins and when it ends. */
interface LabelledAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

/**
 * An alert that is not sent again for this long is taken for ended. Every judgement of alerts sends those that are firing
 * again, and their ends are sent, so it counts only when Titan-10 itself has gone.
 */
const FIRING_MS = 24 * 60 * 60_000;

/** One that only tries the webhook ends by itself. */
const TEST_MS = 5 * 60_000;

/** Alerts that lose candles for good when nobody acts, as in the rules for Prometheus. */
const CRITICAL: ReadonlySet<ToldAlert["alert"]> = new Set(["retention_loss"]);

function labelled(told: ToldAlert, nowMs: number): LabelledAlert {
  const { alert, exchange, symbol, timeframe, summary, value, threshold } = told;
  const lastsMs = alert === "test" ? TEST_MS : FIRING_MS;
  return {
    labels: {
      // As in the rules for Prometheus: gap_percent is Titan10GapPercent.
      alertname: `Titan10${alert.replaceAll(/(?:^|_)(\w)/g, (_, letter) => letter.toUpperCase())}`,
      severity: CRITICAL.has(alert) ? "critical" : "warning",
      exchange,
      ...(symbol === undefined ? {} : { symbol }),
      ...(timeframe === undefined ? {} : { timeframe }),
    },
    annotations: { summary, value: String(value), threshold: String(threshold) },
    startsAt: new Date(told.beganMs).toISOString(),
    endsAt: new Date(told.endedMs ?? nowMs + lastsMs).toISOString(),
  };
}
