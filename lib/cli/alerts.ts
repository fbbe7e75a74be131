/** `titan10 alerts test`: sends one test alert to the configured webhook, and says what came back. @module */
import { postsOf, type ToldAlert } from "../alert/alert_message.ts";
import { postOnce } from "../alert/webhook.ts";
import { SETTINGS } from "../config/variables.ts";
import { webhookFormat } from "../config/webhook_format.ts";
import { errorText } from "../text/redact.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";

/** Exits with 1 when no webhook is configured, or it does not take the alert. */
export async function testAlerts(shell: Shell, flags: Flags): Promise<ExitCode> {
  const { config, clock } = await readGround(shell, flags, { logLevelDefault: "error" });
  const { alertWebhookUrl: url, alertWebhookFormat: setting } = config;
  if (url === undefined) {
    shell.tell(
      `No webhook is configured. Set ${SETTINGS.alertWebhookUrl.name} to the URL that alerts are posted to, such as ` +
        "https://hooks.slack.com/services/…",
    );
    return EXIT.failed;
  }
  const nowMs = clock.now();
  const format = webhookFormat(url, setting);
  const [post] = postsOf([testAlert(nowMs)], { url, format, nowMs });
  try {
    const answer = await postOnce({ config, clock }, post!, { format, signal: shell.signal });
    shell.print(`The webhook accepted the test alert, in the format ${format}: ${answer}.`);
    return EXIT.done;
  } catch (error) {
    shell.tell(
      `${errorText(error)}. The format was ${format}: check ${SETTINGS.alertWebhookUrl.name} and ` +
        SETTINGS.alertWebhookFormat.name,
    );
    return EXIT.failed;
  }
}

function testAlert(nowMs: number): ToldAlert {
  return {
    id: 0,
    alert: "test",
    state: "firing",
    exchange: "titan10",
    value: 0,
    threshold: 0,
    summary: "titan10: this is a test alert. Nothing is wrong",
    beganMs: nowMs,
    endedMs: undefined,
  };
}
