/** Finds out where a file is from, by what the user says or by its head and its name together, and what its name says. @module */
import { classesOf } from "../exchange/ancestry.ts";
import { marketSymbol, type Price, pricedSymbol, priceOf } from "../market/price.ts";
import type { Series } from "../market/series.ts";
import { symbolOf, timeframeOf } from "../market/market_name.ts";
import { namesSymbol } from "../market/instrument.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import { printable } from "../text/printable.ts";
import type { FirstLine } from "./file_head.ts";
import type { LineFile } from "./file_lines.ts";
import { type NameTemplate, withoutEnding } from "./name_template.ts";
import { exchangeNamed } from "./presets/exchange_name.ts";
import type { Layout, Preset, SourceNames } from "./presets/preset.ts";
import { otherContent, presetOf, PRESETS } from "./presets/presets.ts";

/** What a file's name says, as far as it leaves no doubt. */
export interface FileNames {
  readonly exchange: string | undefined;
  /** A unified symbol. */
  readonly symbol: string | undefined;
  /** The market, as the name has it. */
  readonly market: string | undefined;
  readonly timeframe: string | undefined;
  readonly price: Price | undefined;
  readonly kind: SymbolKind | "contract" | undefined;
  /** How far its times without a zone are ahead of UTC. Milliseconds. */
  readonly zoneMs: number | undefined;
  /** When all its candles open, by its date. Milliseconds. */
  readonly span: { readonly sinceMs: number; readonly untilMs: number } | undefined;
}

export interface FileSource {
  readonly preset: Preset | undefined;
  readonly isAsked: boolean;
  /** Where it may be from, when several are possible. */
  readonly candidates: readonly string[];
  readonly names: FileNames;
}

interface SourceOptions {
  readonly exchange?: string | undefined;
  readonly symbol?: string | undefined;
  readonly preset?: string | undefined;
  readonly nameTemplate?: NameTemplate | undefined;
}

/**
 * The source of a file.
 *
 * @throws Error when the file's name contradicts what the user says.
 */
export function readSource(file: LineFile, first: FirstLine, options: SourceOptions): FileSource {
  const other = options.nameTemplate === undefined
    ? otherContent(withoutEnding(file.name))
    : undefined;
  if (other !== undefined) {
    throw new Error(
      `Cannot read ${printable(file.path)}: by its name it holds ${other}, and no candles. ` +
        "If the name is wrong, --name '{any}' leaves names of files aside",
    );
  }
  const asked = options.preset === undefined ? undefined : presetOf(options.preset);
  if (
    asked?.exchange !== undefined && options.exchange !== undefined &&
    !isOf(options.exchange, asked.exchange)
  ) {
    throw new Error(
      `Cannot read ${
        printable(file.path)
      }: the preset ${asked.name} is of files of ${asked.exchange}, ` +
        `not of ${printable(options.exchange)}. Leave --preset out, or --exchange`,
    );
  }
  const found = asked === undefined ? detect(file, first, options) : [asked];
  const preset = found.length === 1 ? found[0] : undefined;
  const said = options.nameTemplate === undefined
    ? preset && namesIn(preset, file.name)
    : options.nameTemplate.read(file.name);
  return {
    preset,
    isAsked: asked !== undefined,
    candidates: found.map(({ name }) => name),
    names: understand(file, preset, said),
  };
}

/** The layouts of rows without names that a preset has for a file. */
export function layoutsOf(
  preset: Preset,
  { width, kind }: { readonly width: number; readonly kind: SymbolKind | undefined },
): readonly Layout[] {
  return (preset.layouts ?? []).filter(({ columns, kinds }) =>
    columns.length === width && (kind === undefined || kinds === undefined || kinds.includes(kind))
  );
}

/** The presets whose head, or whose name and columns, the file has. */
function detect(
  file: LineFile,
  first: FirstLine,
  { exchange, symbol, nameTemplate }: SourceOptions,
): readonly Preset[] {
  const head = first.fields.join(",").toLowerCase();
  const kind = symbol === undefined ? undefined : kindOf(symbol);
  const found = PRESETS.filter((preset) => {
    if (
      exchange !== undefined && preset.exchange !== undefined && !isOf(exchange, preset.exchange)
    ) return false;
    const hasHead = first.hasNames && (preset.heads?.some((one) => one.test(head)) ?? false);
    if (hasHead) return true;
    const name = nameTemplate === undefined ? ownName(preset, file.name) : undefined;
    if (name === undefined) return false;
    const pathKind = kindInPath(preset, file.path);
    if (pathKind !== undefined && preset.kinds !== undefined && !fitsKind(preset.kinds, pathKind)) {
      return false;
    }
    return first.hasNames
      ? preset.namedHead?.test(head) === true
      : layoutsOf(preset, { width: first.fields.length, kind }).length > 0;
  });
  // What is said last decides only between several: one alone is contradicted by a symbol of another kind.
  return found.length === 1 || kind === undefined
    ? found
    : found.filter(({ kinds }) => kinds?.includes(kind) !== false);
}

function ownName(preset: Preset, name: string): SourceNames | undefined {
  const form = preset.fileNames?.find(({ form, isOwn }) => isOwn && form.test(withoutEnding(name)));
  return form && { ...form.form.exec(withoutEnding(name))!.groups };
}

function namesIn(preset: Preset, name: string): SourceNames | undefined {
  for (const { form, price, kind, zoneMs } of preset.fileNames ?? []) {
    const found = form.exec(withoutEnding(name));
    if (found !== null) return { ...found.groups, price, kind, zoneMs };
  }
  return undefined;
}

function understand(
  file: LineFile,
  preset: Preset | undefined,
  said: SourceNames | undefined,
): FileNames {
  const market = said?.base === undefined ? said?.symbol : `${said.base}/${said.quote}`;
  const kind = (preset && kindInPath(preset, file.path)) ?? said?.kind;
  const kinds = kind !== undefined
    ? KINDS_OF[kind]
    // Of a template the user knows what it names.
    : preset?.kinds ??
      (preset === undefined || preset.isPlainSpot === true ? undefined : ALL_KINDS);
  const price = said?.price ?? (preset && priceInPath(preset, file.path));
  const symbol = market === undefined ? undefined : symbolOf(market, { ...preset, kinds });
  const frame = said?.timeframe;
  return {
    exchange: said?.exchange === undefined ? undefined : exchangeNamed(said.exchange),
    market,
    symbol: symbol === undefined || price === undefined ? symbol : pricedSymbol(symbol, price),
    timeframe: frame === undefined ? undefined : (preset?.timeframe ?? timeframeOf)(frame),
    price,
    kind,
    zoneMs: said?.zoneMs,
    span: said?.date === undefined || preset?.hasUtcDates !== true ? undefined : spanOf(said.date),
  };
}

/** Why a file's name is of another series; undefined if it is not. */
export function nameContradiction(
  { names, preset }: FileSource,
  series: Series,
  knownExchanges: readonly string[],
): string | undefined {
  const { symbol } = series;
  const kind = kindOf(symbol);
  if (preset?.kinds?.includes(kind) === false) {
    return `${symbol} is a symbol of ${KIND_WORDS[kind]}, and files of ${preset.name} are of ${
      preset.kinds.map((one) => KIND_WORDS[one]).join(" or ")
    }. Give the symbol of one of those with --symbol, such as ${
      preset.kinds.includes("spot") ? "BTC/USDT" : "BTC/USDT:USDT"
    }, or leave --preset out`;
  }
  if (names.timeframe !== undefined && names.timeframe !== series.timeframe.text) {
    return `the file's name says ${names.timeframe}`;
  }
  if (
    names.exchange !== undefined && knownExchanges.includes(names.exchange) &&
    !isOf(series.exchange, names.exchange) && !isOf(names.exchange, series.exchange)
  ) {
    return `the file's name says ${names.exchange}`;
  }
  if (names.price !== undefined && names.price !== priceOf(symbol)) {
    return `the file is of the ${names.price} price: its symbol ends with @${names.price}`;
  }
  if (names.kind !== undefined && !fitsKind([kindOf(symbol)], names.kind)) {
    return `the file's folder or name says ${names.kind}`;
  }
  const { market } = names;
  if (market === undefined) return undefined;
  const isNamed = namesSymbol(market, symbol) ||
    (names.symbol !== undefined && marketSymbol(names.symbol) === marketSymbol(symbol)) ||
    // Of contracts, several sources write the same name as of the spot market.
    (kindOf(symbol) !== "spot" && namesSymbol(market.replaceAll(/[-_/]/g, ""), symbol)) ||
    (preset?.coins !== undefined &&
      symbolOf(market, { ...preset, kinds: [kindOf(symbol)] }) === symbol);
  return isNamed ? undefined : `the file's name says ${market}`;
}

/** Whether an exchange's class is another's, or inherits from it; ids of one exchange's several APIs are one. */
function isOf(exchange: string, id: string): boolean {
  const plain = (one: string): string => one === "coinbaseexchange" ? "coinbase" : one;
  return classesOf(exchange).map(plain).includes(plain(id));
}

const KIND_WORDS = {
  spot: "a spot market",
  linear: "linear contracts",
  inverse: "inverse contracts",
} as const;

type PathKind = SymbolKind | "contract";
const ALL_KINDS = ["spot", "linear", "inverse"] as const;
const KINDS_OF: Readonly<Record<PathKind, readonly SymbolKind[]>> = {
  spot: ["spot"],
  linear: ["linear"],
  inverse: ["inverse"],
  contract: ["linear", "inverse"],
};

function fitsKind(kinds: readonly SymbolKind[], wanted: PathKind): boolean {
  return KINDS_OF[wanted].some((one) => kinds.includes(one));
}

function kindInPath({ folders = [] }: Preset, path: string): PathKind | undefined {
  return folders.find(({ form }) => form.test(path))?.kind;
}

function priceInPath({ folders = [] }: Preset, path: string): Price | undefined {
  return folders.find(({ form, price }) => price !== undefined && form.test(path))?.price;
}

/** A year, a month or a day by UTC. */
function spanOf(date: string): FileNames["span"] {
  const [, y, m, d] = /^(\d{4})-?(\d\d)?-?(\d\d)?$/.exec(date) ?? [];
  if (y === undefined) return undefined;
  const [year, month, day] = [Number(y), Number(m ?? 1) - 1, Number(d ?? 1)];
  return {
    sinceMs: Date.UTC(year, month, day),
    untilMs: d !== undefined
      ? Date.UTC(year, month, day + 1)
      : m !== undefined
      ? Date.UTC(year, month + 1)
      : Date.UTC(year + 1, 0),
  };
}
