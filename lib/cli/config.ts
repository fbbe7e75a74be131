/** `titan10 config`: prints which settings are in force and where each comes from; checks them; prints the schema. @module */
import { readConfig, settingsInForce } from "../config/config.ts";
import { schemaText } from "../config/file_schema.ts";
import { SETTINGS, VARIABLES } from "../config/variables.ts";
import { printable } from "../text/printable.ts";
import { redact, REDACTED } from "../text/redact.ts";
import { type Flags, readSources } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { table } from "./text.ts";

/** One setting, as it is shown. */
interface ShownSetting {
  readonly variable: string;
  /** Null when it is unset. */
  readonly value: string | null;
  readonly from: string;
}

/** The document of `--json`. */
interface SettingsDocument {
  readonly exchanges: readonly {
    readonly exchange: string;
    readonly settings: readonly ShownSetting[];
  }[];
  /** Those that are not of single exchanges. */
  readonly settings: readonly ShownSetting[];
}

/** What can differ between exchanges. */
const OF_EXCHANGES: readonly string[] = [
  SETTINGS.symbols.name,
  SETTINGS.timeframes.name,
  SETTINGS.backfill.name,
  SETTINGS.pageLimit.name,
  SETTINGS.retention.name,
  SETTINGS.live.name,
  SETTINGS.funding.name,
  SETTINGS.history.name,
];

/** @throws ConfigError when the settings cannot be used. */
export async function config(
  shell: Shell,
  flags: Flags,
  what: "check" | undefined,
): Promise<ExitCode> {
  const { sources, rules } = await readSources(shell, flags);
  if (flags["schema"] === true) {
    shell.print(schemaText(rules));
    return EXIT.done;
  }
  const read = readConfig(sources, rules);
  if (what === "check") {
    shell.print(`The settings can be used: ${read.exchanges.join(", ")}.`);
    return EXIT.done;
  }
  const shown = (
    exchange: string | undefined,
    names: readonly string[],
  ): readonly ShownSetting[] => {
    const all = settingsInForce(sources, exchange);
    return names.map((variable) => {
      const { text, from } = all.get(variable) ?? { text: null, from: "default" };
      const value = text !== null && SECRET.test(variable) ? REDACTED : text;
      return { variable, value: value && redact(value), from };
    });
  };
  const document: SettingsDocument = {
    exchanges: read.exchanges.map((exchange) => ({
      exchange,
      settings: shown(exchange, [...OF_EXCHANGES, `${OPTIONS}${exchange.toUpperCase()}`]),
    })),
    settings: shown(
      undefined,
      VARIABLES.map(({ name }) => name).filter((name) =>
        !OF_EXCHANGES.includes(name) && name !== SETTINGS.exchangeOptions.name
      ),
    ),
  };
  shell.print(flags["json"] === true ? JSON.stringify(document) : render(document));
  return EXIT.done;
}

/** A value that is never shown. */
const SECRET = new RegExp(
  `^(?:${
    VARIABLES.filter(({ secret }) => secret).map(({ name }) => name.replace("<ID>", ".*")).join("|")
  })$`,
);

const OPTIONS = SETTINGS.exchangeOptions.name.replace("<ID>", "");

function render({ exchanges, settings }: SettingsDocument): string {
  const blocks = exchanges.map(({ exchange, settings }) => `${exchange}\n${tableOf(settings)}`);
  return [...blocks, `all exchanges\n${tableOf(settings)}`].join("\n\n");
}

function tableOf(settings: readonly ShownSetting[]): string {
  const rows = settings.map(({ variable, value, from }) => [
    `  ${variable}`,
    value === null ? "–" : printable(value),
    printable(from),
  ]);
  return table(["  SETTING", "VALUE", "FROM"], rows, { columns: Infinity });
}
