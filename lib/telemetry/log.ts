/** Writes the log to standard error. Standard output is for the results of commands. @module */
import { configureSync, getLogger, type Logger, type LogRecord } from "@logtape/logtape";
import { getPrettyFormatter } from "@logtape/pretty";
import { printable } from "../text/printable.ts";
import {
  isSecretName,
  REDACTED,
  type RedactedError,
  redactError,
  shortText,
} from "../text/redact.ts";

export type { Logger } from "@logtape/logtape";

/** The levels of LogTape, least severe first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warning", "error", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The formats of a log line. */
export const LOG_FORMATS = ["json", "pretty"] as const;
type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  /** The least severe level that is written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /**
   * Whether the pretty format uses colours.
   *
   * @default false
   */
  readonly colors?: boolean | undefined;
  /**
   * Receives each line, without its line break.
   *
   * @default writes to standard error
   */
  readonly write?: ((line: string) => void) | undefined;
}

/** The parent of all our loggers. It keeps the logs of libraries apart. */
const ROOT = "titan10";

/** An exchange may answer with a page of HTML. Its beginning is enough to recognise it. */
const TEXT_LENGTH_MAX = 4_096;

/** Longer lists and objects are cut, because people read the log. */
const ITEMS_MAX = 100;

/** A deeper object was not meant to be logged, or contains itself. */
const DEPTH_MAX = 5;

/**
 * Sets up logging for the whole process. Replaces any earlier set-up.
 *
 * JSON lines are `{"time", "level", "logger", "message", …properties}`. If a property has one of these four names, a
 * `_` is added to its name. Pass an error as a property: `{ error }`.
 */
export function configureLogging(options: LogOptions): void {
  const { level, format, colors = false, write = writeToStderr } = options;
  const render = format === "json" ? renderJson : prettyRenderer(colors);
  const sink = (record: LogRecord): void => write(render(entryOf(record)));
  configureSync({
    reset: true,
    sinks: { lines: sink },
    loggers: [
      { category: ROOT, lowestLevel: level, sinks: ["lines"] },
      // LogTape reports errors of its own sinks here.
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["lines"] },
    ],
  });
}

/** The logger of a part of the program: `logger("ingest").info("Page written", { candles: 500 })`. */
export function logger(category: string): Logger {
  return getLogger([ROOT, category]);
}

/** A log record in which all texts are redacted and of limited length. */
interface Entry {
  readonly time: string;
  readonly level: LogLevel;
  readonly logger: string;
  readonly message: string;
  readonly properties: Readonly<Record<string, Json>>;
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

function entryOf(record: LogRecord): Entry {
  const { category, level, message, timestamp, properties } = record;
  const isOurs = category[0] === ROOT;
  const texts = message.map((part) => {
    const value = safeValue(part, 0);
    return typeof value === "string" ? value : JSON.stringify(value);
  });
  return {
    time: new Date(timestamp).toISOString(),
    level,
    logger: (isOurs ? category.slice(1) : category).join("."),
    // The whole text is redacted again, because a secret may be split between the template and its values.
    message: safeText(texts.join("")),
    properties: safeProperties(properties, 0),
  };
}

function renderJson({ properties, ...fixed }: Entry): string {
  const renamed = Object.entries(properties).map(([name, value]) =>
    [Object.hasOwn(fixed, name) ? `${name}_` : name, value] as const
  );
  const line = JSON.stringify({ ...fixed, ...Object.fromEntries(renamed) });
  // JSON escapes C0 by itself. These characters also change how a terminal shows the raw log.
  return line.replace(
    /[\x7f-\x9f\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function prettyRenderer(colors: boolean): (entry: Entry) => string {
  const format = getPrettyFormatter({
    colors,
    timestamp: "date-time",
    icons: false,
    categoryWidth: 10,
    categoryTruncate: "end",
    messageColor: null,
    messageStyle: null,
    wordWrap: false,
  });
  return ({ time, level, logger, message, properties }) => {
    const stacks: string[] = [];
    const fields = Object.entries(properties).map(([name, value]) =>
      `${name}=${isError(value) ? errorText(value, stacks) : fieldText(value)}`
    );
    const text = printable([message, ...fields].join(" "));
    const line = format({
      category: [printable(logger)],
      level,
      message: [text],
      rawMessage: text,
      timestamp: Date.parse(time),
      properties: {},
    });
    const frames = stacks.flatMap((stack) => stack.split("\n"));
    return [line.trimEnd(), ...frames.map((frame) => `    ${printable(frame.trim())}`)].join("\n");
  };
}

/** One line for an error and its causes, without repeated messages. The stacks are added to `stacks`. */
function errorText(error: RedactedError, stacks: string[]): string {
  let text = "";
  for (let next: RedactedError | undefined = error; next !== undefined; next = next.cause) {
    const { name, message, stack, kind = next.code } = next;
    if (stack !== undefined) stacks.push(stack);
    if (message !== "" && text.includes(message)) continue;
    if (text !== "") text += " ← ";
    text += `${name}${kind === undefined ? "" : ` (${kind})`}: ${message}`;
  }
  return text;
}

function fieldText(value: Json): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function isError(value: Json): value is Json & RedactedError {
  return typeof value === "object" && value !== null && "name" in value && "message" in value;
}

/** Makes a value safe to log: no secrets, no cycles, limited size, only types of JSON. */
function safeValue(value: unknown, depth: number): Json {
  if (typeof value === "boolean" || value === null) return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object") return safeText(String(value));
  if (value instanceof Error) return safeError(redactError(value, TEXT_LENGTH_MAX));
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  }
  if (value instanceof URL) return safeText(value.href);
  if (depth >= DEPTH_MAX) return "…";
  const inner = depth + 1;
  if (Array.isArray(value) || value instanceof Set) {
    const items = [...value];
    const shown = items.slice(0, ITEMS_MAX).map((item) => safeValue(item, inner));
    return items.length > ITEMS_MAX ? [...shown, `… ${items.length - ITEMS_MAX} more`] : shown;
  }
  return safeProperties(value instanceof Map ? objectOf(value) : value, inner);
}

/** A map as an object. A key that is an object may not be convertible to text, so its type name is used. */
function objectOf(map: ReadonlyMap<unknown, unknown>): object {
  return Object.fromEntries(
    [...map].map(([key, value]) => [
      typeof key === "object" ? Object.prototype.toString.call(key) : String(key),
      value,
    ]),
  );
}

function safeProperties(value: object, depth: number): Readonly<Record<string, Json>> {
  const shown: [string, Json][] = [];
  for (const name of Object.keys(value)) {
    const inner = readProperty(value, name);
    // As in JSON: unset properties are left out.
    if (inner === undefined || typeof inner === "function") continue;
    if (shown.length === ITEMS_MAX) break;
    const safeName = safeText(name);
    shown.push([safeName, isSecretName(name) ? REDACTED : safeValue(inner, depth)]);
  }
  return Object.fromEntries(shown);
}

function readProperty(value: object, name: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[name];
  } catch (error) {
    // An error in a getter must not make logging fail.
    return error;
  }
}

function safeError({ stack, cause, ...error }: RedactedError, isForeseen = false): Json {
  // A classified error and its causes are expected, so their stacks are left out. The stacks of other errors are shown.
  const isCauseForeseen = isForeseen || error.kind !== undefined;
  return {
    ...error,
    ...(!isCauseForeseen && stack !== undefined && { stack }),
    ...(cause !== undefined && { cause: safeError(cause, isCauseForeseen) }),
  };
}

function safeText(text: string): string {
  return shortText(text, TEXT_LENGTH_MAX);
}

const encoder = new TextEncoder();

function writeToStderr(line: string): void {
  const bytes = encoder.encode(`${line}\n`);
  try {
    for (let written = 0; written < bytes.length;) {
      written += Deno.stderr.writeSync(bytes.subarray(written));
    }
  } catch {
    // The reader of the log has closed it. Archiving continues.
  }
}
