import assert from "node:assert/strict";
import { exchangeOptions } from "../../lib/config/exchange_options.ts";

/** What is said of a text; undefined when it is taken. */
function saidOf(text: string): string | undefined {
  return exchangeOptions().safeParse(text).error?.issues.map(({ message }) => message).join("; ");
}

const TAKEN = [
  {},
  { apiKey: "k", secret: "-----BEGIN EC PRIVATE KEY-----\n…\n", password: "p", uid: "7" },
  { apiKey: "" },
  { httpProxy: "http://user:p%40ss@proxy.example:3128" },
  { httpsProxy: "https://proxy.example" },
  { https_proxy: "http://127.0.0.1:3128/" },
  { socksProxy: "socks5h://user:pass@[::1]:1080" },
  { socks_proxy: "socks5://127.0.0.1:1080" },
  { proxyUrl: "https://proxy.example/?token=t&url=" },
  { headers: { "X-MBX-APIKEY": "k" }, userAgent: "me", hostname: "bybit.nl" },
  { rateLimit: 50, sandbox: true, options: { defaultType: "spot" }, urls: { api: "http://h" } },
  { timeframes: { "1s": 1 }, has: { fetchTickers: false }, enableRateLimit: true, verbose: false },
];
for (const options of TAKEN) {
  const text = JSON.stringify(options);
  Deno.test(`taken: ${text}`, () => {
    const { data } = exchangeOptions().safeParse(text);
    assert.deepEqual(data, options);
  });
}

const HTTP = "to be a URL beginning http:// or https://";
const SOCKS = "to be a URL beginning socks5:// or socks5h://";
const PROBLEMS: readonly (readonly [options: unknown, said: RegExp])[] = [
  [{ apiKey: 12345 }, /^"apiKey" to be a text in quotes$/],
  [{ secret: null }, /^"secret" to be a text in quotes$/],
  [{ password: ["hunter2"] }, /^"password" to be a text in quotes$/],
  [{ apikey: "hunter2" }, /^only options that are known; did you mean apiKey\?$/],
  [
    { htpsProxy: "http://hunter2" },
    /did you mean httpsProxy or https_proxy|did you mean httpsProxy\?/,
  ],
  [{ hunter2hunter2hunter2: 1 }, /^no options but apiKey secret password .* verbose$/],
  [{ httpProxy: "proxy.example:3128" }, new RegExp(`^"httpProxy" ${HTTP}$`)],
  [{ httpProxy: "socks5://u:hunter2@h" }, new RegExp(`^"httpProxy" ${HTTP}$`)],
  [{ httpsProxy: "" }, new RegExp(`^"httpsProxy" ${HTTP}$`)],
  [{ http_proxy: true }, new RegExp(`^"http_proxy" ${HTTP}$`)],
  [{ proxyUrl: "ftp://u:hunter2@h" }, new RegExp(`^"proxyUrl" ${HTTP}$`)],
  // What Deno's connections cannot do.
  [{ socksProxy: "socks4://u:hunter2@h" }, new RegExp(`^"socksProxy" ${SOCKS}$`)],
  [{ socksProxy: "socks://h" }, new RegExp(`^"socksProxy" ${SOCKS}$`)],
  [{ socksProxy: "http://h" }, new RegExp(`^"socksProxy" ${SOCKS}$`)],
  [
    { httpProxy: "http://h", socksProxy: "socks5://h" },
    /^one proxy at most, not httpProxy and socksProxy$/,
  ],
  [{ headers: { "X-KEY": 1 } }, /^"headers" to be an object of texts$/],
  [{ rateLimit: "50" }, /^"rateLimit" to be milliseconds between two requests, more than 0$/],
  [{ rateLimit: 0 }, /^"rateLimit" to be milliseconds/],
  [{ sandbox: "yes" }, /^"sandbox" to be true or false$/],
  [{ options: [] }, /^"options" to be an object$/],
  [{ urls: "http://hunter2" }, /^"urls" to be an object$/],
  // What CCXT would take and this program would not heed.
  [{ timeout: 10_000 }, /^FETCH_TIMEOUT instead$/],
  [{ wssProxy: "http://hunter2" }, /^httpsProxy in its place: streams go through it, too$/],
  [
    { enableRateLimit: false },
    /^"enableRateLimit" to be true: titan10 always keeps to the exchange's rate limit$/,
  ],
  // CCXT would print every request with its headers, past the log and its redaction.
  [{ verbose: true }, /^"verbose" to be false: it would print requests with their keys/],
  [{ apiKey: 1, secret: 2 }, /^"apiKey" to be a text in quotes; "secret" to be a text in quotes$/],
];
for (const [options, said] of PROBLEMS) {
  const text = JSON.stringify(options);
  Deno.test(`refused: ${text}`, () => {
    const message = saidOf(text);
    assert.match(message ?? "taken", said);
    assert.doesNotMatch(message ?? "", /hunter2/);
  });
}
