/** That what is secret is nowhere to be read: everything fails, and everything that is said is searched. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import { spellingsOf, startEcho, startEchoDatabase, Telltale } from "../support/echo.ts";
import { run, start, withArchiveDirectory, withDirectory } from "../support/program.ts";

const PRIVATE_KEY = [
  "-----BEGIN PRIVATE KEY-----",
  "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
  "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu",
  "-----END PRIVATE KEY-----",
  "",
].join("\n");

/** Of databases: given to one command each, which its database then tells. */
const DATABASE_SECRETS = {
  "the database's password": "pa%ss/w@rd-71aa",
  "the password of psql's variable": "pgpass-72'quo\"ted",
  "the password of a passfile": "passfile-73bbccdd",
  "the password of a client's key": "clientkey-74aa bb",
  "a client's key": "/keys/client-75aa.key",
} as const;

/** Given to every process, and told by everything. */
const SECRETS = {
  "an API key": "apikey-93bbdeadbeef",
  "an API secret": "api$&ecret$1-04%24ccfeedface",
  "a passphrase": 'phräse 密码-15 "dd\'d" +/=\\n',
  "a user id": "uid-8899aabb",
  "a login": "login-91bbccdd",
  "an account": "login-91bbccdd-which-goes-on",
  "a second factor": "JBSWY3DPEHPK3PXP",
  "a private key": PRIVATE_KEY,
  "a wallet": "0x52908400098527886E0F7030069857D2E4169EE7",
  "an exchange's token": "extoken-94bbccdd",
  "a key in a header": "headerkey-95bbccdd",
  "a bearer": "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG",
  "a cookie": "sid=cookie-96bbccdd",
  "any header": "any header's, 97bbccdd",
  "a key among nested options": "nested-98bbccdd",
  "a key from a file": "fromfile-99bbccdd",
  "a key that a file refers to": "${no-reference}-53bb\nsecond-line-53",
  "a proxy's password": "proxypass-26eeabcdef",
  "a proxy's user": "session-27eeabcdef",
  "a tunnel's password": "tunnel:28ee@abcdef",
  "a proxy's token": "proxytoken-37ffabcdef",
  "the environment's proxy's password": "envproxy-29eeabcdef",
  "the webhook's path": "T0KEN-48aabbccdd",
  "the webhook's password": "hookpass-49aabbccdd",
  "the webhook's parameter": "hookkey-50aabbccdd",
  "a bot's token": "123456789:AAF-bot_51aabbccdd",
  "the HTTP token": "5f0c1e2d-3b4a-9a8b7c6d",
  "a password in .env": "dotenv-52aabbccdd",
} as const;

const ALL = { ...DATABASE_SECRETS, ...SECRETS };

const of = (name: keyof typeof ALL): string => ALL[name];
const encoded = (name: keyof typeof ALL): string => encodeURIComponent(of(name));

/** What must not be read anywhere: each secret in each spelling, and its beginning and end, for one that was cut. */
const FORBIDDEN = Object.entries(ALL).flatMap(([name, secret]) =>
  (secret === PRIVATE_KEY ? secret.split("\n").slice(1, 3) : [secret]).flatMap((part) =>
    [...spellingsOf(part), part.slice(0, 9), part.slice(-9)].map((text) => [name, text] as const)
  )
);

function assertSilent(what: string, text: string): void {
  for (const [name, spelling] of FORBIDDEN) {
    const at = text.indexOf(spelling);
    assert(at < 0, `${what} tells ${name}: ${text.slice(Math.max(0, at - 300), at + 300)}`);
  }
}

const API_KEYS = {
  apiKey: of("an API key"),
  secret: of("an API secret"),
  password: of("a passphrase"),
  uid: of("a user id"),
  login: of("a login"),
  accountId: of("an account"),
  twofa: of("a second factor"),
  privateKey: of("a private key"),
  walletAddress: of("a wallet"),
  token: of("an exchange's token"),
  headers: {
    "X-MBX-APIKEY": of("a key in a header"),
    Authorization: `Bearer ${of("a bearer")}`,
    Cookie: of("a cookie"),
    "X-Any": of("any header"),
  },
  options: { broker: { apiSecret: of("a key among nested options") } },
};

/** More would only wait for each other's processor and memory. */
const PROCESSES_MAX = 4;

/** Looks at all items, a few at a time. */
async function sideBySide<T>(
  items: readonly T[],
  look: (item: T, at: number) => Promise<void>,
): Promise<void> {
  const left = items.entries();
  await Promise.all(Array.from({ length: PROCESSES_MAX }, async () => {
    for (const [at, item] of left) await look(item, at);
  }));
}

const PROXY = `${of("a proxy's user")}:${of("a proxy's password")}`;

/** Beside the daemon, each with what its output must have, so that it was there to be searched. */
const COMMANDS: readonly (readonly string[])[] = [
  ["config"],
  ["config", "--json"],
  ["config", "check"],
  ["completions", "bash"],
  ["doctor"],
  ["doctor", "--json"],
  ["plan"],
  ["status", "--storage"],
  ["status", "--json"],
  ["gaps", "--json"],
  ["gaps", "--repair"],
  ["backfill"],
  ["migrate"],
  ["healthcheck"],
  ["alerts", "test"],
  ["query", "select * from exchanges"],
  ["query", "--csv", "select * from rejected_candles"],
  ["export", "--exchange", "binance", "--symbol", "BTC/USDT", "--timeframe", "1m"],
];

/** An exchange whose candles are what it was told in confidence: rows that are kept as evidence. */
async function startIndiscreet(
  telltale: Telltale,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const truth = await startLocalExchange({ clock: systemClock });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const answer = await fetch(truth.url + pathname + search);
      // The URL that is asked for is a part of this one's path.
      const asked = new URL(decodeURIComponent(pathname + search).replace("/proxy/", ""));
      if (asked.pathname.endsWith("/exchangeInfo")) return await withMarkets(answer);
      if (!asked.pathname.endsWith("/klines")) return answer;
      await answer.body?.cancel();
      const time = Number(asked.searchParams.get("startTime") ?? 0);
      const headers = JSON.stringify(Object.fromEntries(request.headers));
      return Response.json([
        [time, headers, "1", "1", "1", "1", time + 59_999],
        ...telltale.tell(Object.keys(SECRETS).length).map((
          text,
        ) => [time, text, "1", "1", "1", "1", time + 59_999]),
      ]);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/proxy/`,
    close: async () => {
      await server.shutdown();
      await truth.close();
    },
  };
}

/** The list with markets whose names are secrets, all of which are to be archived. */
async function withMarkets(answer: Response): Promise<Response> {
  const { symbols: [first, ...others], ...list } = await answer.json();
  const named = Object.values(SECRETS).map((secret) => ({
    ...{ ...first, symbol: `${secret}FDUSD`, baseAsset: secret, quoteAsset: "FDUSD" },
  }));
  return Response.json({ ...list, symbols: [first, ...named, ...others] });
}

Deno.test("no secret of thirty is told, whatever fails and whoever asks", (t) =>
  withArchiveDirectory(async (cwd) => {
    const telltale = new Telltale(SECRETS);
    const rows = new Telltale(SECRETS);
    const [echo, database] = [startEcho(telltale), startEchoDatabase(telltale)];
    const indiscreet = await startIndiscreet(rows);
    try {
      const env = await settings(cwd, { echo: echo.origin, indiscreet: indiscreet.url });
      await t.step("by the daemon: log, metrics, status, page", () => askDaemon(cwd, env));
      await t.step("by any column of any table", () => searchDatabase(cwd));
      await t.step("by commands whose database repeats the password", async () => {
        const query = `sslpassword=${encoded("the password of a client's key")}`;
        const url = `postgres://titan:${encoded("the database's password")}@${database.origin}/db`;
        const bare = `postgres://titan@${database.origin}/db`;
        await Deno.writeTextFile(
          `${cwd}/passfile`,
          `*:*:*:*:${of("the password of a passfile")}\n`,
        );
        const databases: readonly Readonly<Record<string, string>>[] = [
          { DATABASE_URL: `${url}?sslmode=disable` },
          { DATABASE_URL: bare, PGPASSWORD: of("the password of psql's variable") },
          { DATABASE_URL: `${bare}?passfile=${cwd}/passfile` },
          { DATABASE_URL: `${url}?${query}` },
          { DATABASE_URL: `${url}?sslkey=${encoded("a client's key")}` },
          { DATABASE_URL: `postgras://titan:${encoded("the database's password")}@h/db` },
          { DATABASE_URL: `postgres://titan:${encoded("the database's password")}@no where/db` },
          { DATABASE_URL: `http://${echo.origin}/${encoded("the database's password")}` },
        ];
        await sideBySide(databases, async (variables, at) => {
          const command = [["doctor", "--json"], ["migrate"], ["status"], ["run"]][at % 4]!;
          const all = { ...env, DATABASE_URL_FILE: "", ...variables, RETRY_MAX: "1s" };
          const { code, stdout, stderr } = await run(command, { cwd, env: all });
          assert.notEqual(code, 0, stdout + stderr);
          assertSilent(`${command.join(" ")} ${at}`, stdout + stderr);
        });
      });
      await t.step("by copy, which says that its arguments are seen", async () => {
        const to = `postgres://titan:${encoded("the database's password")}@${database.origin}/db`;
        const { stdout, stderr } = await run(["copy", "--to", to], { cwd, env });
        assert.match(stderr, /Every user of this machine can read the password in --to/);
        assert.match(stderr, /you sent .*\*\*\*/s);
        assertSilent("copy", stdout + stderr);
      });
      const untold = Object.keys(SECRETS).filter((name) => !telltale.told.has(name));
      assert.deepEqual(untold, [], "each was told by an error");
      assert.equal(rows.told.size, Object.keys(SECRETS).length, "each was told by a row");
    } finally {
      await Promise.all([echo.close(), database.close(), indiscreet.close()]);
    }
  }));

/** Five exchanges, each of which has another way to repeat what it is sent. */
async function settings(
  cwd: string,
  { echo, indiscreet }: { readonly echo: string; readonly indiscreet: string },
): Promise<Readonly<Record<string, string>>> {
  const plain = (host: string): unknown => ({ public: `http://${host}`, rest: `http://${host}` });
  const ofFile = {
    ...API_KEYS,
    apiKey: of("a key from a file"),
    urls: { api: plain("okx.example") },
  };
  await Deno.writeTextFile(
    `${cwd}/okx.json`,
    JSON.stringify({ ...ofFile, httpProxy: `http://${PROXY}@${echo}` }),
    { mode: 0o600 },
  );
  await Deno.writeTextFile(
    `${cwd}/.env`,
    `HTTPS_PROXY=http://me:${of("a password in .env")}@127.0.0.1:1\n` +
      `EXCHANGE_GATE='{"apiKey":"${of("a password in .env")}"}'\n`,
  );
  await Deno.chmod(`${cwd}/.env`, 0o666);
  await Deno.writeTextFile(
    `${cwd}/titan10.yaml`,
    JSON.stringify({ exchanges: { coinbase: { options: { apiKey: "${COINBASE_KEY}" } } } }),
  );
  await Deno.writeTextFile(`${cwd}/token`, `${of("the HTTP token")}\r\n`, { mode: 0o600 });
  const webhook = `http://hook:${of("the webhook's password")}@${echo}` +
    `/bot${encoded("a bot's token")}/${of("the webhook's path")}?key=${
      of("the webhook's parameter")
    }`;
  const token = of("a proxy's token");
  return {
    EXCHANGES: "binance,kraken,okx,bybit,coinbase",
    SYMBOLS: "BTC/USDT,*/FDUSD",
    TIMEFRAMES: "1m",
    BACKFILL: "1m:1d",
    RETRY_ATTEMPTS: "2",
    RETRY_MIN: "1ms",
    RETRY_MAX: "5ms",
    BREAKER_FAILURES: "1",
    LOG_LEVEL: "trace",
    HTTP_PORT: "0",
    HTTP_TOKEN_FILE: `${cwd}/token`,
    ALERT_WEBHOOK_URL: webhook,
    NO_PROXY: "127.0.0.1",
    HTTPS_PROXY: `http://me:${of("the environment's proxy's password")}@127.0.0.1:1`,
    EXCHANGE_PROXY_URL: `http://${echo}/?token=${token}&url=`,
    EXCHANGE_BINANCE: JSON.stringify({
      ...API_KEYS,
      proxyUrl: indiscreet,
    }),
    EXCHANGE_KRAKEN: JSON.stringify({
      ...API_KEYS,
      httpsProxy: `http://user:${encoded("a tunnel's password")}@${echo}`,
    }),
    EXCHANGE_OKX_FILE: `${cwd}/okx.json`,
    EXCHANGE_BYBIT: JSON.stringify({ ...API_KEYS, socksProxy: `socks5://${PROXY}@127.0.0.1:1` }),
    COINBASE_KEY: of("a key that a file refers to"),
  };
}

async function askDaemon(cwd: string, env: Readonly<Record<string, string>>): Promise<void> {
  const daemon = start(["run"], { cwd, env });
  try {
    const [, url] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
    for (const id of ["kraken", "okx", "bybit", "coinbase"]) {
      await daemon.waitFor(new RegExp(`failed","exchange":"${id}"`));
    }
    await daemon.waitFor(/"job done","job":"poll"/);
    const series = "exchange=binance&symbol=BTC/USDT&timeframe=1m";
    for (
      const path of [
        "/metrics",
        "/status",
        "/readyz",
        "/healthz",
        "/nowhere",
        "/",
        `/candles?${series}`,
        `/explained?${series}&since=2024-01-01&until=2024-01-02`,
      ]
    ) {
      const headers = { authorization: `Bearer ${of("the HTTP token")}` };
      const text = await (await fetch(`${url}${path}`, { headers })).text();
      assertSilent(path, text);
    }
    const beside = { ...env, HTTP_PORT: new URL(url!).port };
    await sideBySide(COMMANDS, async (command) => {
      const { stdout, stderr } = await run(command, { cwd, env: beside });
      if (command[0] !== "healthcheck") assert.notEqual(stdout + stderr, "", command.join(" "));
      assertSilent(`${command.join(" ")} beside the daemon`, stdout + stderr);
      if (command[0] === "doctor") assert.match(stdout, /\.env can be changed by\s+other users/);
    });
  } finally {
    daemon.kill("SIGTERM");
    await daemon.ended;
  }
  const log = daemon.stdout() + daemon.stderr();
  assert.match(log, /you sent http.*\*\*\*/, "it was told to the log");
  assert.match(log, /"a file of settings is open to others","hint":"\.env can be changed/);
  assertSilent("the log", log);
}

/** Searches every row of every table, as text. */
async function searchDatabase(cwd: string): Promise<void> {
  const database = await openDatabase({
    url: undefined,
    dataDir: `${cwd}/titan10-data`,
    poolMax: 1,
    clock: systemClock,
  });
  try {
    const tables = await database.sql<{ name: string }[]>`
      select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`;
    let rows = 0;
    for (const { name } of tables) {
      const texts = await database.sql.unsafe<{ text: string }[]>(
        `select t::text as text from ${name} t`,
      );
      for (const { text } of texts) assertSilent(name, text);
      if (name.endsWith("rejected_candles")) rows += texts.length;
    }
    assert(tables.length > 20, `${tables.length} tables`);
    assert(rows > 0, "rows of the exchange were kept as evidence");
    const [exchange] = await database.sql`
      select count(*)::int from exchanges where last_error like '%***%'`;
    assert(Number(exchange?.["count"]) >= 2, "errors that repeated secrets were kept");
  } finally {
    await database.close();
  }
}

Deno.test("a secret among the arguments is told by none of the refusals", () =>
  withDirectory(async (cwd) => {
    const secret = of("the HTTP token");
    const url = `postgres://titan:${encoded("the database's password")}@127.0.0.1:1/db`;
    const refusals: readonly (readonly string[])[] = [
      ["run", "--database-url", secret],
      ["run", "--http-token", secret],
      ["run", `--http-token=${secret}`],
      ["copy", `--too=${url}`],
      ["copy", "--to", url, url],
      ["copy", "--exchange-proxy-url", `http://${PROXY}@127.0.0.1:1`],
      [url],
      ["status", "--page-limit", url],
      ["status", "--exchanges", url],
      ["query", "select 1", "--timeout", url],
      ["import", url, "--exchange", "binance"],
    ];
    await sideBySide(refusals, async (args) => {
      const { code, stdout, stderr } = await run(args, { cwd, env: { HTTP_TOKEN: secret } });
      assert.notEqual(code, 0, args.join(" "));
      assert.notEqual(stderr, "");
      assertSilent(args[0]!, stdout + stderr);
    });
  }));
