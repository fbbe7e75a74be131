/** Which form of message a webhook reads, told by a setting or by its URL. @module */

/**
 * - `json`: a document of ours, one alert a message.
 * - `slack`, `discord`, `telegram`: a text for people, several alerts a message.
 * - `alertmanager`: the alerts of Alertmanager's API, version 2.
 */
const WEBHOOK_FORMATS = ["json", "slack", "discord", "telegram", "alertmanager"] as const;

export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** What the setting can be. */
export const FORMAT_SETTINGS = ["auto", ...WEBHOOK_FORMATS] as const;

/** The format of the setting; with `auto` the one that the URL proves, else `json`. */
export function webhookFormat(url: string, setting: WebhookFormat | "auto"): WebhookFormat {
  if (setting !== "auto") return setting;
  const { hostname, pathname } = new URL(url);
  return HOSTS.find(({ host, path }) => host.test(hostname) && path.test(pathname))?.format ??
    "json";
}

/**
 * Other paths of these hosts take other messages: a workflow of Slack reads the fields that it was made for, and so does
 * Discord behind `/github`.
 */
const HOSTS: readonly {
  readonly host: RegExp;
  readonly path: RegExp;
  readonly format: WebhookFormat;
}[] = [
  { host: /^hooks\.slack(?:-gov)?\.com$/, path: /^\/services\//, format: "slack" },
  {
    host: /^(?:(?:ptb|canary)\.)?discord(?:app)?\.com$/,
    path: /^\/api\/(?:v\d+\/)?webhooks\/\d+\/[^/]+$/,
    format: "discord",
  },
  {
    host: /^(?:(?:ptb|canary)\.)?discord(?:app)?\.com$/,
    path: /^\/api\/(?:v\d+\/)?webhooks\/\d+\/[^/]+\/slack$/,
    format: "slack",
  },
  { host: /^api\.telegram\.org$/, path: /^\/bot[^/]+\/sendMessage$/i, format: "telegram" },
];

/** What the URL of a webhook lacks for its format; undefined when nothing is missing. */
export function webhookProblem(
  url: string,
  setting: WebhookFormat | "auto",
): string | undefined {
  const { pathname, searchParams } = new URL(url);
  const format = webhookFormat(url, setting);
  if (format === "telegram") {
    if (/\/bot[^/]+\/sendMessage$/i.test(pathname) && searchParams.get("chat_id")) return undefined;
    return "a URL of Telegram ending /bot<token>/sendMessage?chat_id=<chat>";
  }
  if (format === "alertmanager" && !pathname.endsWith("/api/v2/alerts")) {
    return "a URL of an Alertmanager ending /api/v2/alerts";
  }
  return undefined;
}
