/** `titan10 alerts test`, and what services are sent when alerts begin and end, read as each service reads it. @module */
import assert from "node:assert/strict";
import { runInProcess } from "../support/shell.ts";
import { type Receivers, type Service, startReceivers, TOKENS } from "../support/receivers.ts";

const SERVICES = ["slack", "discord", "telegram", "alertmanager"] as const;

async function withReceivers(use: (receivers: Receivers) => Promise<void>): Promise<void> {
  const receivers = startReceivers();
  try {
    await use(receivers);
  } finally {
    await receivers.close();
  }
}

async function tryAlert(
  url: string,
  format: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const env = { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_FORMAT: format };
  const result = await runInProcess(["alerts", "test"], env);
  const said = result.stdout + result.stderr;
  for (const token of Object.values(TOKENS)) assert(!said.includes(token), said);
  assert.doesNotMatch(said, /1001234567890|223704706495545344/);
  return result;
}

Deno.test("titan10 alerts test says that each service took the alert, and how it answered", () =>
  withReceivers(async ({ urls, shown, alerts }) => {
    const answers = { slack: 200, discord: 204, telegram: 200, alertmanager: 200 } as const;
    for (const service of SERVICES) {
      const { code, stdout, stderr } = await tryAlert(urls[service], service);
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        new RegExp(`accepted the test alert, in the format ${service}: .* ${answers[service]}\\.$`),
      );
    }
    assert.equal(shown.length, SERVICES.length);
    for (const text of shown) assert.match(text, /this is a test alert\. Nothing is wrong$/);
    const [[labels, { startsAt, endsAt }] = ["", { startsAt: "", endsAt: "" }]] = [...alerts];
    assert.match(labels, /\["alertname","Titan10Test"\]/);
    assert.equal(Date.parse(endsAt) - Date.parse(startsAt), 5 * 60_000);
  }));

/** How a URL is spoilt, and what is said then. */
const REFUSED: readonly (readonly [Service, (url: string) => string, RegExp])[] = [
  [
    "slack",
    (url) => url.replace(/.$/, ""),
    /^Cannot post an alert: Slack answered 404 "no_service"/,
  ],
  ["discord", (url) => `${url}x`, /Discord answered 404 "Unknown Webhook"/],
  ["telegram", (url) => url.replace("AAH", "BBH"), /Telegram answered 401 "Unauthorized"/],
  [
    "telegram",
    (url) => url.replace("-100", "-200"),
    /Telegram answered 400 "Bad Request: chat not f/,
  ],
  [
    "alertmanager",
    (url) => url.replace("/api", "/x/api"),
    /the Alertmanager answered 404 "page not/,
  ],
];

Deno.test("titan10 alerts test ends with 1 and the service's own words when it is refused", () =>
  withReceivers(async ({ urls, shown }) => {
    for (const [service, spoil, says] of REFUSED) {
      const { code, stdout, stderr } = await tryAlert(spoil(urls[service]), service);
      assert.equal(code, 1, stdout);
      assert.match(stderr, says);
      assert.match(stderr, /check ALERT_WEBHOOK_URL and ALERT_WEBHOOK_FORMAT$/);
    }
    // In another service's format.
    const { code, stderr } = await tryAlert(urls.alertmanager, "json");
    assert.equal(code, 1);
    assert.match(stderr, /the webhook answered 400 "parsing alerts body failed"/);
    assert.deepEqual(shown, []);
  }));

Deno.test("a refusal of Telegram's counts although its status is 200", () =>
  withReceivers(async ({ urls, answer }) => {
    const description = "Forbidden: bot was blocked by the user";
    answer(() => Response.json({ ok: false, error_code: 403, description }));
    const { code, stderr } = await tryAlert(urls.telegram, "telegram");
    assert.equal(code, 1);
    assert.match(stderr, /Telegram answered 200 "Forbidden: bot was blocked by the user"/);
  }));

Deno.test("without a webhook titan10 alerts test ends with 1 and says what to set", async () => {
  const { code, stderr } = await runInProcess(["alerts", "test"]);
  assert.equal(code, 1);
  assert.match(stderr, /^No webhook is configured\. Set ALERT_WEBHOOK_URL to the URL/);
});

Deno.test("a page of HTML and what repeats the token are not shown", () =>
  withReceivers(async ({ urls, answer }) => {
    answer(() =>
      new Response("<h1>Bad gateway</h1>", {
        status: 502,
        headers: { "content-type": "text/html" },
      })
    );
    const page = await tryAlert(urls.slack, "slack");
    assert.match(page.stderr, /Slack answered 502\. /);
    answer(() => new Response(`no hook ${new URL(urls.slack).pathname}\u001b[2J`, { status: 403 }));
    const repeated = await tryAlert(urls.slack, "slack");
    assert.match(repeated.stderr, /Slack answered 403 "no hook \*\*\*\\x1b\[2J"/);
  }));
