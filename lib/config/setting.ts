/** Parses the text of each kind of variable, and says what is allowed when a text is invalid. @module */
import parseDuration from "parse-duration";
import { z } from "zod";
import { nearest } from "../text/nearest.ts";
import { parseReach, type Reach, reachEndMs } from "./reach.ts";
import { isTimeframe } from "../market/timeframe.ts";

/** Parses a text. The message of each issue says what is allowed; its input is the invalid text. */
export type Setting<T> = z.ZodType<T, string>;

/** How far back one timeframe reaches. */
export interface TimeframeReach {
  readonly timeframe: string;
  readonly reach: Reach;
}

/** People type these lists. A longer one is probably a mistake, and each item costs requests. */
export const ITEMS_MAX = 1000;

/** A setting that is parsed by `read`, which returns undefined for an invalid text. */
export function setting<T>(
  allowed: string | ((text: string) => string),
  read: (text: string) => T | undefined,
): Setting<T> {
  return z.string().transform((text, context) => {
    const value = read(text);
    if (value !== undefined) return value;
    const message = typeof allowed === "string" ? allowed : allowed(text);
    context.issues.push({ code: "custom", message, input: text });
    return z.NEVER;
  });
}

/** A text that `isAllowed` accepts. */
export function textThat(
  allowed: string | ((text: string) => string),
  isAllowed: (text: string) => boolean,
): Setting<string> {
  return setting(allowed, (text) => isAllowed(text) ? text : undefined);
}

/** One of the given words. */
export function oneOf<const T extends string>(words: readonly T[]): Setting<T> {
  return setting(`one of ${words.join(", ")}`, (text) => words.find((word) => word === text));
}

/** The same in capitals or not, and in other usual spellings. */
export function oneSpelled<const T extends string>(
  words: readonly T[],
  others: Readonly<Record<string, T>>,
): Setting<T> {
  return setting(`one of ${words.join(", ")}`, (text) => {
    const lower = text.toLowerCase();
    return words.find((word) => word === lower) ?? new Map(Object.entries(others)).get(lower);
  });
}

/** A whole number in plain digits; both bounds are included. */
export function wholeNumber({ min, max }: { min: number; max: number }): Setting<number> {
  return setting(`a whole number from ${min} to ${max}`, (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

/** A percentage from 0 to 100; decimals are allowed. */
export function percent(): Setting<number> {
  return setting("a number from 0 to 100", (text) => {
    const number = /^\d{1,3}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
    return number <= 100 ? number : undefined;
  });
}

/** A duration in milliseconds. The bounds are written as durations and are included. */
export function duration({ min, max }: { min: string; max: string }): Setting<number> {
  const [minMs, maxMs] = [durationMs(min)!, durationMs(max)!];
  return setting(`a duration from ${min} to ${max} with its unit, ms s m h d or w`, (text) => {
    const ms = durationMs(text);
    return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined;
  });
}

/** A duration in milliseconds, or undefined for `off`. */
export function durationOrOff(bounds: { min: string; max: string }): Setting<number | undefined> {
  const off = z.literal("off").transform(() => undefined);
  return byText((text) => text === "off" ? off : duration(bounds));
}

/** Items separated by commas, each parsed by `item`. Repeated items are dropped. */
export function list<T>(item: Setting<T>): Setting<readonly T[]> {
  return split().pipe(z.array(item)).transform((items) => [...new Set(items)]);
}

/** One of `names`. For any other name, the message suggests similar ones. */
export function knownName(kind: string, names: readonly string[]): Setting<string> {
  const known = new Set(names);
  return textThat(
    (text) => `${kind}${didYouMean(nearest(text, names))}`,
    (text) => known.has(text),
  );
}

/** The end of a message about an unknown name. */
export function didYouMean(similar: readonly string[]): string {
  return similar.length === 0 ? "" : `; did you mean ${similar.join(" or ")}?`;
}

/**
 * `1d:5y,1m:7d`, one reach per timeframe; `off` means none.
 *
 * @param options.sinceDay whether a reach may begin on a day, `1d:2017-01-01..`, and end on one.
 * @param options.nowMs an end may not be later. Milliseconds.
 */
export function timeframeReaches(
  { sinceDay, nowMs = Infinity }: {
    readonly sinceDay: boolean;
    readonly nowMs?: number | undefined;
  },
): Setting<readonly TimeframeReach[]> {
  const orDay = sinceDay ? "1d:2017-01-01.. or 1d:2021-01-01..2023-01-01 or " : "";
  const allowed = `timeframe:reach, the reach at most 50y, in h d w mo or y, such as ${orDay}1d:5y`;
  const reach = setting(
    (text) => {
      const range = text.slice(text.indexOf(":") + 1).trim();
      return (sinceDay ? rangeProblem(range, { nowMs }) : undefined) ?? allowed;
    },
    (text): TimeframeReach | undefined => {
      const [timeframe = "", reach = "", ...others] = text.split(":").map((part) => part.trim());
      if (others.length > 0 || !isTimeframe(timeframe)) return undefined;
      const parsed = orUndefined(() => parseReach(reach));
      if (parsed === undefined || (!sinceDay && "sinceMs" in parsed)) return undefined;
      if ((reachEndMs(parsed) ?? -Infinity) > nowMs) return undefined;
      return { timeframe, reach: parsed };
    },
  );
  return split({ none: "off" }).pipe(z.array(reach)).refine(
    (reaches) => new Set(reaches.map(({ timeframe }) => timeframe)).size === reaches.length,
    "each timeframe once",
  );
}

/** What is wrong with a range between two days, and what to write; undefined when it is none, or right, or no such day. */
export function rangeProblem(
  text: string,
  { nowMs = Infinity }: { readonly nowMs?: number | undefined },
): string | undefined {
  const [, since = "", until = ""] = /^(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)$/.exec(text) ?? [];
  const isRange = [since, until].every((day) => orUndefined(() => parseReach(`${day}..`)));
  if (!isRange) return undefined;
  if (since >= until) return `a range that ends after it begins; ${until} itself is left out`;
  return Date.parse(until) > nowMs
    ? `a range that has ended; ${since}.. also wants the candles that are still to come`
    : undefined;
}

/** A URL with one of the given schemes. The rest is not checked here. */
export function url(schemes: readonly string[], { allowed }: { allowed: string }): Setting<string> {
  return textThat(allowed, (text) => {
    const scheme = /^([a-z]+):\/\/[^\s\p{C}]+$/u.exec(text)?.[1];
    return scheme !== undefined && schemes.includes(scheme) && URL.canParse(text);
  });
}

/** A host name or an address, without scheme or port. */
export function host(): Setting<string> {
  return textThat("a host name or an IP address, without scheme and port", (text) => {
    if (/^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text)) return URL.canParse(`http://[${text}]/`);
    return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text) && URL.canParse(`http://${text}/`);
  });
}

/** A JSON object. Messages never repeat its content, because it may hold secrets. */
export function jsonObject(): Setting<Readonly<Record<string, unknown>>> {
  return setting('a JSON object in one line, such as {"apiKey":"…","secret":"…"}', (text) => {
    const value = orUndefined((): unknown => JSON.parse(text));
    return z.record(z.string(), z.unknown()).safeParse(value).data;
  });
}

/** parse-duration finds durations anywhere in a text and reads `M` as a minute, so the whole text is checked first. */
const DURATION = /^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/;

/** Converts `90s` to milliseconds; undefined when the text is not a duration. */
export function durationMs(text: string): number | undefined {
  return DURATION.test(text) ? Math.round(parseDuration(text) ?? 0) : undefined;
}

/** A text that is parsed by the setting that `settingOf` chooses for it. */
function byText<T>(settingOf: (text: string) => Setting<T>): Setting<T> {
  return z.string().transform((text, context) => {
    const { data, error } = settingOf(text).safeParse(text, { reportInput: true });
    if (error === undefined) return data;
    for (const { message, input } of error.issues) {
      context.issues.push({ code: "custom", message, input });
    }
    return z.NEVER;
  });
}

function split({ none }: { readonly none?: string } = {}): Setting<string[]> {
  const items = (text: string): string[] =>
    text === none ? [] : text.split(",").map((item) => item.trim());
  return z.string().transform(items).refine(
    (texts) => texts.length <= ITEMS_MAX,
    `at most ${ITEMS_MAX} items separated by commas`,
  );
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
