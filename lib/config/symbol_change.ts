/** Adds symbols to a file of settings, and takes them out, so that nothing else of what is in force changes. @module */
import { fitsPattern, isSymbolPattern } from "../market/symbol_pattern.ts";
import {
  type Config,
  type ConfigSources,
  type FileSettings,
  readConfig,
  settingsInForce,
} from "./config.ts";
import { type ExchangeSettings, settingsOf } from "./exchange_settings.ts";
import { isExcluded, mayBeArchived, mayBeChosen, type Symbols } from "./symbols.ts";
import type { ConfigRules } from "./variable.ts";
import { SETTINGS } from "./variables.ts";
import { withoutValue, withValue } from "./yaml_edit.ts";

/** A symbol of an exchange, as a user names it. */
export interface NamedSymbol {
  readonly exchange: string;
  readonly symbol: string;
}

/** A file of settings, and what it is read with. */
export interface ChangedFile {
  /** As the user named it. */
  readonly path: string;
  readonly text: string;
  /** All other sources. */
  readonly sources: Omit<ConfigSources, "file">;
  readonly rules: ConfigRules;
  /** Reads such a text. */
  readonly read: (text: string) => FileSettings;
}

/** What has become of the text, in words, one sentence each. The text is the same when nothing was to change. */
interface Change {
  readonly text: string;
  readonly told: readonly string[];
}

/**
 * Adds symbols to their exchanges, which are archived from then on, and timeframes to all symbols of these exchanges.
 *
 * @throws ConfigError when the file cannot be used, before or after; Error when something else than the file decides. Both
 * say what to do.
 */
export function withSymbols(
  file: ChangedFile,
  asked: readonly NamedSymbol[],
  timeframes: readonly string[] = [],
): Change {
  const told: string[] = [];
  let { text } = file;
  for (const one of asked) {
    const change = withSymbol({ ...file, text }, one);
    text = change.text;
    for (const sentence of change.told) told.push(sentence);
  }
  for (const exchange of new Set(timeframes.length === 0 ? [] : asked.map((one) => one.exchange))) {
    const isNew = stateOf(file, exchange).settings === undefined;
    const change = withTimeframes({ ...file, text }, exchange, { timeframes, isNew });
    text = change.text;
    for (const sentence of change.told) told.push(sentence);
  }
  stateOf({ ...file, text }, asked[0]?.exchange ?? "");
  return { text, told };
}

/**
 * Takes a symbol out: it is not asked for any more, whatever has chosen it.
 *
 * @throws as {@linkcode withSymbols} does.
 */
export function withoutSymbol(file: ChangedFile, { exchange, symbol }: NamedSymbol): Change {
  const { settings, config, own } = stateOf(file, exchange);
  const name = `${exchange} ${symbol}`;
  if (settings === undefined || !mayBeArchived(settings.symbols, symbol)) {
    return { text: file.text, told: [`${name} is not archived.`] };
  }
  const left = itemsOf(file, exchange).filter((item) => item !== symbol);
  const wanted = mayBeChosen(settings.symbols, symbol) ? [...left, `!${symbol}`] : left;
  if (wanted.some((item) => !item.startsWith("!"))) {
    const text = withItems(file, exchange, wanted);
    return {
      text,
      told: [`${name} is not archived any more.`, ...listTold(own, exchange, wanted)],
    };
  }
  // An exchange without symbols has no place in the file.
  const others = config.exchanges.filter((id) => id !== exchange);
  if (others.length === 0) {
    throw new Error(`Cannot forget ${name}: nothing else is archived. Add another symbol first`);
  }
  const text = own.has(exchange)
    ? own.size === 1 ? file.text : withoutValue(file.text, ["exchanges", exchange])
    : withExchanges(file, others);
  const after = stateOf({ ...file, text }, exchange);
  if (after.settings !== undefined) {
    throw new Error(
      `Cannot forget ${name}, the only symbol of ${exchange}: ${EXCHANGES} (${after.from}) names that exchange. ` +
        "Remove it there",
    );
  }
  return {
    text,
    told: [
      `${name} was the only symbol of ${exchange} and is removed with it: the exchange is not archived any more.`,
    ],
  };
}

const EXCHANGES = SETTINGS.exchanges.name;

function withSymbol(file: ChangedFile, { exchange, symbol }: NamedSymbol): Change {
  const { settings, own } = stateOf(file, exchange);
  const name = `${exchange} ${symbol}`;
  if (settings !== undefined && isChosen(settings.symbols, symbol)) {
    return { text: file.text, told: [`${name} is archived already.`] };
  }
  const items = settings === undefined && !own.has(exchange) ? [] : itemsOf(file, exchange);
  const by = items.find((item) =>
    item.startsWith("!") && item !== `!${symbol}` && fitsPattern(symbol, item.slice(1))
  );
  if (by !== undefined) {
    throw new Error(
      `Cannot add ${name}: "${by}" of ${file.path} leaves it out. Change that line first`,
    );
  }
  const kept = items.filter((item) => item !== `!${symbol}`);
  const isThere = kept.some((item) =>
    item === symbol || (isSymbolPattern(item) && fitsPattern(symbol, item))
  );
  const wanted = isThere ? kept : [...kept, symbol];
  const text = withItems(file, exchange, wanted);
  const after = stateOf({ ...file, text }, exchange);
  if (after.settings === undefined || !isChosen(after.settings.symbols, symbol)) {
    throw new Error(
      `Cannot add ${name}: ${EXCHANGES} (${after.from}) says which exchanges are archived. Add ${exchange} there`,
    );
  }
  return { text, told: [`${name} is archived from now on.`, ...listTold(own, exchange, wanted)] };
}

function withTimeframes(
  file: ChangedFile,
  exchange: string,
  { timeframes, isNew }: { readonly timeframes: readonly string[]; readonly isNew: boolean },
): Change {
  const { settings, own } = stateOf(file, exchange);
  const [before, reaches] = [settings?.timeframes ?? [], settings?.backfill ?? []];
  const wanted = isNew ? timeframes : [...new Set([...before, ...timeframes])];
  if (!isNew && wanted.length === before.length) return { text: file.text, told: [] };
  let text = withValue(file.text, ["exchanges", exchange, "timeframes"], wanted);
  const said = own.get(exchange) ?? {};
  const isShared = said[SETTINGS.timeframes.name] === undefined &&
    said[SETTINGS.backfill.name] === undefined;
  // An entry with timeframes takes only the shared reaches of these: the others are written into it.
  if (!isNew && isShared && reaches.some(({ timeframe }) => !wanted.includes(timeframe))) {
    const entries = reaches.map(({ timeframe, reach }) => [timeframe, reach.text]);
    text = withValue(text, ["exchanges", exchange, "backfill"], Object.fromEntries(entries));
  }
  return { text, told: [`All symbols of ${exchange} are now polled in ${wanted.join(", ")}.`] };
}

/** What a text of the file comes to, together with all other sources. @throws ConfigError */
function stateOf({ text, sources, rules, read }: ChangedFile, exchange: string): {
  readonly config: Config;
  /** Undefined when the exchange is not archived. */
  readonly settings: ExchangeSettings | undefined;
  /** What says which exchanges are archived. */
  readonly from: string;
  readonly own: FileSettings["own"];
} {
  const file = read(text);
  const config = readConfig({ ...sources, file }, rules);
  return {
    config,
    settings: config.exchanges.includes(exchange) ? settingsOf(config, exchange) : undefined,
    from: settingsInForce({ ...sources, file }).get(EXCHANGES)?.from ?? "default",
    own: file.own,
  };
}

/** The items of the list that is in force for an exchange. */
function itemsOf({ text, sources, read }: ChangedFile, exchange: string): readonly string[] {
  const list = settingsInForce({ ...sources, file: read(text) }, exchange).get(
    SETTINGS.symbols.name,
  );
  return (list?.text ?? "").split(",").map((item) => item.trim());
}

/** Gives an exchange a list of its own. */
function withItems(file: ChangedFile, exchange: string, items: readonly string[]): string {
  const { config, from, own } = stateOf(file, exchange);
  const text = withValue(file.text, ["exchanges", exchange, "symbols"], items);
  // The first exchange that a file names would be the only one: the defaults must be named, too.
  const others = own.size > 0 || from !== "default" ? [] : config.exchanges;
  return withExchanges({ ...file, text }, others.filter((id) => id !== exchange));
}

/** Names exchanges, without settings of their own. */
function withExchanges(file: ChangedFile, exchanges: readonly string[]): string {
  return exchanges.reduce((text, id) => withValue(text, ["exchanges", id], null), file.text);
}

/** That an exchange has got a list of its own, which it shared before. */
function listTold(
  own: FileSettings["own"],
  exchange: string,
  items: readonly string[],
): readonly string[] {
  const had = own.get(exchange)?.[SETTINGS.symbols.name] !== undefined;
  return had || items.length === 1
    ? []
    : [`${exchange} has its own list now: ${items.join(", ")}.`];
}

/** Whether a symbol is named, or chosen by a pattern. */
function isChosen(symbols: Symbols, symbol: string): boolean {
  const { names, patterns } = symbols;
  return !isExcluded(symbols, symbol) &&
    (names.includes(symbol) || patterns.some((pattern) => fitsPattern(symbol, pattern)));
}
