/** What a dataset says of itself: which files it has, what they cover, and why candles are missing. @module */
import { z } from "zod";
import { errorText } from "../text/redact.ts";

/** The dataset's files. Readers of Parquet leave out names that begin with `_`. */
export const ROOT = "_manifest.json";

const Time = z.iso.datetime();
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Path = z.string().regex(
  /^timeframe=[^/]+\/exchange=[^/]+\/month=\d{4}-\d{2}\/candles\.parquet$/,
);

const File = z.object({
  path: Path,
  rows: z.int().positive(),
  bytes: z.int().positive(),
  sha256: Sha256,
  series: z.int().describe("how many have candles in the archive around this month"),
  state: Sha256.describe("another one when candles of the month have changed in the archive"),
  told: Sha256.nullable().describe("another one when reasons of holes have changed"),
});

/** `_manifest.json` of the whole dataset. */
export const DatasetManifest = z.object({
  schema: z.literal(1),
  program: z.string().describe("the program that wrote it"),
  archive: z.uuid().describe("the archive that it is made of"),
  writtenAt: Time,
  numbers: z.enum(["double", "exact"]),
  choice: z.object({
    exchanges: z.array(z.string()),
    symbols: z.array(z.string()),
    timeframes: z.array(z.string()),
    since: Time.nullable(),
    until: Time.nullable(),
  }).describe("what it is made of; empty lists mean all"),
  files: z.array(File),
});

const SeriesEntry = z.object({
  symbol: z.string(),
  version: z.uuid().nullable().describe("of the month in the table changed_months"),
  candles: z.int().nonnegative(),
  first: Time.nullable(),
  last: Time.nullable(),
  covered: z.array(z.tuple([Time, Time])).describe("what the exchange has answered for; half-open"),
  holes: z.array(z.object({
    since: Time,
    until: Time,
    missing: z.int().nonnegative(),
    reason: z.string().describe(
      "a state of the account of gaps: suspected until there is a reason",
    ),
  })),
  volume: z.array(z.object({
    since: Time.nullable(),
    counts: z.enum(["base", "quote", "contracts"]).nullable(),
    contractSize: z.number().nullable(),
    kind: z.string().nullable(),
  })).describe("what the column volume counts, since when"),
});

/** `_candles.json` beside each file. */
export const MonthManifest = z.object({
  schema: z.literal(1),
  archive: z.uuid(),
  timeframe: z.string(),
  exchange: z.string(),
  month: z.string().regex(/^\d{4}-\d{2}$/),
  numbers: z.enum(["double", "exact"]),
  writtenAt: Time,
  file: File,
  series: z.array(SeriesEntry),
});

export type DatasetManifest = z.infer<typeof DatasetManifest>;
export type MonthManifest = z.infer<typeof MonthManifest>;
export type DatasetFileEntry = z.infer<typeof File>;
export type SeriesEntry = z.infer<typeof SeriesEntry>;

/** The path of a month's file. */
export function monthPath(
  { timeframe, exchange, month }: Pick<MonthManifest, "timeframe" | "exchange" | "month">,
): string {
  return `timeframe=${timeframe}/exchange=${exchange}/month=${month}/candles.parquet`;
}

/** What a path is of; undefined for what is not a month's file. */
export function monthOfPath(
  path: string,
): Pick<MonthManifest, "timeframe" | "exchange" | "month"> | undefined {
  if (!Path.safeParse(path).success) return undefined;
  const [timeframe, exchange, month] = path.split("/").map((part) => part.split("=")[1]);
  return { timeframe: timeframe!, exchange: exchange!, month: month! };
}

/** The path of what is told of a month's file. */
export function besidePath(path: string): string {
  return path.replace(/candles\.parquet$/, "_candles.json");
}

/** The path of what was told of a month's file, kept until it is told of the one that takes its place. */
export function formerPath(path: string): string {
  return path.replace(/candles\.parquet$/, "_former.json");
}

/** The path of what is told beside, by that of what was told before; undefined for what is not that. */
export function besideOfFormer(path: string): string | undefined {
  const beside = path.replace(/\/_former\.json$/, "/_candles.json");
  return beside === path ? undefined : beside;
}

const REMEDY = "Bring it back from a copy, or give another place";

/** @throws Error when it is not such a manifest, or one of a later version. */
export function parseManifest(bytes: Uint8Array, name: string): DatasetManifest {
  const fail = (why: string, cause?: unknown): never => {
    throw new Error(`Cannot read ${name}: ${why}`, { cause });
  };
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    return fail(`it is not JSON: ${errorText(error)}. ${REMEDY}`, error);
  }
  const { schema } = (json ?? {}) as { schema?: unknown };
  if (typeof schema === "number" && schema > 1) {
    return fail("a later titan10 has written it. Use that one");
  }
  const parsed = DatasetManifest.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return fail(`${issue?.path.join(".")}: ${issue?.message}. ${REMEDY}`);
  }
  return parsed.data;
}

/** The manifest of a month; undefined where none can be read, and the month is to be written. */
export function parseMonth(bytes: Uint8Array): MonthManifest | undefined {
  try {
    return MonthManifest.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}

/** JSON with one entry of its list a line, so that changes can be looked at line by line. */
export function manifestBytes(
  { list, ...head }: { readonly list: "files" | "series" } & Readonly<Record<string, unknown>>,
): Uint8Array<ArrayBuffer> {
  const { [list]: entries, ...rest } = head;
  const lines = (entries as readonly unknown[]).map((entry) => JSON.stringify(entry)).join(",\n");
  const opening = JSON.stringify(rest, null, 1).replace(/\n\}$/, "");
  return new TextEncoder().encode(`${opening},\n ${JSON.stringify(list)}: [\n${lines}\n]}\n`);
}

export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
