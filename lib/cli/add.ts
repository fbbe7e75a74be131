/** `titan10 add`: archives further symbols of exchanges from now on. @module */
import type { Command } from "@commander-js/extra-typings";
import { readConfig } from "../config/config.ts";
import { type NamedSymbol, withSymbols } from "../config/symbol_change.ts";
import { SETTINGS } from "../config/variables.ts";
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import { askReload } from "./ask_reload.ts";
import {
  changedFileOf,
  keepChange,
  type ListChange,
  readNamedSymbol,
  tellVariables,
  variablesToSet,
} from "./changed_settings.ts";
import { readLacking } from "./listed_symbols.ts";
import { addSettingFlags, type Flags, readGround, readSources } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";

const HELP = `
Adds the symbol to the list of its exchange in titan10.yaml, and adds the
exchange if the file does not have it. Comments and order are kept. First the
exchange is asked whether it lists the symbol. A running daemon reads the file
again at once. With --timeframes the exchange is also polled in these.`;

/** Adds the command's options and its action. */
export function makeAdd(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .argument("<symbols...>", "exchange and symbol: binance:SOL/USDT")
    .option(
      "--timeframes <list>",
      "also poll the exchange in these timeframes: 1m,1h",
      (text) => text.split(",").map((item) => item.trim()),
    )
    .addHelpText("after", HELP);
  addSettingFlags(command as unknown as Command, [
    "TITAN10_CONFIG",
    "DATA_DIR",
    "HTTP_HOST",
    "HTTP_PORT",
    "LOG_LEVEL",
  ]);
  command.action((texts, { timeframes = [], ...flags }) =>
    perform(() => add(shell, flags as Flags, { texts, timeframes, command }))
  );
}

interface Asked {
  readonly texts: readonly string[];
  readonly timeframes: readonly string[];
  readonly command: { error(message: string, options: { exitCode: number }): never };
}

/** @throws ConfigError when the settings cannot be used, before or after. */
async function add(
  shell: Shell,
  flags: Flags,
  { texts, timeframes, command }: Asked,
): Promise<ExitCode> {
  const all = await readSources(shell, flags);
  const asked = texts.map((text) => {
    const named = readNamedSymbol(text, all.rules.knownExchanges);
    return typeof named === "string"
      ? command.error(`error: ${named}`, { exitCode: EXIT.usage })
      : named;
  });
  const file = changedFileOf(all);
  if (file === undefined) {
    const lines = variablesToSet(all, changesFor(asked, timeframes));
    if (lines.length > 0) {
      tellVariables(shell, texts.map(printable).join(" "), lines);
      return EXIT.failed;
    }
    shell.print(`${texts.map(printable).join(", ")}: archived already.`);
    return EXIT.done;
  }
  const change = withSymbols(file, asked, timeframes);
  if (change.text === file.text) {
    await keepChange(shell, all, change);
    return EXIT.done;
  }
  const config = readConfig({ ...all.sources, file: file.read(change.text) }, all.rules);
  const ground = await readGround(shell, flags, {
    logLevelDefault: "error",
    keepsPermissions: true,
  });
  const lacking: string[] = [];
  for (const [exchange, group] of Map.groupBy(asked, (one) => one.exchange)) {
    const symbols = group.map(({ symbol }) => symbol);
    try {
      const found = await readLacking(ground, { exchange, symbols, config, signal: shell.signal });
      for (const sentence of found) lacking.push(sentence);
    } catch (error) {
      if (shell.signal.aborted) throw error;
      shell.tell(
        printable(
          `Cannot find out whether ${exchange} lists ${symbols.join(", ")}: ${errorText(error)}`,
        ),
      );
    }
  }
  if (lacking.length > 0) {
    for (const sentence of lacking) shell.tell(`${printable(sentence)}.`);
    shell.tell("Nothing was changed.");
    return EXIT.failed;
  }
  await keepChange(shell, all, change);
  return await askReload(ground, shell, { mayBeStopped: true });
}

/** What would have to be said by variables. */
function changesFor(
  asked: readonly NamedSymbol[],
  timeframes: readonly string[],
): readonly ListChange[] {
  const united = (more: readonly string[]) => (items: readonly string[]): readonly string[] => [
    ...new Set([
      ...items.filter((item) => !more.includes(item.replace(/^!/, "")) || !item.startsWith("!")),
      ...more,
    ]),
  ];
  return [
    { name: SETTINGS.exchanges.name, change: united(asked.map(({ exchange }) => exchange)) },
    { name: SETTINGS.symbols.name, change: united(asked.map(({ symbol }) => symbol)) },
    { name: SETTINGS.timeframes.name, change: united(timeframes) },
  ];
}
