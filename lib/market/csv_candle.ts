/** Parses candles in CSV: finds the columns by their names. @module */

import { priceOf } from "./price.ts";

/** The position of each column, from 0. */
export interface CsvColumns {
  readonly exchange: number | undefined;
  /** Columns that name the instrument. */
  readonly instrument: readonly number[];
  /** Columns that name a part of it, or something else that a file of one series has once. */
  readonly constant: readonly number[];
  /** Among `constant`: the coins of which one is traded for the other. */
  readonly base: number | undefined;
  readonly quote: number | undefined;
  readonly timeframe: number | undefined;
  readonly time: number;
  /** The time of day, where `time` is only the date. */
  readonly clock: number | undefined;
  /** Positions of open, high, low, close and volume; -1 is a volume that the file need not have. */
  readonly values: readonly number[];
  /** Other columns that may hold what was traded, in another unit. */
  readonly turnovers: readonly number[];
  /** Among them: those that are said to be in the quote currency. */
  readonly quoteVolumes?: readonly number[] | undefined;
  /** Columns that count trades or ticks: whole numbers. */
  readonly counts?: readonly number[] | undefined;
  readonly closeTime: number | undefined;
  /** Further columns that may tell the same time. */
  readonly otherTimes?: readonly number[] | undefined;
  /** Says whether the candle has closed. */
  readonly confirm: number | undefined;
  /** Says whether the candle came over a stream, and was not confirmed yet: titan10's own. */
  readonly provisional?: number | undefined;
  /** How many fields each row has. */
  readonly width: number;
  /** Whether `titan10 export` wrote them: the volume is what is stored, whatever it counts. */
  readonly isOwn?: boolean | undefined;
}

/** Known column names, in lower case and without marks; earlier ones win. */
const NAMES = {
  exchange: ["exchange", "exchangeid", "exchangename", "venue"],
  base: ["base", "basecurrency", "baseasset", "coin", "asset"],
  quote: ["quote", "quotecurrency", "quoteasset"],
  timeframe: ["timeframe", "interval", "resolution", "granularity"],
  time: [
    "opentime",
    "timeopen",
    "opentimestamp",
    "starttime",
    "startat",
    "start",
    "candletime",
    "candledatetimeutc",
    "timeperiodstart",
    "windowstart",
    "periodstart",
    "unix",
    "unixtimestamp",
    "timestamp",
    "timestampms",
    "ts",
    "time",
    "datetime",
    "date",
    "id",
  ],
  open: ["open", "openprice", "o"],
  high: ["high", "highprice", "h"],
  low: ["low", "lowprice", "l"],
  close: ["close", "closeprice", "c"],
  closeTime: [
    "closetime",
    "timeclose",
    "closetimestamp",
    "endtime",
    "endat",
    "timeperiodend",
    "periodend",
  ],
  confirm: [
    "confirm",
    "confirmed",
    "isclosed",
    "closed",
    "isfinal",
    "final",
    "iscomplete",
    "complete",
  ],
  provisional: ["provisional"],
} as const;

const INSTRUMENT = new Set([
  ...["symbol", "symbolid", "symbolname", "ticker", "pair", "currencypair", "tradingpair"],
  ...["instrument", "instrumentname", "instrumentid", "instid", "market", "marketid"],
  ...["product", "productid", "contract", "contractname", "contractcode"],
]);
const CONSTANT = new Set([
  ...NAMES.base,
  ...NAMES.quote,
  ...["currency", "name"],
  ...["code", "underlying", "expiry", "expiration", "expirydate", "settle", "type", "category"],
  ...["contracttype", "pricetype", "kind", "period", "delivery", "deliverydate", "strike"],
  ...["assetid", "coinid", "markettype", "instrumenttype", "producttype"],
]);

/**
 * Finds the columns by their names.
 *
 * @param symbol Its base tells `Volume BTC` from `Volume USDT`.
 * @param timeIs With `close`, a time of close is enough.
 * @throws Error when a column is missing, or two have one name.
 */
export function readColumns(
  fields: readonly string[],
  symbol: string | undefined,
  timeIs: "open" | "close" = "open",
): CsvColumns {
  const head = fields.map(plainName);
  const find = (wanted: keyof typeof NAMES): number | undefined =>
    NAMES[wanted].map((name) => only(head, name)).find((at) => at !== undefined);
  const need = (wanted: string, at: number | undefined): number => {
    if (at !== undefined) return at;
    const hint = wanted === "time" && find("closeTime") !== undefined
      ? ". If candles are to be found by when they close: --time-is close"
      : "";
    throw new Error(
      `the first line has no column ${wanted}, only ${
        fields.slice(0, 20).map((name) => name.trim()).join(", ").slice(0, 200)
      }. Name the columns with --columns${hint}`,
    );
  };
  // The index of a table has no name.
  const open = find("time") ?? (head[0] === "" ? 0 : undefined);
  const named = need("time", open ?? (timeIs === "close" ? find("closeTime") : undefined));
  const date = head[named] === "time" ? only(head, "date") : undefined;
  const own = ownVolume(fields);
  const { volume, turnovers } = own ?? volumeColumns(head, symbol);
  return {
    exchange: find("exchange"),
    instrument: head.flatMap((name, at) => INSTRUMENT.has(name) ? [at] : []),
    constant: head.flatMap((name, at) => CONSTANT.has(name) ? [at] : []),
    base: find("base"),
    quote: find("quote"),
    timeframe: find("timeframe"),
    time: date ?? named,
    clock: date === undefined ? undefined : named,
    values: [
      need("open", find("open")),
      need("high", find("high")),
      need("low", find("low")),
      need("close", find("close")),
      // Nobody trades a mark price: its candles have no volume.
      volume ?? (priceOf(symbol ?? "") === "trade" ? need("volume", undefined) : -1),
    ],
    turnovers,
    quoteVolumes: turnovers.filter((at) => isQuoteName(head[at]!, symbol)),
    counts: head.flatMap((name, at) => COUNT.test(name) ? [at] : []),
    closeTime: open === undefined ? undefined : find("closeTime"),
    otherTimes: head.flatMap((name, at) =>
      at !== named && at !== date && OTHER_TIMES.has(name) ? [at] : []
    ),
    confirm: find("confirm"),
    provisional: find("provisional"),
    width: fields.length,
    isOwn: own !== undefined,
  };
}

/** Not `id`, which mostly counts rows. */
const OTHER_TIMES = new Set<string>([
  ...NAMES.time.filter((name) => name !== "id"),
  ...["utc", "timeutc", "dateutc", "datetimeutc", "timestamputc", "opentimeutc", "timegmt"],
]);

const COUNT =
  /^(?:trades?(?:count)?|tradescount|count|numberoftrades|ntrades|transactions|tickvol|ticks)$/;

function isQuoteName(name: string, symbol: string | undefined): boolean {
  const quote = plainName(/\/([^:@]+)/.exec(symbol ?? "")?.[1] ?? "");
  return /quote|turnover/.test(name) ||
    (quote !== "" && (name === `volume${quote}` || name === `vol${quote}`));
}

/** The names that a guard needs, whatever names the user gives: another instrument stays another instrument. */
export function isGuardName(name: string): boolean {
  const plain = plainName(name);
  return INSTRUMENT.has(plain) || CONSTANT.has(plain) ||
    [
      ...NAMES.exchange,
      ...NAMES.timeframe,
      ...NAMES.closeTime,
      ...NAMES.confirm,
      ...NAMES.provisional,
    ]
      .some((known) => known === plain);
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_<>()[\]./"'#-]+/g, "");
}

function only(head: readonly string[], name: string): number | undefined {
  const at = head.indexOf(name);
  if (at < 0) return undefined;
  if (head.lastIndexOf(name) === at) return at;
  throw new Error(
    `two columns are named ${name}: the file holds several instruments. ` +
      "Name the columns of one with --columns, and a - for each of the others",
  );
}

/**
 * What `titan10 export` writes of one exchange: the volume as it is stored, in whatever unit, and behind it the base volume,
 * which is worked out anew. Undefined of other files.
 */
function ownVolume(
  fields: readonly string[],
): { readonly volume: number; readonly turnovers: readonly number[] } | undefined {
  const volume = fields.indexOf("volume");
  const isOwn = volume >= 0 && fields[volume + 1] === "volume_base" && fields.includes("exchange");
  return isOwn ? { volume, turnovers: [] } : undefined;
}

/** The column of the volume, and then all that may hold the same in another unit. */
function volumeColumns(
  head: readonly string[],
  symbol: string | undefined,
): { readonly volume: number | undefined; readonly turnovers: readonly number[] } {
  const base = plainName(symbol?.split("/")[0] ?? "");
  const names = [
    // OKX: `vol` of a contract counts contracts, `vol_ccy` the base. CCXT takes the same two.
    ...(symbol?.includes(":") === true && head.includes("volquote") ? ["volccy"] : []),
    ...(base === "" ? [] : [`volume${base}`, `vol${base}`]),
    ...["basevolume", "volumebase", "baseassetvolume", "volbase", "volumefrom", "volume", "vol"],
    ...["v", "amount"],
  ];
  const volume = names.map((name) => only(head, name)).find((at) => at !== undefined);
  const turnovers = head.flatMap((name, at) =>
    at !== volume && /vol|turnover|amount|value/.test(name) &&
      !/tick|taker|buy|sell|count/.test(name)
      ? [at]
      : []
  );
  return { volume, turnovers };
}

/** With a tab for the spaces between fields; those in quotation marks stay. */
function tabbed(line: string): string {
  return line.includes('"')
    ? line.replaceAll(/("(?:[^"]|"")*")| +/g, (_, quoted?: string) => quoted ?? "\t")
    : line.replaceAll(/ +/g, "\t");
}

/** The separator of a line: comma, semicolon, tab or `|`, whichever is the most frequent. */
export function readSeparator(line: string): string {
  const counts = [",", ";", "\t", "|"].map((mark) => ({ mark, times: line.split(mark).length }));
  return counts.sort((a, b) => b.times - a.times)[0]!.mark;
}

/**
 * The fields of a line (RFC 4180). A quoted field cannot span several lines. Several spaces separate like one.
 *
 * @param options.max How many fields from the first are needed: others may be left out.
 */
export function csvFields(
  line: string,
  separator: string,
  { max }: { readonly max?: number | undefined } = {},
): readonly string[] {
  if (separator === " ") return csvFields(tabbed(line.trim()), "\t");
  if (!line.includes('"')) return line.split(separator, max);
  const fields: string[] = [];
  for (let at = 0; at <= line.length;) {
    const quoted = line[at] === '"' ? /^"((?:[^"]|"")*)"/.exec(line.slice(at)) : null;
    const begin = at + (quoted?.[0].length ?? 0);
    const next = line.indexOf(separator, begin);
    const end = next < 0 ? line.length : next;
    fields.push((quoted?.[1]?.replaceAll('""', '"') ?? "") + line.slice(begin, end));
    at = end + 1;
  }
  return fields;
}
