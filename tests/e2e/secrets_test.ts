/** That what is secret is nowhere to be read: everything fails, and everything that is said is searched. @module */
import assert from "node:assert/strict";
import { run, start, withArchiveDirectory, withDirectory } from "../support/program.ts";

const TOKEN = "http-token-5f0c1e2d3b4a";
const SECRETS = {
  "the database's password": "pa%ss/w@rd-71aa",
  "an API key": "apikey-93bbdeadbeef",
  "an API secret": "apisecret-04ccfeedface",
  "a passphrase": "passphrase-15dd+/=",
  "a proxy's password": "proxypass-26eeabcdef",
  "a proxy's token": "proxytoken-37ffabcdef",
  "the webhook's path": "T0KEN-48aabbccdd",
  "the HTTP token": TOKEN,
} as const;

/** As a proxy is told its own. */
const PROXY_CREDENTIALS = `user:${SECRETS["a proxy's password"]}`;

const password = encodeURIComponent(SECRETS["the database's password"]);

/** Every way in which a secret may be written. */
const SPELLINGS = Object.entries({ ...SECRETS, "a proxy's credentials": PROXY_CREDENTIALS })
  .flatMap(([name, secret]) =>
    [secret, encodeURIComponent(secret), encodeURI(secret), btoa(secret)]
      .map((spelling) => [name, spelling] as const)
  );

function assertSilent(what: string, text: string): void {
  for (const [name, spelling] of SPELLINGS) {
    assert(!text.includes(spelling), `${what} tells ${name}:\n${text}`);
  }
}

/** Whatever it is asked for, it fails, and repeats all that was said to it. */
function startEcho(): { readonly origin: string; close(): Promise<void> } {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const headers = Object.fromEntries(request.headers);
      const text = `you sent ${request.url} with ${JSON.stringify(headers)} ${await request
        .text()}`;
      return new Response(text, { status: 500, statusText: "Broken" });
    },
  );
  return { origin: `127.0.0.1:${server.addr.port}`, close: () => server.shutdown() };
}

const COMMANDS = [["doctor"], ["doctor", "--json"], ["plan"], ["status", "--json"], ["gaps"], [
  "backfill",
]];

Deno.test("no secret is told, whatever fails and whoever asks", async (t) => {
  const echo = startEcho();
  const exchangeSecrets = {
    apiKey: SECRETS["an API key"],
    secret: SECRETS["an API secret"],
    password: SECRETS["a passphrase"],
    headers: { "X-MBX-APIKEY": SECRETS["an API key"] },
  };
  const env = {
    EXCHANGES: "binance",
    SYMBOLS: "BTC/USDT",
    TIMEFRAMES: "1m",
    BACKFILL: "1m:1d",
    RETRY_ATTEMPTS: "1",
    BREAKER_FAILURES: "1",
    LOG_LEVEL: "trace",
    HTTP_PORT: "0",
    HTTP_TOKEN: TOKEN,
    ALERT_WEBHOOK_URL: `http://${echo.origin}/hooks/${SECRETS["the webhook's path"]}`,
    EXCHANGE_BINANCE: JSON.stringify(exchangeSecrets),
  };
  const token = SECRETS["a proxy's token"];
  const ownProxy = { ...exchangeSecrets, httpProxy: `http://${PROXY_CREDENTIALS}@${echo.origin}` };
  const plain = { api: { public: "http://api.binance.example/api/v3" } };
  const exchanges: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "an exchange that repeats what it is sent": {
      EXCHANGE_PROXY_URL: `http://${echo.origin}/?token=${token}&url=`,
    },
    "a proxy with a password": {
      EXCHANGE_PROXY_URL: `http://${PROXY_CREDENTIALS}@${echo.origin}/`,
    },
    "a proxy of one exchange, which repeats what it is sent": {
      EXCHANGE_BINANCE: JSON.stringify({ ...ownProxy, urls: plain }),
    },
    "a proxy of one exchange, which opens no tunnel": {
      EXCHANGE_BINANCE: JSON.stringify(ownProxy),
    },
    "a proxy of one exchange, which is away": {
      EXCHANGE_BINANCE: JSON.stringify({
        ...exchangeSecrets,
        socksProxy: `socks5://${PROXY_CREDENTIALS}@127.0.0.1:1`,
      }),
    },
  };
  try {
    for (const [name, variables] of Object.entries(exchanges)) {
      await t.step(
        `the daemon and ${name}: neither log, metrics nor status`,
        () =>
          withArchiveDirectory(async (cwd) => {
            const daemon = start(["run"], { cwd, env: { ...env, ...variables } });
            try {
              const [, url] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
              await daemon.waitFor(
                /requests to an exchange failed|pages? of candles (was|were) not fetched/,
              );
              for (const path of ["/metrics", "/status", "/readyz", "/healthz", "/nowhere"]) {
                const headers = { authorization: `Bearer ${TOKEN}` };
                const text = await (await fetch(`${url}${path}`, { headers })).text();
                assertSilent(path, text);
              }
              for (const command of COMMANDS.slice(0, 5)) {
                const beside = { ...env, ...variables };
                const { stdout, stderr } = await run(command, { cwd, env: beside });
                assert.notEqual(stdout + stderr, "");
                assertSilent(`${command.join(" ")} beside the daemon`, stdout + stderr);
              }
            } finally {
              daemon.kill("SIGTERM");
              await daemon.ended;
            }
            const log = daemon.stdout() + daemon.stderr();
            assert.match(
              log,
              /you sent http.*\*\*\*|its proxy (?:http|socks5):\/\/127/,
              "it was told to the log",
            );
            assertSilent("the log", log);
          }),
      );
    }
    const databases = {
      "a server that is away": `postgres://titan:${password}@127.0.0.1:1/db`,
      "a web server": `postgres://titan:${password}@${echo.origin}/db`,
      "a password in the query": `postgres://titan@127.0.0.1:1/db?password=${password}`,
      "a misspelt scheme": `postgras://titan:${password}@127.0.0.1:1/db`,
      "a host that is none": `postgres://titan:${password}@no where/db`,
    };
    for (const [name, DATABASE_URL] of Object.entries(databases)) {
      await t.step(`a database that is ${name}: no command`, () =>
        withDirectory(async (cwd) => {
          for (const command of [["migrate"], ["doctor", "--json"]]) {
            const { code, stdout, stderr } = await run(command, {
              cwd,
              env: { ...env, DATABASE_URL, RETRY_MAX: "1s" },
            });
            assert.notEqual(code, 0);
            assertSilent(command.join(" "), stdout + stderr);
          }
        }));
    }
    await t.step(
      "a secret as a flag, for all to read in the process list: refused",
      () =>
        withDirectory(async (cwd) => {
          for (
            const flag of ["database-url", "http-token", "alert-webhook-url", "exchange-proxy-url"]
          ) {
            const { code, stderr } = await run(["run", `--${flag}`, TOKEN], { cwd });
            assert.equal(code, 2);
            assert.match(stderr, new RegExp(`unknown option '--${flag}'`));
            assertSilent("the refusal", stderr);
          }
        }),
    );
  } finally {
    await echo.close();
  }
});
