/** What the program says and ends with when its configuration cannot be used. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openFolderShell } from "../support/folder_shell.ts";

interface BadConfiguration {
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** The text of `.env`. */
  readonly dotenv?: string;
  /** The bytes of `titan10.yaml`. */
  readonly file?: Uint8Array;
  /** @default titan10.yaml */
  readonly fileName?: string;
  readonly says: RegExp;
}

const BAD: Readonly<Record<string, BadConfiguration>> = {
  "EXCHANGES=binanec: says the nearest": {
    env: { EXCHANGES: "binanec" },
    says: /EXCHANGES="binanec": expected CCXT exchange ids .*did you mean binance\?/,
  },
  "EXCHANGES=toString: a name of every object is no exchange": {
    env: { EXCHANGES: "toString" },
    says: /EXCHANGES="toString": expected CCXT exchange ids/,
  },
  "EXCHANGES=../../main: a path is no exchange": {
    env: { EXCHANGES: "../../main" },
    says: /EXCHANGES="\.\.\/\.\.\/main": expected CCXT exchange ids/,
  },
  "a thousand and one symbols: says how many may be": {
    env: { SYMBOLS: Array.from({ length: 1001 }, (_, index) => `X${index}/USDT`).join(",") },
    says: /SYMBOLS=".{80}…": expected at most 1000 items/,
  },
  "two symbols without a comma: refused": {
    env: { SYMBOLS: "BTC/USDT ETH/USDT" },
    says: /SYMBOLS=.*: expected unified symbols such as BTC\/USDT/,
  },
  "a symbol that moves the cursor: refused, shown harmless": {
    env: { SYMBOLS: "BTC\x1b[2J/USDT" },
    says: /SYMBOLS="BTC\\x1b\[2J\/USDT"/,
  },
  "a variable of a megabyte: refused, shown in part": {
    env: { HTTP_HOST: "h".repeat(1_000_000) },
    says: /HTTP_HOST="h{80}…": expected a host name/,
  },
  "HTTP_TOKEN=short: says what makes one, and not the token": {
    env: { HTTP_TOKEN: "hunter2" },
    says: /HTTP_TOKEN="\*\*\*": expected 16 to 512 letters, .*openssl rand -hex 32/,
  },
  "DATABASE_URL with sslmode=prefer: says what there is": {
    env: { DATABASE_URL: "postgres://u:hunter2@h/db?sslmode=prefer" },
    says: /DATABASE_URL="postgres:\/\/\*\*\*": expected sslmode=disable, require, verify-ca or/,
  },
  "EXCHANGE_KRAKEN nested a hundred thousand deep: refused, no overflow": {
    env: { EXCHANGE_KRAKEN: "[".repeat(100_000) },
    says: /EXCHANGE_KRAKEN="\*\*\*": expected a JSON object in one line/,
  },
  "EXCHANGE_KRAKEN with a comment in its JSON: refused, not shown": {
    env: { EXCHANGE_KRAKEN: '{"secret":"hunter2"} // mine' },
    says: /EXCHANGE_KRAKEN="\*\*\*": expected a JSON object/,
  },
  "EXCHANGE_KRAKEN with a proxy that cannot be used: named with its option, not shown": {
    env: { EXCHANGE_KRAKEN: '{"socksProxy":"socks4://me:hunter2@h","apikey":"hunter2"}' },
    says: /EXCHANGE_KRAKEN="\*\*\*": expected "socksProxy" to be a URL .*; did you mean apiKey\?$/m,
  },
  "EXCHANGE_KRAKEN that would have CCXT print its keys: refused": {
    env: { EXCHANGE_KRAKEN: '{"apiKey":"hunter2","verbose":true}' },
    says: /EXCHANGE_KRAKEN="\*\*\*": expected "verbose" to be false/,
  },
  "a bad value in .env: named as one of the environment is": {
    dotenv: "LOG_LEVEL=loud\n",
    says: /LOG_LEVEL="loud": expected one of trace/,
  },
  "a .env of binary: what it says by chance counts for nothing": {
    dotenv: "\x00\x01\ufffdLOG\x00_LEVEL=loud\nHTTP_PORT=none\n",
    says: /^Cannot use this configuration:\n {2}HTTP_PORT="none": expected a whole number[^\n]*$/,
  },
  "a .env with a quotation that never ends: its value is refused": {
    dotenv: 'HTTP_PORT="9464\nLOG_LEVEL=info\n',
    says: /HTTP_PORT="/,
  },
  "a titan10.yaml of the working directory with two faults: both with their places": {
    file: new TextEncoder().encode(
      "exchanges:\n  krakn:\n  okx: { options: { secret: hunter2 } }\n",
    ),
    says: new RegExp(
      '^Cannot use this configuration:\n {2}titan10.yaml:2:3 exchanges="krakn": expected a CCXT ' +
        'exchange id; did you mean kraken\\?\n {2}titan10.yaml:3:29 exchanges.okx.options="\\*\\*\\*"',
    ),
  },
  "a titan10.yaml that is no text: says so": {
    file: Uint8Array.of(0xff, 0xfe, 0x00),
    says: /TITAN10_CONFIG="titan10.yaml": expected the path of a file .*; it is not text in UTF-8$/,
  },
  "a titan10.yml, which would not be read: said": {
    file: new TextEncoder().encode("exchanges: { okx: }\n"),
    fileName: "titan10.yml",
    says: /TITAN10_CONFIG="titan10.yml": expected titan10.yaml to be its name, or TITAN10_CONFIG/,
  },
  "--config with a file that is not there: said, whatever titan10.yaml says": {
    flags: ["--config", "other.yaml"],
    file: new TextEncoder().encode("exchanges: { okx: }\n"),
    says: /TITAN10_CONFIG="other.yaml": expected the path of a file of settings; there is none$/,
  },
  "TITAN10_CONFIG with a directory: said": {
    env: { TITAN10_CONFIG: "." },
    says:
      /TITAN10_CONFIG=".": expected the path of a file of settings; it is no file of at most 4 MB$/,
  },
  "a bad flag: named as its variable is": {
    flags: ["--page-limit", "many"],
    says: /PAGE_LIMIT="many": expected a whole number from 1 to 10000/,
  },
  "a flag without a value: says so": {
    flags: ["--page-limit"],
    says: /option '--page-limit <value>' argument missing/,
  },
};

Deno.test("every configuration that cannot be used ends with 2, and a sentence", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-test-" });
  const shell = openFolderShell(folder);
  try {
    for (
      const [name, { env = {}, flags = [], dotenv, file, fileName, says }] of Object.entries(BAD)
    ) {
      await t.step(name, async () => {
        await Deno.writeTextFile(join(folder, ".env"), dotenv ?? "");
        const path = join(folder, fileName ?? "titan10.yaml");
        await Deno.writeFile(path, file ?? new Uint8Array());
        const { code, stdout, stderr } = await shell.run(["status", ...flags], env);
        assert.equal(code, 2, stderr);
        assert.equal(stdout, "");
        assert.match(stderr, says);
        assert.doesNotMatch(stderr, /hunter2/);
        assert.doesNotMatch(stderr.replaceAll("\n", ""), /\p{Cc}/u);
        assert(stderr.length < 2_000, `${stderr.length} characters`);
        await Deno.remove(path);
      });
    }
  } finally {
    await shell.close();
    await Deno.remove(folder, { recursive: true });
  }
});
