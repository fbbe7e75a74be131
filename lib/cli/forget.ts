/** `titan10 forget`: ends the archiving of symbols on purpose, and deletes what there is of them if asked to. @module */
import type { Command } from "@commander-js/extra-typings";
import { readConfig } from "../config/config.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import { type NamedSymbol, withoutSymbol } from "../config/symbol_change.ts";
import { mayBeArchived, mayBeChosen } from "../config/symbols.ts";
import { SETTINGS } from "../config/variables.ts";
import { forgottenEvent } from "../archive/event_log.ts";
import type { Ground } from "../daemon/open_archive.ts";
import { nominalMs, parseTimeframe } from "../market/timeframe.ts";
import type { ForgetAnswer } from "../serve/routes.ts";
import type { Status } from "../serve/status.ts";
import { holdsDatabase } from "../store/connection/data_dir.ts";
import { readWanting } from "../store/lease_holders.ts";
import { forgetSymbol, readForgettable } from "../store/forget.ts";
import { printable } from "../text/printable.ts";
import { askReload } from "./ask_reload.ts";
import {
  changedFileOf,
  keepChange,
  readNamedSymbol,
  tellVariables,
  variablesToSet,
} from "./changed_settings.ts";
import { askDaemon, tellDaemon } from "./control.ts";
import { addSettingFlags, type Flags, readGround, readSources, type Sources } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { count, wrap } from "./text.ts";
import { withArchive } from "./with_archive.ts";

const HELP = `
Removes the symbol from the list of its exchange in titan10.yaml or, if a
pattern or top:N chooses it, excludes it with "!SOL/USDT". Comments and order
are kept. A running daemon reads the file again at once and stops fetching the
symbol. Its candles are kept. --delete deletes them with everything stored about
them: what the exchange no longer keeps cannot be fetched again.`;

/** Adds the command's options and its action. */
export function makeForget(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .argument("<symbols...>", "exchange and symbol: binance:SOL/USDT")
    .option("--delete", "also delete their candles and everything stored about them")
    .option("--yes", "delete without asking")
    .addHelpText("after", HELP);
  addSettingFlags(command as unknown as Command, [
    "TITAN10_CONFIG",
    "DATA_DIR",
    "HTTP_HOST",
    "HTTP_PORT",
    "LOG_LEVEL",
  ]);
  command.action((texts, { delete: deletes = false, yes = false, ...flags }) =>
    perform(() => forget(shell, flags as Flags, { texts, deletes, isAgreed: yes, command }))
  );
}

interface Asked {
  readonly texts: readonly string[];
  readonly deletes: boolean;
  readonly isAgreed: boolean;
  readonly command: { error(message: string, options: { exitCode: number }): never };
}

/** @throws ConfigError when the settings cannot be used, before or after. */
async function forget(
  shell: Shell,
  flags: Flags,
  { texts, deletes, isAgreed, command }: Asked,
): Promise<ExitCode> {
  const all = await readSources(shell, flags);
  const asked = texts.map((text) => {
    const named = readNamedSymbol(text, all.rules.knownExchanges);
    return typeof named === "string"
      ? command.error(`error: ${named}`, { exitCode: EXIT.usage })
      : named;
  });
  const file = changedFileOf(all);
  if (file === undefined && !isForgotten(shell, all, { texts, asked })) return EXIT.failed;
  const told: string[] = [];
  let text = file?.text ?? "";
  for (const one of file === undefined ? [] : asked) {
    const change = withoutSymbol({ ...file!, text }, one);
    text = change.text;
    for (const sentence of change.told) told.push(sentence);
  }
  const ground = await readGround(shell, flags, {
    logLevelDefault: "error",
    keepsPermissions: true,
  });
  const held = deletes ? await readHeld(ground, asked) : [];
  if (deletes && !isAgreed && held.length > 0 && !await isConfirmed(shell, held)) {
    return EXIT.failed;
  }
  if (file !== undefined) await keepChange(shell, all, { text, told });
  // Also where nothing was changed: a daemon may not have read the file since somebody else changed it.
  if (deletes || text !== (file?.text ?? "")) {
    const exit = await askReload(ground, shell, { mayBeStopped: true });
    if (exit !== EXIT.done) {
      if (deletes) shell.tell("Nothing was deleted.");
      return exit;
    }
  }
  if (!deletes) return EXIT.done;
  if (held.length === 0) shell.print("There is nothing to delete.");
  for (const one of held) {
    const nodes = await stillWanting(ground, shell, one);
    if (nodes.length === 0) continue;
    const text =
      `Cannot delete ${nameOf(one)}: it is still archived by ${
        nodes.join(", ")
      }. Take it out of the ` +
      "settings there, run titan10 reload, then repeat this command. Nothing was deleted.";
    shell.tell(wrap(printable(text), shell.columns).join("\n"));
    return EXIT.failed;
  }
  for (const one of held) {
    const deleted = await deleteSymbol(ground, one);
    shell.print(printable(`${nameOf(one)}: ${count(deleted)} candles deleted.`));
  }
  return EXIT.done;
}

/** Whether variables do not ask for the symbols any more. Else tells which to change. */
function isForgotten(
  shell: Shell,
  all: Sources,
  { texts, asked }: { readonly texts: readonly string[]; readonly asked: readonly NamedSymbol[] },
): boolean {
  const config = readConfig(all.sources, all.rules);
  const wanted = asked.filter(({ exchange, symbol }) => {
    const { symbols } = settingsOf(config, exchange);
    return config.exchanges.includes(exchange) && mayBeArchived(symbols, symbol);
  });
  if (wanted.length === 0) {
    for (const one of asked) shell.print(printable(`${nameOf(one)} is not archived.`));
    return true;
  }
  const { symbols } = config.everywhere;
  const gone = wanted.map(({ symbol }) => symbol);
  const lines = variablesToSet(all, [{
    name: SETTINGS.symbols.name,
    change: (items) => [
      ...items.filter((item) => !gone.includes(item)),
      ...gone.filter((symbol) => mayBeChosen(symbols, symbol)).map((symbol) => `!${symbol}`),
    ],
  }]);
  tellVariables(shell, texts.map(printable).join(" "), lines);
  return false;
}

/** What the archive has of a symbol. */
interface HeldSymbol extends NamedSymbol {
  readonly timeframes: readonly string[];
  readonly candles: number;
}

interface HeldSeries extends NamedSymbol {
  readonly timeframe: string;
  readonly candles: number;
}

async function readHeld(
  ground: Ground,
  asked: readonly NamedSymbol[],
): Promise<readonly HeldSymbol[]> {
  const { databaseUrl, dataDir } = ground.config;
  if (databaseUrl === undefined && !await holdsDatabase(dataDir)) return [];
  const series = await withArchive<readonly HeldSeries[]>(ground, {
    here: async (database) => {
      const all = await Promise.all(asked.map((one) => readForgettable(database, one)));
      return all.flat().map(({ series: { timeframe, ...names }, candles }) => ({
        ...names,
        timeframe: timeframe.text,
        candles,
      }));
    },
    daemon: async () => (await askDaemon(dataDir, "/status") as Status).series,
  });
  return asked.flatMap((one) => {
    const own = series.filter(({ exchange, symbol }) =>
      exchange === one.exchange && symbol === one.symbol
    );
    const candles = own.reduce((sum, { candles }) => sum + candles, 0);
    const lengthMs = (text: string): number => nominalMs(parseTimeframe(text));
    const timeframes = own.map(({ timeframe }) => timeframe)
      .sort((one, other) => lengthMs(one) - lengthMs(other));
    return own.length === 0 ? [] : [{ ...one, timeframes, candles }];
  });
}

/** Asks the user. Without a terminal nobody can agree. */
async function isConfirmed(shell: Shell, held: readonly HeldSymbol[]): Promise<boolean> {
  const parts = held.map((one) =>
    `${count(one.candles)} candles of ${nameOf(one)} (${one.timeframes.join(", ")})`
  );
  const what = printable(parts.join(" and "));
  if (shell.ask === undefined) {
    shell.tell(
      `This would delete ${what}. Repeat the command with --yes to delete. Nothing was changed.`,
    );
    return false;
  }
  const answer = await shell.ask(`Delete ${what}, and everything stored about them? [y/N] `);
  if (/^y(?:es)?$/i.test(answer)) return true;
  shell.tell("Nothing was changed.");
  return false;
}

/** How long a node may take to say that it wants a symbol no more. */
const TOLD_MS_MAX = 10_000;
export const LOOK_MS = 250;

/** Which nodes still want a symbol, once those that were told have had time for it: they would fetch all of it again. */
async function stillWanting(
  ground: Ground,
  { clock, signal }: Shell,
  one: NamedSymbol,
): Promise<readonly string[]> {
  // The embedded database has one process.
  if (ground.config.databaseUrl === undefined) return [];
  return await withArchive(ground, {
    mustExist: true,
    here: async (database) => {
      for (let waitedMs = 0;; waitedMs += LOOK_MS) {
        const nodes = await readWanting(database, one);
        if (nodes.length === 0 || waitedMs >= TOLD_MS_MAX) return nodes;
        await clock.sleep(LOOK_MS, { signal });
      }
    },
    daemon: () => Promise.resolve([]),
  });
}

/** Deletes here, or lets the daemon do it that holds the database. Returns how many candles that were. */
async function deleteSymbol(
  ground: Ground,
  { exchange, symbol }: NamedSymbol,
): Promise<number> {
  return await withArchive(ground, {
    mustExist: true,
    here: async (database) => {
      const deleted = await forgetSymbol(database, { exchange, symbol });
      ground.events?.note(forgottenEvent({ exchange, symbol }, deleted));
      return deleted;
    },
    daemon: async () => {
      const told = await tellDaemon(ground.config.dataDir, "/forget", { exchange, symbol });
      const answer = told as ForgetAnswer;
      if ("refused" in answer) throw new Error(answer.refused);
      return answer.deleted;
    },
  });
}

function nameOf({ exchange, symbol }: NamedSymbol): string {
  return `${exchange} ${symbol}`;
}
