/** The settings that nodes of one archive must have in common, and in what those of two nodes differ. @module */
import { createHash } from "node:crypto";
import { redact } from "../text/redact.ts";
import type { Config } from "./config.ts";
import { type ExchangeSettings, settingsOf } from "./exchange_settings.ts";
import { isS3Url } from "./s3_settings.ts";
import { ruleText, type Symbols } from "./symbols.ts";
import type { Variable } from "./variable.ts";
import { SETTINGS } from "./variables.ts";

/** By variable, `SYMBOLS`, or by exchange and variable, `binance SYMBOLS`, what is set, without secrets. */
export type SettingValuesByName = Readonly<Record<string, string>>;

interface SharedSettings {
  /** The same for all nodes whose settings mean the same, however they are written. */
  readonly hash: string;
  readonly settings: SettingValuesByName;
}

/** Settings of the machine or the network on which a node runs. All others must be the same for all nodes. */
const OF_A_NODE: ReadonlySet<string> = new Set([
  ...["databaseUrl", "dataDir", "dbPoolMax", "configFile", "egress"],
  ...["httpHost", "httpPort", "httpToken", "httpAllowedHosts", "logLevel", "logFormat"],
  ...["pollCandles", "pageLimit", "fetchTimeoutMs", "exchangeOptions", "exchangeProxyUrl"],
  ...["retryAttempts", "retryMinMs", "retryMaxMs", "breakerFailures", "breakerCooldownMs"],
]);

/** What each exchange may have of its own. */
const OF_EXCHANGES = [
  "symbols",
  "timeframes",
  "backfill",
  "retention",
  "live",
  "funding",
  "history",
] as const satisfies readonly (keyof ExchangeSettings)[];

type ExchangeField = (typeof OF_EXCHANGES)[number];

/** Names of the bucket's keys, together. */
const BUCKET = "AWS_…";

/** What nodes must have in common. */
export function sharedSettings(config: Config): SharedSettings {
  const settings: Record<string, string> = {};
  for (const [field, variable] of Object.entries<Variable>(SETTINGS)) {
    if (OF_A_NODE.has(field) || (OF_EXCHANGES as readonly string[]).includes(field)) continue;
    const value = (config as unknown as Readonly<Record<string, unknown>>)[field];
    if (value !== undefined) settings[variable.name] = shown(field, value, variable);
  }
  if (isS3Url(config.datasetUrl ?? "")) settings[BUCKET] = secretText(JSON.stringify(config.s3));
  for (const field of OF_EXCHANGES) {
    const { name } = SETTINGS[field];
    settings[name] = ofExchange(field, config.everywhere);
    for (const id of config.exchanges) {
      const own = ofExchange(field, settingsOf(config, id));
      if (own !== settings[name]) settings[`${id} ${name}`] = own;
    }
  }
  return { hash: hashOf(JSON.stringify(inForce(settings))), settings };
}

/** Characters of a value that are shown. Users recognise it by its beginning. */
const SHOWN_CHARACTERS_MAX = 60;

/** How many differences are told. */
const DIFFERENCES_MAX = 10;

/** In what a node's settings differ from another's: `SYMBOLS: top:20 here, top:10 there`, one text each. */
export function differencesOf(
  here: SettingValuesByName,
  there: SettingValuesByName,
): readonly string[] {
  const [own, others] = [inForce(here), inForce(there)];
  const names = [...new Set([...Object.keys(own), ...Object.keys(others)])].sort();
  const [ids, otherIds] = [exchangesOf(here), exchangesOf(there)];
  const all = names.flatMap((name) => {
    const [exchange, variable] = name.includes(" ") ? name.split(" ") : ["", name];
    // That one of them does not archive an exchange is told by EXCHANGES.
    if (exchange !== "" && !(ids.includes(exchange!) && otherIds.includes(exchange!))) return [];
    const [one, other] = [own[name], others[name]];
    if (one === other) return [];
    return [{ exchange, text: `${variable}: ${cut(one)} here, ${cut(other)} there` }];
  });
  const texts = [...Map.groupBy(all, ({ text }) => text)].map(([text, same]) => {
    const of = same.map(({ exchange }) => exchange).filter((id) => id !== "");
    const isAll = of.length === 0 || ids.every((id) => of.includes(id));
    return isAll ? text : `${of.join(", ")}: ${text}`;
  });
  const more = texts.length - DIFFERENCES_MAX;
  return more > 0 ? [...texts.slice(0, DIFFERENCES_MAX), `and ${more} more`] : texts;
}

/** What holds of each exchange, in one order: who shares a setting and who has it of its own makes no difference. */
function inForce(settings: SettingValuesByName): SettingValuesByName {
  const variables: ReadonlySet<string> = new Set(OF_EXCHANGES.map((field) => SETTINGS[field].name));
  const shared = Object.entries(settings).filter(([name]) =>
    !name.includes(" ") && !variables.has(name)
  );
  const own = exchangesOf(settings).flatMap((id) =>
    [...variables].map((name) =>
      [`${id} ${name}`, settings[`${id} ${name}`] ?? settings[name] ?? ""] as const
    )
  );
  return Object.fromEntries([...shared, ...own].sort(([a], [b]) => a < b ? -1 : 1));
}

function exchangesOf(settings: SettingValuesByName): readonly string[] {
  return (settings[SETTINGS.exchanges.name] ?? "").split(",").filter((id) => id !== "");
}

function ofExchange(field: ExchangeField, settings: ExchangeSettings): string {
  switch (field) {
    case "symbols":
      return itemsOf(settings.symbols);
    case "backfill":
    case "retention": {
      const reaches = settings[field].map(({ timeframe, reach }) => `${timeframe}:${reach.text}`);
      // Without a reach nothing is fetched of the past, and everything is kept.
      const none = field === "backfill" ? "off" : "";
      return reaches.length === 0 ? none : reaches.sort().join(",");
    }
    default: {
      const value = settings[field];
      return typeof value === "string" ? value : [...value].sort().join(",");
    }
  }
}

function itemsOf({ names, excluded, ...rules }: Symbols): string {
  const chosen = ruleText({ names, excluded, ...rules }).split(",").filter((text) => text !== "");
  const all = [
    ...chosen.sort(),
    ...[...names].sort(),
    ...excluded.map((text) => `!${text}`).sort(),
  ];
  return all.join(",");
}

function shown(field: string, value: unknown, { secret }: Variable): string {
  if (secret === true) return secretText(String(value));
  if (Array.isArray(value)) return [...value].sort().join(",");
  return field.endsWith("Ms") ? durationText(Number(value)) : redact(String(value));
}

/** Digits of a secret's hash: enough to see that two differ, too few to find it by. */
const SECRET_DIGITS = 6;

function secretText(secret: string): string {
  return `(secret ${hashOf(secret).slice(0, SECRET_DIGITS)})`;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000]] as const;

/** As it would be set: `7d`. */
function durationText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, unitMs]) => ms % unitMs === 0) ?? ["ms", 1];
  return `${ms / unitMs}${unit}`;
}

function cut(value: string | undefined): string {
  if (value === undefined || value === "") return "not set";
  return value.length > SHOWN_CHARACTERS_MAX ? `${value.slice(0, SHOWN_CHARACTERS_MAX)}…` : value;
}
