/** What `titan10.yaml` may contain. @module */
import { z } from "zod";
import { isTimeframe } from "../market/timeframe.ts";
import { FUNDING_WORDS, type FundingSetting } from "./funding_setting.ts";
import { HISTORY_WORDS, type HistorySetting } from "./history_setting.ts";
import { LIVE_WORDS } from "./live_setting.ts";
import { allowedInstead, symbolItem } from "./symbols.ts";
import { ITEMS_MAX, rangeProblem, type Setting } from "./setting.ts";
import type { ConfigRules } from "./variable.ts";
import { SETTINGS } from "./variables.ts";

/** The names of one exchange's settings. */
export const ENTRY_NAMES = [
  "symbols",
  "timeframes",
  "backfill",
  "pageLimit",
  "retention",
  "live",
  "funding",
  "history",
  "options",
] as const;

/** The names at the top of the file. */
export const TOP_NAMES = ["defaults", "exchanges"] as const;

/** What the file says of all exchanges, or of one: texts as in the variables, and lists and maps of them. */
export interface FileEntry {
  readonly symbols?: readonly string[] | undefined;
  readonly timeframes?: readonly string[] | undefined;
  readonly backfill?: FileReaches | undefined;
  readonly pageLimit?: number | undefined;
  readonly retention?: FileReaches | undefined;
  readonly live?: (typeof LIVE_WORDS)[number] | undefined;
  readonly funding?: FundingSetting | undefined;
  readonly history?: HistorySetting | undefined;
}

/** Reaches by timeframe. */
type FileReaches = "off" | Readonly<Record<string, string>>;

interface FileValue {
  readonly defaults?: FileEntry | null | undefined;
  readonly exchanges?: Readonly<Partial<Record<string, FileEntry | null>>> | undefined;
}

/** The schema of the file. Its messages say what is allowed. */
export function fileSchema(rules: ConfigRules): z.ZodType<FileValue | null> {
  const shared = sharedFields(rules);
  const entry = z.strictObject({
    ...shared,
    options: z.record(z.string(), z.unknown(), {
      error: "a map of CCXT's options, such as {rateLimit: 200}",
    }).optional().describe(SETTINGS.exchangeOptions.meaning),
  }, { error: "a map of settings, such as {symbols: [BTC/USDT]}" }).nullable();
  return z.strictObject({
    defaults: z.strictObject(shared, { error: "a map of settings, such as {timeframes: [1m]}" })
      .nullable().optional().describe("Settings of all exchanges; their variables come first."),
    exchanges: z.partialRecord(z.enum(rules.knownExchanges), entry, {
      error: "a map of exchanges, such as {binance: {symbols: [BTC/USDT]}}",
    }).optional().describe(
      "The exchanges that are archived, by CCXT's id, each with its settings.",
    ),
  }, { error: "a map with defaults and exchanges" }).nullable();
}

/** The same for editors, as JSON Schema. */
export function schemaText(rules: ConfigRules): string {
  return JSON.stringify(z.toJSONSchema(fileSchema(rules), { io: "input" }), undefined, 2);
}

/** The settings that `defaults` and each exchange can have. */
function sharedFields(
  rules: ConfigRules,
): { readonly [Field in keyof FileEntry]-?: z.ZodType<FileEntry[Field]> } {
  return {
    symbols: listOf(symbolItem, {
      instead: allowedInstead,
      allowed: "a symbol such as BTC/USDT, a pattern such as BTC/*, or top:N",
      list: "a list of symbols, such as [BTC/USDT, ETH/USDT] or [top:20]",
    }).refine(
      (items = []) => items.length === 0 || items.some((text) => !text.startsWith("!")),
      "something to exclude from, such as top:20",
    ).describe(SETTINGS.symbols.meaning),
    timeframes: listOf(SETTINGS.timeframes.read(), {
      allowed: "a timeframe such as 1m, 4h, 1d, 1w, 1M",
      list: "a list of timeframes, such as [1m, 1d]",
    }).describe(SETTINGS.timeframes.meaning),
    backfill: reaches(
      SETTINGS.backfill.read(rules),
      `${REACH}, or ${DAYS}`,
      (text) => rangeProblem(text, rules),
    )
      .describe(SETTINGS.backfill.meaning),
    pageLimit: z.int({ error: PAGE_LIMIT }).min(1, PAGE_LIMIT).max(10_000, PAGE_LIMIT).optional()
      .describe(SETTINGS.pageLimit.meaning),
    retention: reaches(SETTINGS.retention.read(), REACH).describe(SETTINGS.retention.meaning),
    live: z.enum(LIVE_WORDS, { error: AUTO_OR_OFF }).optional()
      .describe("Whether candles are streamed as they close: auto where the exchange can, or off."),
    funding: z.enum(FUNDING_WORDS, { error: AUTO_OR_OFF }).optional()
      .describe(SETTINGS.funding.meaning),
    history: z.enum(HISTORY_WORDS, { error: AUTO_OR_OFF }).optional()
      .describe(SETTINGS.history.meaning),
  };
}

const AUTO_OR_OFF = "auto or off";

const PAGE_LIMIT = "a whole number from 1 to 10000, without quotes";

/** A list whose items are read as in the variable. */
function listOf<T>(
  reader: Setting<T>,
  { allowed, instead, list }: {
    readonly allowed: string;
    /** What is allowed in the place of a text, if more can be said of it. */
    readonly instead?: (text: string) => string | undefined;
    readonly list: string;
  },
): z.ZodType<readonly string[] | undefined> {
  const item = z.string({ error: `${allowed}, in quotes if it looks like a number` }).refine(
    (text) => !text.includes(",") && reader.safeParse(text).success,
    {
      error: ({ input }) =>
        String(input).includes(",")
          ? `${allowed}, one an item`
          : instead?.(String(input)) ?? allowed,
    },
  );
  return z.array(item, { error: list }).min(1, list).max(ITEMS_MAX, `at most ${ITEMS_MAX} items`)
    .optional();
}

/** A reach for each timeframe. */
function reaches(
  reader: z.ZodType<unknown, string | undefined>,
  allowed: string,
  problemOf: (text: string) => string | undefined = () => undefined,
): z.ZodType<FileReaches | undefined> {
  const timeframe = z.string().refine(isTimeframe, {
    error: ({ input }) =>
      `a timeframe such as 1m, 4h, 1d, 1w, 1M${
        String(input).includes(":") ? ", and a space behind its colon" : ""
      }`,
  });
  const reach = z.string({ error: allowed }).refine(
    (text) => !text.includes(",") && reader.safeParse(`1d:${text}`).success,
    { error: ({ input }) => problemOf(String(input)) ?? allowed },
  );
  return z.union([z.literal("off"), z.record(timeframe, reach)], {
    error: "a map of reaches, such as {1m: 7d, 1d: 5y}, or off",
  }).optional();
}

const REACH = "a reach of at most 50y, in h d w mo or y, such as 7d, 18mo, 5y";

const DAYS = "since a day, such as 2017-01-01.., or between two, such as 2021-01-01..2023-01-01";
