/** Makes `.env.example` from the table of settings. Run by itself, it writes the file anew. @module */
import { wrap } from "../../lib/cli/text.ts";
import { fileVariable, type Variable } from "../../lib/config/variable.ts";
import { VARIABLES } from "../../lib/config/variables.ts";
import { TESTED_EXCHANGES } from "./tested_exchanges.ts";

/** The file, of which {@linkcode envExample} is the text. */
export const ENV_EXAMPLE = new URL("../../.env.example", import.meta.url);

/** Lines that show how something is written, where the default would not. */
const EXAMPLES: Readonly<Record<string, string>> = {
  DATABASE_URL: "postgres://titan10:password@localhost:5432/titan10",
  EXCHANGES: TESTED_EXCHANGES.join(","),
};

/** What else some exchanges' options are good for, each with lines that show it. */
const EXCHANGE_OPTIONS: readonly (readonly [text: string, ...lines: string[]])[] = [
  [
    "A proxy for one exchange, because the exchange refuses your country or counts requests by " +
    "address. One of httpProxy, httpsProxy (either carries http and https, the latter by " +
    "CONNECT), socksProxy (socks5:// or socks5h://) and proxyUrl (a prefix, as below). It is used " +
    "instead of the prefix below. Percent-encode special characters in the password. Hosts in " +
    "NO_PROXY of the environment are reached without it.",
    `EXCHANGE_BINANCE='{"httpsProxy":"http://user:password@proxy.example:3128"}'`,
    `EXCHANGE_BYBIT='{"socksProxy":"socks5h://user:password@proxy.example:1080"}'`,
  ],
  [
    "An API key for one exchange. Candles need none, and none of the twenty above sends one by " +
    "itself: a key is sent only if the class is told to sign, as below, or as a header that you " +
    "name. It helps where an exchange limits requests by account. Give it permission to read, and " +
    "no other. Write line breaks in a secret as \\n.",
    `EXCHANGE_COINBASE='{"apiKey":"…","secret":"…","options":{"fetchOHLCV":{"usePrivate":true}}}'`,
    `EXCHANGE_MEXC='{"headers":{"X-MEXC-APIKEY":"…"}}'`,
  ],
];

const HEAD =
  "Titan-10 reads this file as `.env` from the directory in which it is started. Lines " +
  "show the default unless they say otherwise; remove the `#` to change one. Environment " +
  "variables override this file, command line flags override both, and an empty value means the " +
  "default.";

const UNITS = "Durations need a unit: ms s m h d w, such as 30s or 1h30m. Reaches follow the " +
  "calendar: h d w mo y, such as 7d, 18mo, 5y. All times are UTC.";

const COLUMNS = 102;

/** Every setting with its meaning, what is allowed, and its default. */
export function envExample(): string {
  const groups = [...Map.groupBy(VARIABLES, ({ group }) => group)].flatMap(([group, variables]) => [
    `# --- ${group} `.padEnd(COLUMNS, "-"),
    ...variables.flatMap(blocksOf),
  ]);
  return [`${comment(HEAD)}\n#\n${comment(UNITS)}`, ...groups].join("\n\n") + "\n";
}

function blocksOf(variable: Variable): readonly string[] {
  const { name, meaning, details, secret } = variable;
  const text = [
    meaning,
    ...(details === undefined ? [] : [details]),
    ...(secret === true ? [`Or ${fileVariable(name)} names a file that holds it.`] : []),
  ].join(" ");
  const line = `# ${name}=${EXAMPLES[name] ?? variable.default ?? ""}`;
  const block = [comment(text), comment(`Allowed: ${allowedOf(variable)}.`), line].join("\n");
  if (name !== "EXCHANGE_<ID>") return [block];
  const others = EXCHANGE_OPTIONS.map(([text, ...lines]) =>
    [comment(text), ...lines.map((line) => `# ${line}`)].join("\n")
  );
  return [block, ...others];
}

/** As the program says it of a text that no setting takes. */
function allowedOf({ name, read }: Variable): string {
  const rules = { knownExchanges: TESTED_EXCHANGES, isCron: () => false };
  const message = read(rules).safeParse("\0").error?.issues[0]?.message;
  if (message === undefined) throw new Error(`${name} takes any text`);
  return message;
}

function comment(text: string): string {
  return wrap(text, COLUMNS - 2).map((line) => `# ${line}`).join("\n");
}

if (import.meta.main) await Deno.writeTextFile(ENV_EXAMPLE, envExample());
