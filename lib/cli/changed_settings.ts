/** What `titan10 add` and `titan10 forget` share: the symbols they are given, and the file or variables that they change. @module */
import { settingsInForce } from "../config/config.ts";
import { replaceText } from "../config/file_replacement.ts";
import { didYouMean } from "../config/setting.ts";
import type { ChangedFile, NamedSymbol } from "../config/symbol_change.ts";
import type { VariableName } from "../config/variables.ts";
import { isSymbol } from "../market/symbol.ts";
import { isSymbolPattern } from "../market/symbol_pattern.ts";
import { nearest } from "../text/nearest.ts";
import { printable } from "../text/printable.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Sources } from "./settings.ts";
import type { Shell } from "./shell.ts";

/** Reads `binance:SOL/USDT`. Returns a sentence about one that is none. */
export function readNamedSymbol(
  text: string,
  knownExchanges: readonly string[],
): NamedSymbol | string {
  const [, exchange = "", symbol = ""] = /^([^:]*):(.*)$/.exec(text) ?? [];
  const shown = printable(text);
  if (!isSymbol(symbol) || isSymbolPattern(symbol)) {
    return `${shown} is not an exchange and a symbol, such as binance:SOL/USDT`;
  }
  if (knownExchanges.includes(exchange)) return { exchange, symbol };
  return `${printable(exchange)} of ${shown} is not a CCXT exchange id${
    didYouMean(nearest(exchange, knownExchanges))
  }`;
}

/** The file of settings as it can be changed; undefined where there are only variables. */
export function changedFileOf({ sources, rules, settingsFile }: Sources): ChangedFile | undefined {
  const { path, text, read } = settingsFile;
  return text === undefined ? undefined : { path: printable(path), text, sources, rules, read };
}

/** Puts the new text in the place of the old one, if it is another one, and tells what that means. */
export async function keepChange(
  shell: Shell,
  { settingsFile: { path, text: before = "" } }: Sources,
  { text: after, told }: { readonly text: string; readonly told: readonly string[] },
): Promise<void> {
  if (after !== before) await replaceText(path, { before, after });
  for (const sentence of told) shell.print(printable(sentence));
}

/** A variable, and what its list must become. */
export interface ListChange {
  readonly name: VariableName;
  /** Makes the items from those in force. */
  readonly change: (items: readonly string[]) => readonly string[];
}

/** Which lines of `.env` to change, where there is no file that could be changed; empty when nothing is to change. */
export function variablesToSet(
  { sources }: Sources,
  changes: readonly ListChange[],
): readonly string[] {
  const inForce = settingsInForce(sources);
  return changes.flatMap(({ name, change }) => {
    const { text = "", from = "" } = inForce.get(name) ?? {};
    const before = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
    const after = change(before);
    if (after.length === before.length && after.every((item) => before.includes(item))) return [];
    const where = from === "environment" ? "in the environment" : "in .env";
    return [`  ${name}=${shellWord(printable(after.join(",")))} ${where}`];
  });
}

/** Tells which variables to set instead. */
export function tellVariables(shell: Shell, name: string, lines: readonly string[]): void {
  shell.tell([
    `There is no ${SETTINGS_FILE} here: variables say what is archived, of all exchanges alike. ` +
    "Nothing was changed. Set",
    ...lines,
    `and run titan10 reload, or make a file by titan10 init and run this again for ${name}`,
  ].join("\n"));
}

const SETTINGS_FILE = "titan10.yaml";
