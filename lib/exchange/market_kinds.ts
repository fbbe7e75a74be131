/** The kinds of markets that an exchange's class in CCXT can load one by one: spot, perpetuals, futures. @module */
import { marketSymbol } from "../market/price.ts";
import type { Call } from "./call.ts";
import type { CcxtExchange, CcxtMarket } from "./ccxt.ts";
import type { MarketList } from "./market_list.ts";

/** Markets that one call loads. What fails for one kind does not fail for another. */
export interface MarketKind {
  /** `linear markets`, as the class calls them; `markets` if no other kind is loaded. */
  readonly title: string;
  /** Whether no other kind is loaded. */
  readonly isAlone: boolean;
  readonly isSpot: boolean;
  /** Whether a market with this symbol would be of this kind, as far as the symbol says. */
  has(symbol: string): boolean;
  /** Loads its markets, of the same exchange. */
  load(): Promise<readonly CcxtMarket[]>;
}

/** Takes the kind that was loaded, the `Date` header of its answer, and how many of its entries cannot be read. */
export type OnLoaded = (kind: MarketKind, call: Pick<Call, "dateMs" | "oddEntries">) => void;

/** How markets are loaded kind by kind. */
export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /** A list whose markets stay in use for kinds that could not be loaded. */
  readonly previous?: MarketList | undefined;
  /** Called when a kind was loaded. */
  readonly onLoaded?: OnLoaded | undefined;
  /**
   * Calls `load`, maybe more than once, or throws. Resolves to false to go on without the markets of this kind.
   *
   * @default calls it once
   */
  readonly each?: (
    kind: MarketKind,
    load: (signal: AbortSignal | undefined) => Promise<true>,
  ) => Promise<boolean>;
}

/** Classes whose `fetchMarkets` takes an answer for the kind that is usual at its position: alone, a kind would be lost. */
const READ_BY_POSITION: ReadonlySet<string> = new Set(["bitrue", "zebpay"]);

/** How a class of CCXT can be told to load only some kinds. */
interface Separation {
  readonly names: readonly string[];
  load(name: string): Promise<readonly CcxtMarket[]>;
}

/** Stands for all spot markets. */
export const ANY_SPOT = "BASE/QUOTE";

/** Names of methods that load one kind each: mexc, bingx, poloniex and coinex call them from `fetchMarkets`. */
const METHOD =
  /^fetch(Spot|Swap|InverseSwap|LinearSwap|Contract|Future|SwapAndFuture|Option)Markets$/;

/**
 * The kinds that `symbols` need, in the order of the class; all of them if none fits, or if the user has chosen them by
 * `options.fetchMarkets`. A class that cannot separate its kinds has one, `all`.
 */
export function marketKinds(
  ccxt: CcxtExchange,
  { symbols = [ANY_SPOT], config = {} }: {
    /** @default spot markets only */
    readonly symbols?: readonly string[] | undefined;
    /** What the user has given to CCXT's constructor. */
    readonly config?: Readonly<Record<string, unknown>> | undefined;
  } = {},
): readonly MarketKind[] {
  const separation = separationOf(ccxt);
  if (separation === undefined) {
    const load = (): Promise<readonly CcxtMarket[]> => ccxt.fetchMarkets();
    return [{ title: "markets", isAlone: true, isSpot: true, has: () => true, load }];
  }
  const { names } = separation;
  const kinds = names.filter((name) => !isRepeated(name, names)).map((name) => ({
    title: `${name} markets`,
    isSpot: name === "spot",
    has: (symbol: string) => mayBeOf(name, symbol, names),
    load: () => separation.load(name),
  }));
  const given = config["options"] as Readonly<Record<string, unknown>> | undefined;
  const fitting = kinds.filter(({ has }) => symbols.some(has));
  const isAll = fitting.length === 0 || given?.["fetchMarkets"] !== undefined;
  const needed = isAll ? kinds : fitting;
  return needed.map((kind, _at, { length }) => ({
    ...kind,
    ...(length === 1 ? { title: "markets" } : {}),
    isAlone: length === 1,
  }));
}

/** Loads kinds one after the other. A kind that is given up keeps its `known` markets. */
export async function loadKinds(
  kinds: readonly MarketKind[],
  { load, known = {}, signal, each = (_kind, load) => load(signal) }:
    & Omit<LoadOptions, "previous" | "onLoaded">
    & {
      readonly load: (
        kind: MarketKind,
        signal: AbortSignal | undefined,
      ) => Promise<readonly CcxtMarket[]>;
      readonly known: Readonly<Record<string, CcxtMarket>> | undefined;
    },
): Promise<readonly CcxtMarket[]> {
  let markets: readonly CcxtMarket[] = [];
  for (const kind of kinds) {
    const isLoaded = await each(kind, async (signal) => {
      markets = markets.concat(await load(kind, signal));
      return true;
    });
    if (isLoaded) continue;
    markets = markets.concat(Object.values(known).filter(({ symbol }) => kind.has(symbol)));
  }
  return markets;
}

/** KuCoin's class has three names for the same call. */
function isRepeated(name: string, names: readonly string[]): boolean {
  return names.includes("contract") && (name === "swap" || name === "future");
}

function separationOf(ccxt: CcxtExchange): Separation | undefined {
  if (READ_BY_POSITION.has(ccxt.id)) return undefined;
  const given = ccxt.options["fetchMarkets"] as { readonly types?: unknown } | undefined;
  const types = given?.types;
  const loadTypes = async (only: unknown): Promise<readonly CcxtMarket[]> => {
    ccxt.options["fetchMarkets"] = { ...given, types: only };
    try {
      return await ccxt.fetchMarkets();
    } finally {
      ccxt.options["fetchMarkets"] = given;
    }
  };
  if (Array.isArray(types) && types.every((name) => typeof name === "string")) {
    return { names: types, load: (name) => loadTypes([name]) };
  }
  const flags = Object.entries(types ?? {});
  if (flags.length > 0 && flags.every(([, flag]) => typeof flag === "boolean")) {
    const names = flags.filter(([, flag]) => flag).map(([name]) => name);
    return { names, load: (name) => loadTypes({ [name]: true }) };
  }
  const methods = methodsOf(ccxt);
  if (methods.length < 2) return undefined;
  const names = new Map(methods.map((method) => [kindName(method), method]));
  return {
    names: [...names.keys()],
    load: (name) => loadAlone(ccxt, { method: names.get(name), methods }),
  };
}

function methodsOf(ccxt: CcxtExchange): readonly string[] {
  const methods = new Set<string>();
  for (
    let proto = Object.getPrototypeOf(ccxt);
    proto !== null;
    proto = Object.getPrototypeOf(proto)
  ) {
    for (const name of Object.getOwnPropertyNames(proto)) if (METHOD.test(name)) methods.add(name);
  }
  return [...methods];
}

/** `fetchSpotMarkets` → `spot` */
function kindName(method: string): string {
  return (METHOD.exec(method)?.[1] ?? "").replace(/^./, (first) => first.toLowerCase());
}

/** Lets `fetchMarkets` call one of its methods, and answers for the others with nothing. */
async function loadAlone(
  ccxt: CcxtExchange,
  { method, methods }: { readonly method: string | undefined; readonly methods: readonly string[] },
): Promise<readonly CcxtMarket[]> {
  const own = ccxt as unknown as Record<string, unknown>;
  const others = methods.filter((name) => name !== method);
  for (const name of others) own[name] = () => Promise.resolve([]);
  try {
    return await ccxt.fetchMarkets();
  } finally {
    for (const name of others) delete own[name];
  }
}

/** CCXT's symbol: base, quote, settle, expiry, and what makes it an option. */
const SYMBOL = /^(.+)\/([^/:]+)(?::([^-]+)(?:-(\d+)(-.+-[CP])?)?)?$/;

/** Whether a symbol may be of the kind that a class calls `name`. `names` are all its kinds. */
function mayBeOf(name: string, symbol: string, names: readonly string[]): boolean {
  const [, base, quote, settle, expiry, option] = SYMBOL.exec(marketSymbol(symbol)) ?? [];
  if (name === "spot") return settle === undefined;
  if (settle === undefined) return false;
  if (name === "option") return option !== undefined;
  if (option !== undefined) return false;
  switch (name) {
    case "linear":
    case "linearSwap":
      return settle !== base;
    case "inverse":
    case "inverseSwap":
      return settle !== quote;
    case "swap":
      // Of a class that has no kind for them, futures come with the swaps.
      return expiry === undefined || !names.includes("future");
    case "future":
      return expiry !== undefined;
    default:
      return true;
  }
}
