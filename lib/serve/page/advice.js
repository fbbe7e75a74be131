/** What the user can do about an error of an exchange, by its words. @module */

/**
 * From the most telling words to the least. The first that matches counts.
 * @type {readonly (readonly [RegExp, (names: { exchange: string, variable: string }) => string])[]}
 */
const ADVICE = [
  [
    /access is refused|HTTP 451|before \d{4}-\d\d-\d\dT\S+: Cannot /i,
    ({ exchange, variable }) =>
      `Set a proxy whose address is accepted, in EXCHANGE_PROXY_URL or ${variable}, or take ${exchange} out of EXCHANGES.`,
  ],
  [
    /HTTP 407|proxy authentication/i,
    ({ variable }) => `Correct the proxy's user and password in EXCHANGE_PROXY_URL or ${variable}.`,
  ],
  [
    /through its proxy/i,
    ({ variable }) =>
      `Look whether that proxy works: EXCHANGE_PROXY_URL or ${variable} names it. titan10 doctor tests it.`,
  ],
  [
    /certificate/i,
    () =>
      "Another server answers. If that is a proxy with its own certificate authority, " +
      "set DENO_TLS_CA_STORE=system.",
  ],
  [
    /recvWindow|nonce|\btimestamp\b.*(?:ahead|outside|expired|invalid)|(?:ahead|outside|expired|invalid).*\btimestamp\b/i,
    () => "This machine's clock is wrong: set it by NTP. titan10 doctor says how far it is off.",
  ],
  [
    /api.?key|\bkey format|signature|authenticat|credential|passphrase|unauthori[sz]ed|HTTP 401/i,
    ({ variable }) =>
      `Correct apiKey and secret in ${variable}, or take them out: candles are public.`,
  ],
  [
    /listed by no|is not listed|does not have market symbol|nearest /i,
    () => "Correct SYMBOLS, and run titan10 reload.",
  ],
  [
    /HTTP 429|HTTP 418|too many|rate.?limit/i,
    () => "Nothing to do: requests begin again by themselves.",
  ],
  [
    /HTTP 5\d\d|\b5\d\d [A-Z]|maintenance|unavailable|busy/i,
    () => "The exchange has trouble of its own. Nothing to do: it is tried again by itself.",
  ],
  [
    /dns|lookup|resolve|connect|network|unreachable|timed? ?out|not answer|took longer|reset|fetch failed|sending request/i,
    () =>
      "It is tried again by itself. If other exchanges fail too, this machine has no way out: titan10 doctor tests it.",
  ],
];

/**
 * @param {string} exchange
 * @param {string} error
 * @returns {string} one or two sentences
 */
export function adviceOf(exchange, error) {
  // As CCXT's ids are written in the names of settings.
  const names = { exchange, variable: `EXCHANGE_${exchange.toUpperCase()}` };
  for (const [words, advice] of ADVICE) if (words.test(error)) return advice(names);
  return `It is tried again by itself. If it lasts, run titan10 doctor.`;
}
