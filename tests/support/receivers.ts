/** Slack, Discord, Telegram and an Alertmanager, as far as their webhooks check what they are sent. @module */

/** Who answers as which service, and what people there have seen. */
export interface Receivers {
  readonly urls: Readonly<Record<Service, string>>;
  /** The messages that were taken, as the service shows them. */
  readonly shown: string[];
  /** Each request, taken or not, with its body. */
  readonly bodies: unknown[];
  /** How many people were called by a message that names @everyone. */
  readonly called: () => number;
  /** Of the Alertmanager: how long each alert fires, by its labels. */
  readonly alerts: ReadonlyMap<string, { readonly startsAt: string; readonly endsAt: string }>;
  /** Answers the next request with this instead. */
  answer(next: () => Response): void;
  close(): Promise<void>;
}

export type Service = "slack" | "discord" | "telegram" | "alertmanager";

/** What no log and no message may show. */
export const TOKENS = {
  slack: "XXslackTokenInThePath24",
  discord: "discordToken-in_the_path68",
  telegram: "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
} as const;

const CHAT = "-1001234567890";

const plain = (status: number, text: string): Response =>
  new Response(text, { status, headers: { "content-type": "text/plain" } });

export function startReceivers(): Receivers {
  const shown: string[] = [];
  const bodies: unknown[] = [];
  const next: (() => Response)[] = [];
  const alerts = new Map<string, { startsAt: string; endsAt: string }>();
  let called = 0;

  // docs.slack.dev: "Sending messages using incoming webhooks", "Formatting message text".
  function slack(path: string, body: Body): Response {
    if (path !== `/services/T00000000/B00000000/${TOKENS.slack}`) return plain(404, "no_service");
    if (body === undefined || Array.isArray(body)) return plain(400, "invalid_payload");
    const { text } = body as Readonly<Record<string, unknown>>;
    if (typeof text !== "string" || text === "") return plain(400, "no_text");
    if (text.length > 4_000) return plain(400, "msg_too_long");
    if (/[<>]|&(?!(?:amp|lt|gt);)/.test(text)) called++;
    shown.push(text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"));
    return plain(200, "ok");
  }

  // discord.com/developers/docs/resources/webhook, "Execute Webhook".
  function discord(path: string, body: Body): Response {
    if (path !== `/api/webhooks/223704706495545344/${TOKENS.discord}`) {
      return Response.json({ message: "Unknown Webhook", code: 10015 }, { status: 404 });
    }
    const { content, allowed_mentions: allowed } = (body ?? {}) as Record<string, unknown>;
    if (typeof content !== "string" || content === "" || [...content].length > 2_000) {
      const error = { code: "BASE_TYPE_MAX_LENGTH", message: "Must be 2000 or fewer in length." };
      return Response.json({
        message: "Invalid Form Body",
        code: 50035,
        errors: { content: { _errors: [error] } },
      }, { status: 400 });
    }
    const parsed = (allowed as { parse?: unknown[] } | undefined)?.parse;
    if (parsed?.length !== 0 && /@everyone/.test(content)) called++;
    // An escape shows the character behind it.
    shown.push(content.replaceAll(/\\(.)/g, "$1"));
    if (/(?<!\\)[*_~`|<[\]>#@]/.test(content)) called++;
    return new Response(null, { status: 204 });
  }

  // core.telegram.org/bots/api: "Making requests", "sendMessage".
  function telegram(path: string, body: Body): Response {
    const refused = (status: number, description: string): Response =>
      Response.json({ ok: false, error_code: status, description }, { status });
    if (path !== `/bot${TOKENS.telegram}/sendMessage`) return refused(401, "Unauthorized");
    const { chat_id, text, parse_mode } = (body ?? {}) as Record<string, unknown>;
    if (String(chat_id) !== CHAT) return refused(400, "Bad Request: chat not found");
    if (typeof text !== "string" || text === "") {
      return refused(400, "Bad Request: message text is empty");
    }
    if (text.length > 4_096) return refused(400, "Bad Request: message is too long");
    if (parse_mode !== undefined) return refused(400, "Bad Request: can't parse entities");
    shown.push(text);
    return Response.json({ ok: true, result: { message_id: shown.length, text } });
  }

  // github.com/prometheus/alertmanager, api/v2/openapi.yaml: postableAlerts.
  function alertmanager(path: string, body: Body): Response {
    if (path !== "/api/v2/alerts") return plain(404, "page not found");
    if (!Array.isArray(body)) return Response.json("parsing alerts body failed", { status: 400 });
    for (const { labels, annotations, startsAt, endsAt } of body as readonly PostedAlert[]) {
      const texts = Object.entries({ ...labels, ...annotations });
      const isTime = [startsAt, endsAt].every((time) => new Date(time).toISOString() === time);
      const isValid = labels["alertname"] !== undefined && isTime && endsAt >= startsAt &&
        texts.every(([name, value]) =>
          /^[a-zA-Z_]\w*$/.test(name) && typeof value === "string" && value !== ""
        );
      if (!isValid) return Response.json("invalid alert", { status: 400 });
      const identity = JSON.stringify(Object.entries(labels).sort());
      alerts.set(identity, { startsAt, endsAt });
      shown.push(annotations["summary"] ?? "");
    }
    return new Response(null, { status: 200 });
  }

  const services: Readonly<Record<Service, (path: string, body: Body) => Response>> = {
    slack,
    discord,
    telegram,
    alertmanager,
  };
  const serve = (service: Service): Deno.HttpServer<Deno.NetAddr> =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { pathname } = new URL(request.url);
      const isJson = request.headers.get("content-type") === "application/json";
      const body = parsed(await request.text());
      bodies.push(body);
      const instead = next.shift();
      if (instead !== undefined) return instead();
      if (request.method !== "POST" || !isJson) return plain(405, "method_not_allowed");
      return services[service](pathname, body);
    });
  const servers = (["slack", "discord", "telegram", "alertmanager"] as const).map((service) =>
    [service, serve(service)] as const
  );
  const origin = Object.fromEntries(
    servers.map(([service, { addr }]) => [service, `http://127.0.0.1:${addr.port}`]),
  );
  return {
    urls: {
      slack: `${origin["slack"]}/services/T00000000/B00000000/${TOKENS.slack}`,
      discord: `${origin["discord"]}/api/webhooks/223704706495545344/${TOKENS.discord}`,
      telegram: `${origin["telegram"]}/bot${TOKENS.telegram}/sendMessage?chat_id=${CHAT}`,
      alertmanager: `${origin["alertmanager"]}/api/v2/alerts`,
    },
    shown,
    bodies,
    called: () => called,
    alerts,
    answer: (one) => void next.push(one),
    async close(): Promise<void> {
      for (const [, server] of servers) await server.shutdown();
    },
  };
}

type Body = Readonly<Record<string, unknown>> | readonly unknown[] | undefined;

interface PostedAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    // Services refuse what is not JSON.
    return undefined;
  }
}
