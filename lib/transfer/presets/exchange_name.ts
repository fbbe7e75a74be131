/** How sources of files write the names of exchanges. @module */

/** Where it is not CCXT's id in capitals. */
const IDS: Readonly<Record<string, string>> = {
  okex: "okx",
  huobi: "htx",
  gateio: "gate",
  cdc: "cryptocom",
  "crypto.com": "cryptocom",
  coinbasepro: "coinbase",
  gdax: "coinbase",
  binanceusdm: "binanceusdm",
  binancecoinm: "binancecoinm",
};

/** CCXT's id of an exchange, as far as a name is one. */
export function exchangeNamed(name: string): string {
  const lower = name.toLowerCase();
  return Object.hasOwn(IDS, lower) ? IDS[lower]! : lower;
}
