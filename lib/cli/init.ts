/** `titan10 init`: writes a file of settings to begin with. @module */
import { dirname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { readConfig, settingsInForce } from "../config/config.ts";
import { schemaText } from "../config/file_schema.ts";
import { SETTINGS } from "../config/variables.ts";
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import { addSettingFlags, type Flags, readSources } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";

const SCHEMA_FILE = "titan10.schema.json";

/** What a beginner can run as it is. A test asks the classes of CCXT whether it is true. */
const FIRST_SETTINGS = `# yaml-language-server: $schema=${SCHEMA_FILE}
#
# What Titan-10 archives. After a change: titan10 config check, then titan10 reload where it runs.
# docs/configuration.md tells all that this file may say. Other settings are variables, in .env.

# What all exchanges share.
defaults:
  # What is polled. 1m is a minute, 1M a month.
  timeframes: [1m, 1d]
  # How far back each timeframe reaches: a length of time, or since a day, such as 2017-01-01..
  backfill: { 1m: 7d, 1d: 5y }

# The exchanges, by CCXT's ids. titan10 add and titan10 forget change their lists of symbols.
exchanges:
  binance:
    # Also patterns such as "*/FDUSD", top:20 for those traded most, and "!…" for what is left out.
    # "BTC/USDT:USDT" is a perpetual, "BTC/USDT:USDT@mark" its mark price, and top:20:USDT:linear
    # chooses the perpetuals that are traded most. Their funding rates come with them.
    symbols: [BTC/USDT, ETH/USDT]
  kraken:
    symbols: [BTC/USD, ETH/USD]
    # Of each timeframe Kraken gives its newest 720 candles, and none that are older.
    backfill: { 1m: 11h, 1d: 700d }
`;

const HELP = `
It names two exchanges with two symbols each and tells what can be changed. A
file that is there is never overwritten. Nothing is asked. Beside it comes
${SCHEMA_FILE}, by which editors complete and check it.`;

/** Adds the command's options and its action. */
export function makeInit(command: Command, shell: Shell, perform: Perform): void {
  addSettingFlags(command.addHelpText("after", HELP), [SETTINGS.configFile.name]);
  command.action((flags: unknown) => perform(() => init(shell, flags as Flags)));
}

/** @throws ConfigError when other settings could not be used beside the new file. */
async function init(shell: Shell, flags: Flags): Promise<ExitCode> {
  const { sources, rules, settingsFile } = await readSources(shell, flags, { mayLackFile: true });
  const { path, text, read } = settingsFile;
  const name = printable(path);
  const file = read(FIRST_SETTINGS);
  const all = { ...sources, file };
  if (text === undefined) readConfig(all, rules);
  try {
    await Deno.writeTextFile(path, FIRST_SETTINGS, { createNew: true });
  } catch (error) {
    const isThere = error instanceof Deno.errors.AlreadyExists;
    shell.tell(
      isThere
        ? `${name} is there already, and stays as it is. Change it by titan10 add and titan10 ` +
          "forget, or name another file by --config"
        : `Cannot write ${name}: ${errorText(error)}. Name another file by --config`,
    );
    return EXIT.failed;
  }
  const schema = join(dirname(path), SCHEMA_FILE);
  await Deno.writeTextFile(schema, schemaText(rules), { createNew: true }).catch((error) => {
    if (error instanceof Deno.errors.AlreadyExists) return;
    shell.tell(`Cannot write ${printable(schema)}, which only editors read: ${errorText(error)}`);
  });
  shell.print(`${name} was written. Check it, then run: titan10 run`);
  const { text: exchanges = "", from = "" } = settingsInForce(all).get(SETTINGS.exchanges.name) ??
    {};
  const wanted = [...file.own.keys()];
  const others = exchanges.split(",").map((id) => id.trim());
  if (wanted.length !== others.length || wanted.some((id) => !others.includes(id))) {
    shell.tell(
      `${SETTINGS.exchanges.name}=${printable(exchanges)} (${from}) says which exchanges are ` +
        `archived, whatever ${name} names. Take it out to archive ${wanted.join(" and ")}`,
    );
  }
  return EXIT.done;
}
