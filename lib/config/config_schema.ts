/** Which values of the settings are valid, alone and together. @module */
import { z } from "zod";
import { keepsAll } from "./exchange_settings.ts";
import { nominalReachMs } from "./reach.ts";
import type { TimeframeReach } from "./setting.ts";
import type { ConfigRules, Variable } from "./variable.ts";
import { SETTINGS, type SettingValues } from "./variables.ts";
import { webhookProblem } from "./webhook_format.ts";

/** The fields of the configuration, each of one variable. */
export type Field = keyof typeof SETTINGS;

/** An object with what is made of the variable of each field. */
export function byField(valueOf: (variable: Variable) => unknown): Record<string, unknown> {
  const entries = Object.entries<Variable>(SETTINGS);
  return Object.fromEntries(entries.map(([field, variable]) => [field, valueOf(variable)]));
}

/** The schema of all settings. Its messages say what is allowed. */
export function schemaFor(rules: ConfigRules): z.ZodType<SettingValues> {
  const settings = byField(({ read }) => read(rules)) as {
    readonly [F in Field]: z.ZodType<SettingValues[F]>;
  };
  return z.object(settings).refine(({ retryMinMs, retryMaxMs }) => retryMinMs <= retryMaxMs, {
    path: ["retryMaxMs"],
    error: "at least as long as RETRY_MIN",
    when: isReadable("retryMinMs", "retryMaxMs"),
  }).refine(({ backfill, retention }) => keepsAll({ backfill, retention }), {
    path: ["retention"],
    error: "each timeframe kept at least as long as BACKFILL reaches",
    when: isReadable("backfill", "retention"),
  }).refine(({ retention, rollups }) => rollups.length === 0 || keepsForRollups(retention), {
    path: ["retention"],
    error: `each timeframe kept at least ${ROLLUP_SOURCE_DAYS_MIN}d while ROLLUPS is set`,
    when: isReadable("retention", "rollups"),
  }).refine(
    ({ alertWebhookUrl: url, alertWebhookFormat: format }) =>
      url === undefined || webhookProblem(url, format) === undefined,
    {
      path: ["alertWebhookUrl"],
      error: ({ input }) => {
        const { alertWebhookUrl: url, alertWebhookFormat: format } = input as SettingValues;
        return webhookProblem(url!, format)!;
      },
      when: isReadable("alertWebhookUrl", "alertWebhookFormat"),
    },
  );
}

/** Rollups are refreshed for some days before now, so candles of that time must be kept. */
const ROLLUP_SOURCE_DAYS_MIN = 7;

function keepsForRollups(retention: readonly TimeframeReach[]): boolean {
  const minMs = nominalReachMs({ count: ROLLUP_SOURCE_DAYS_MIN, unit: "d" });
  return retention.every(({ reach }) => nominalReachMs(reach) >= minMs);
}

/** Lets a rule for several settings run even if other settings are invalid, so that one run reports all problems. */
function isReadable(...fields: readonly Field[]): (payload: z.core.ParsePayload) => boolean {
  return ({ issues }) => !issues.some(({ path }) => fields.some((field) => field === path?.[0]));
}
