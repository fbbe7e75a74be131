/** Reads `titan10.yaml`: settings by exchange, as the texts that the variables would have. @module */
import type { z } from "zod";
import { nearest } from "../text/nearest.ts";
import { printable } from "../text/printable.ts";
import { isSecretName, redact, REDACTED } from "../text/redact.ts";
import type { ConfigProblem, FileSettings } from "./config.ts";
import { ENTRY_NAMES, type FileEntry, fileSchema, TOP_NAMES } from "./file_schema.ts";
import type { ReferencedFiles } from "./secret_file.ts";
import { isLikeKey } from "./secrets.ts";
import { didYouMean } from "./setting.ts";
import { type ConfigRules, fileVariable, type SettingTexts } from "./variable.ts";
import { SETTINGS } from "./variables.ts";
import { readYaml, type ValuePath, type YamlText } from "./yaml_text.ts";

/** A file of settings. */
interface SettingsFile {
  /** As the user named it. */
  readonly path: string;
  readonly text: string;
}

interface ReadOptions {
  readonly rules: ConfigRules;
  /** What `${NAME}` stands for. */
  readonly environment: SettingTexts;
  /** What files hold that `NAME_FILE` names; see `readReferencedFiles`. */
  readonly files?: Pick<ReferencedFiles, "texts" | "faults"> | undefined;
}

/** Reads the file, and tells all of its problems at once with their places. */
export function readSettingsFile(
  { path: file, text }: SettingsFile,
  { rules, environment, files }: ReadOptions,
): FileSettings {
  const name = printable(file);
  const yaml = readYaml(text);
  const own = new Map<string, SettingTexts>();
  const placeOf = (exchange: string | undefined, variable: string): string =>
    `${name}:${yaml.placeOf(pathTo(variable, { exchange, rules }), { isKey: true })}`;
  const problems: ConfigProblem[] = yaml.problems.map(({ place, allowed }) => ({
    place: `${name}:${place}`,
    variable: "",
    value: "",
    allowed,
  }));
  if (problems.length > 0) return { shared: {}, own, problems, placeOf };
  const { data, error } = fileSchema(rules).safeParse(yaml.value);
  const faults = (error?.issues ?? []).flatMap((issue) => faultsOf(issue, { above: [], rules }));
  if (isObject(yaml.value) && isEmpty(yaml.value["exchanges"])) {
    faults.push({ path: ["exchanges"], allowed: "at least one exchange" });
  }
  const shared: Record<string, string | undefined> = { ...textsOf(data?.defaults ?? {}) };
  // The options are read even if something else is wrong, so that one run tells all problems.
  for (const [id, options] of optionsIn(yaml.value)) {
    const resolved = new References({ ...environment, ...files?.texts }, files?.faults);
    const value = resolved.resolve(options, ["exchanges", id, "options"]);
    for (const fault of resolved.faults) faults.push(fault);
    if (resolved.faults.length > 0 || !rules.knownExchanges.includes(id)) continue;
    const json = JSON.stringify(value);
    const issues = SETTINGS.exchangeOptions.read().safeParse(json).error?.issues ?? [];
    for (const { message } of issues) {
      faults.push({ path: ["exchanges", id, "options"], allowed: message });
    }
    if (issues.length === 0) shared[optionsVariable(id)] = json;
  }
  if (faults.length > 0) {
    const offsetOf = ({ path, isKey = false }: Fault): number => yaml.offsetOf(path, { isKey });
    const sorted = faults.sort((one, other) => offsetOf(one) - offsetOf(other));
    return {
      shared: {},
      own,
      problems: sorted.map((one) => problemOf(one, { name, yaml })),
      placeOf,
    };
  }
  const entries = Object.entries(data?.exchanges ?? {});
  for (const [id, entry] of entries) own.set(id, textsOf(entry ?? {}));
  if (entries.length > 0) shared[SETTINGS.exchanges.name] = [...own.keys()].join(",");
  return { shared, own, problems, placeOf };
}

/** The variables that have the same meaning for all exchanges. */
const VARIABLE_OF = {
  symbols: SETTINGS.symbols.name,
  timeframes: SETTINGS.timeframes.name,
  backfill: SETTINGS.backfill.name,
  pageLimit: SETTINGS.pageLimit.name,
  retention: SETTINGS.retention.name,
  live: SETTINGS.live.name,
  funding: SETTINGS.funding.name,
  history: SETTINGS.history.name,
};

/** The settings as the texts of their variables. */
function textsOf(
  { symbols, timeframes, backfill, pageLimit, retention, live, funding, history }: FileEntry,
): SettingTexts {
  return {
    [VARIABLE_OF.symbols]: symbols?.join(","),
    [VARIABLE_OF.timeframes]: timeframes?.join(","),
    [VARIABLE_OF.backfill]: reachesText(backfill),
    [VARIABLE_OF.pageLimit]: pageLimit?.toString(),
    [VARIABLE_OF.retention]: reachesText(retention),
    [VARIABLE_OF.live]: live,
    [VARIABLE_OF.funding]: funding,
    [VARIABLE_OF.history]: history,
  };
}

function reachesText(reaches: FileEntry["backfill"]): string | undefined {
  if (reaches === undefined || typeof reaches === "string") return reaches;
  const texts = Object.entries(reaches).map(([timeframe, reach]) => `${timeframe}:${reach}`);
  return texts.length === 0 ? "off" : texts.join(",");
}

function optionsVariable(exchange: string): string {
  return SETTINGS.exchangeOptions.name.replace("<ID>", exchange.toUpperCase());
}

/** Where the file sets a variable. */
function pathTo(
  variable: string,
  { exchange, rules }: { readonly exchange: string | undefined; readonly rules: ConfigRules },
): ValuePath {
  if (variable === SETTINGS.exchanges.name) return ["exchanges"];
  const id = rules.knownExchanges.find((one) => optionsVariable(one) === variable);
  if (id !== undefined) return ["exchanges", id, "options"];
  const [field] = Object.entries(VARIABLE_OF).find(([, name]) => name === variable) ?? [];
  const entry = exchange === undefined ? ["defaults"] : ["exchanges", exchange];
  return [...entry, ...(field === undefined ? [] : [field])];
}

/** The options of each exchange, wherever they can be found. */
function optionsIn(value: unknown): readonly (readonly [string, object])[] {
  const exchanges = isObject(value) ? value["exchanges"] : undefined;
  return Object.entries(isObject(exchanges) ? exchanges : {}).flatMap(([id, entry]) => {
    const options = isObject(entry) ? entry["options"] : undefined;
    return isObject(options) ? [[id, options] as const] : [];
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

interface Fault {
  readonly path: ValuePath;
  readonly allowed: string;
  /** Whether the name is wrong, and not its value. @default false */
  readonly isKey?: boolean;
}

/** Puts in what `${NAME}` stands for. A secret must be such a reference: files of settings are passed on. */
class References {
  readonly faults: Fault[] = [];
  readonly #environment: SettingTexts;
  readonly #faultsOfFiles: ReferencedFiles["faults"];

  constructor(environment: SettingTexts, faultsOfFiles: ReferencedFiles["faults"] = new Map()) {
    this.#environment = environment;
    this.#faultsOfFiles = faultsOfFiles;
  }

  resolve(value: unknown, path: ValuePath): unknown {
    if (typeof value === "string") return this.#resolveText(value, path);
    if (Array.isArray(value)) return value.map((item, at) => this.resolve(item, [...path, at]));
    if (!isObject(value)) return value;
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([key, inner]) => [key, this.resolve(inner, [...path, key])]),
    );
  }

  #resolveText(text: string, path: ValuePath): string {
    const fault = (allowed: string): void => {
      this.faults.push({ path, allowed });
    };
    const hasReference = text.includes("${");
    if (!hasReference && (isSecretName(String(path.at(-1))) || redact(text) !== text)) {
      fault('a reference such as "${NAME}": a secret stands in the environment or in .env');
    }
    return text.replace(/\$\{([^{}]*)\}/g, (_, name: string) => {
      const value = this.#environment[name]?.trim();
      const faultOfFile = this.#faultsOfFiles.get(name);
      if (!/^[A-Za-z_]\w*$/.test(name)) fault("the name of a variable in ${…}");
      else if (faultOfFile !== undefined) fault(faultOfFile);
      else if (!value) fault(`the environment or .env to set ${shownNames(name)}`);
      return value ?? "";
    });
  }
}

/** A secret may stand there itself: only what is named as variables are is shown. */
function shownNames(name: string): string {
  const isUsual = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(name) || !isLikeKey(name);
  return isUsual ? `${name} or ${fileVariable(name)}` : "the variable that ${…} names";
}

/** The faults of an issue, each with the whole path to it. */
function faultsOf(
  issue: z.core.$ZodIssue,
  { above, rules }: { readonly above: ValuePath; readonly rules: ConfigRules },
): readonly Fault[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      isKey: true,
      allowed: allowedName(key, { path, rules }),
    }));
  }
  if (issue.code === "invalid_key") {
    return [{ path, isKey: true, allowed: issue.issues[0]?.message ?? issue.message }];
  }
  if (issue.code === "invalid_union") {
    // The map of reaches, if it is one at all.
    const inside = issue.errors.find((issues) => issues.every((one) => one.path.length > 0));
    if (inside !== undefined) return inside.flatMap((one) => faultsOf(one, { above: path, rules }));
  }
  return [{ path, allowed: issue.message }];
}

/** Which names a map may have, and which of them are similar to one that it may not. */
function allowedName(
  key: string,
  { path: [top, entry], rules }: { readonly path: ValuePath; readonly rules: ConfigRules },
): string {
  if (top === "exchanges" && entry === undefined) {
    return `a CCXT exchange id${didYouMean(nearest(key, rules.knownExchanges))}`;
  }
  const names = top === undefined
    ? TOP_NAMES
    : top === "defaults"
    ? ENTRY_NAMES.filter((name) => name !== "options")
    : ENTRY_NAMES;
  const text = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
  const others = top === undefined ? "; other settings are variables" : "";
  return text + others + didYouMean(nearest(key, names));
}

/** Longer values are cut in messages. */
const SHOWN_LENGTH_MAX = 80;

function problemOf(
  { path, allowed, isKey = false }: Fault,
  { name, yaml }: { readonly name: string; readonly yaml: YamlText },
): ConfigProblem {
  const inOptions = path.indexOf("options") === 2;
  // A key in the place of an exchange's settings.
  const isOfExchange = path.length === 2 && path[0] === "exchanges";
  const named = isKey ? path.slice(0, -1) : inOptions ? path.slice(0, 3) : path;
  const source = isKey ? String(path.at(-1)) : yaml.sourceOf(path);
  const shown = printable(redact(source));
  return {
    place: `${name}:${yaml.placeOf(path, { isKey })}`,
    variable: printable(pathText(named)),
    value: inOptions || (isOfExchange && isLikeKey(source))
      ? REDACTED
      : shown.length > SHOWN_LENGTH_MAX
      ? `${shown.slice(0, SHOWN_LENGTH_MAX)}…`
      : shown,
    allowed,
  };
}

/** `exchanges.binance.symbols[2]`. */
function pathText(path: ValuePath): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === "number"
        ? `${text}[${step}]`
        : text === ""
        ? String(step)
        : `${text}.${String(step)}`,
    "",
  );
}
