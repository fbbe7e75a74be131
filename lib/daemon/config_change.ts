/** What is different between two configurations, and which of it a running daemon can use. @module */
import type { Config } from "../config/config.ts";
import { writesFolder } from "../config/dataset_setting.ts";
import { type ExchangeSettings, settingsOf, unstreamedWhy } from "../config/exchange_settings.ts";
import type { TimeframeReach } from "../config/setting.ts";
import { ruleText, type Symbols } from "../config/symbols.ts";
import { SETTINGS } from "../config/variables.ts";
import type { ReloadAnswer } from "../serve/reload_answer.ts";

type ConfigChange = Omit<Extract<ReloadAnswer, { readonly ok: true }>, "ok">;

/** What is opened once: the database, and where the daemon listens. */
const OPENED_ONCE = [
  "databaseUrl",
  "dataDir",
  "dbPoolMax",
  "egress",
  "httpHost",
  "httpPort",
  "httpToken",
  "httpAllowedHosts",
] as const;

/** A configuration with what an open archive cannot change as it was. */
export function withOpened(config: Config, open: Config): Config {
  const kept = Object.fromEntries(OPENED_ONCE.map((field) => [field, open[field]]));
  return { ...config, ...kept, ...(lacksFolder(config, open) && { datasetUrl: open.datasetUrl }) };
}

/** Whether a dataset's folder comes after the right to write files was given up: a server's archive has no others. */
function lacksFolder(after: Config, before: Config): boolean {
  return writesFolder(after) && !writesFolder(before) && before.databaseUrl !== undefined;
}

/** What is different, for people to read. Secrets are never shown, only the names of their variables. */
export function changesOf(before: Config, after: Config): ConfigChange {
  return {
    added: after.exchanges.filter((id) => !before.exchanges.includes(id)),
    removed: before.exchanges.filter((id) => !after.exchanges.includes(id)),
    changed: [...exchangeChanges(before, after), ...variableChanges(before, after)],
    needsRestart: [
      ...OPENED_ONCE.filter((field) => isDifferent(before[field], after[field])),
      ...lacksFolder(after, before) ? ["datasetUrl"] as const : [],
    ].map((field) => SETTINGS[field].name),
  };
}

/** Whether two values of the configuration are different. */
export function isDifferent(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other);
}

/** Variables that have one meaning for all exchanges. */
function variableChanges(before: Config, after: Config): readonly string[] {
  const variables = Object.entries(SETTINGS).flatMap(([field, { name }]) => {
    if (field === "datasetUrl" && lacksFolder(after, before)) return [];
    const [one, other] = [valueOf(before, field), valueOf(after, field)];
    return isDifferent(one, other) ? [name] : [];
  });
  return isDifferent(before.s3, after.s3) ? [...variables, "AWS_… of the bucket"] : variables;
}

/** Undefined for what is told by itself. */
function valueOf(config: Config, field: string): unknown {
  switch (field) {
    case "exchanges":
    case "configFile":
    case "exchangeOptions":
      return undefined;
    case "retryAttempts":
      return config.retry.attempts;
    case "retryMinMs":
      return config.retry.minMs;
    case "retryMaxMs":
      return config.retry.maxMs;
    case "breakerFailures":
      return config.breaker.failures;
    case "breakerCooldownMs":
      return config.breaker.cooldownMs;
    default:
      return (OPENED_ONCE as readonly string[]).includes(field)
        ? undefined
        : (config as unknown as Readonly<Record<string, unknown>>)[field];
  }
}

/** How many names a line has. */
const NAMED_MAX = 3;

/** What is different for exchanges that stay, one line for those that have it in common. */
function exchangeChanges(before: Config, after: Config): readonly string[] {
  const ids = after.exchanges.filter((id) => before.exchanges.includes(id));
  const all = ids.flatMap((id) => {
    const options = [before, after].map(({ exchangeOptions }) => exchangeOptions[id]);
    return [
      ...settingChanges(settingsOf(before, id), settingsOf(after, id)),
      ...liveChange(id, { before, after }),
      ...isDifferent(options[0], options[1]) ? ["options"] : [],
    ].map((text) => ({ id, text }));
  });
  return [...Map.groupBy(all, ({ text }) => text)].map(([text, same]) =>
    `${someOf(same.map(({ id }) => id))}: ${text}`
  );
}

function settingChanges(before: ExchangeSettings, after: ExchangeSettings): readonly string[] {
  const changes = [
    ["symbols", itemChanges(itemsOf(before.symbols), itemsOf(after.symbols))],
    ["timeframes", itemChanges(before.timeframes, after.timeframes)],
    ["backfill of", reachChanges(before.backfill, after.backfill)],
    ["retention of", reachChanges(before.retention, after.retention)],
    [
      "page limit",
      isDifferent(before.pageLimit, after.pageLimit) ? limitText(after.pageLimit) : "",
    ],
    ["funding", isDifferent(before.funding, after.funding) ? after.funding : ""],
    ["history", isDifferent(before.history, after.history) ? after.history : ""],
  ];
  return changes.flatMap(([what, change]) => change === "" ? [] : [`${what} ${change}`]);
}

/** Whether its candles are streamed, where that is different. */
function liveChange(
  exchange: string,
  { before, after }: { readonly before: Config; readonly after: Config },
): readonly string[] {
  const [was, is] = [before, after].map((config) => unstreamedWhy(config, exchange) === undefined);
  return was === is ? [] : [`live ${is ? "auto" : "off"}`];
}

function limitText(limit: number | undefined): string {
  return limit === undefined ? "as the exchange has it" : String(limit);
}

function itemsOf(symbols: Symbols): readonly string[] {
  const rules = ruleText(symbols);
  return [
    ...symbols.names,
    ...(rules === "" ? [] : rules.split(",")),
    ...symbols.excluded.map((text) => `!${text}`),
  ];
}

function itemChanges(before: readonly string[], after: readonly string[]): string {
  const added = after.filter((item) => !before.includes(item));
  const removed = before.filter((item) => !after.includes(item));
  return [
    ...(added.length === 0 ? [] : [`${someOf(added)} added`]),
    ...(removed.length === 0 ? [] : [`${someOf(removed)} removed`]),
  ].join("; ");
}

/** The timeframes whose reach is different. */
function reachChanges(
  before: readonly TimeframeReach[],
  after: readonly TimeframeReach[],
): string {
  const all = [...new Set([...before, ...after].map(({ timeframe }) => timeframe))];
  const reach = (of: readonly TimeframeReach[], text: string): unknown =>
    of.filter(({ timeframe }) => timeframe === text);
  return someOf(all.filter((text) => isDifferent(reach(before, text), reach(after, text))));
}

function someOf(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return more > 0 ? `${names.slice(0, NAMED_MAX).join(", ")} and ${more} more` : names.join(", ");
}
