/** Whether a file's name of an instrument means a unified symbol. @module */
import { marketSymbol } from "./price.ts";

/**
 * Compares an exchange's own name, such as `BTC-USDT-SWAP`, with a unified symbol, such as `BTC/USDT:USDT`. False also
 * when the name cannot be understood. A file of mark prices names the market that they are of.
 */
export function namesSymbol(name: string, symbol: string): boolean {
  if (name === symbol) return true;
  const [, base = "", quote = "", settle, expiry] =
    /^([^/]+)\/([^:]+)(?::([^-]+)(?:-(.+))?)?$/.exec(marketSymbol(symbol))?.map((part) =>
      part && plain(part)
    ) ??
      [];
  const both = base + quote;
  // With a slash it is a unified symbol, or as good as one: of another market.
  if (name.includes(":") && name.includes("/")) return false;
  const text = plain(name);
  if (settle === undefined) {
    return text === both || (name.startsWith("t") && text === `T${both}`) ||
      text === `X${base}Z${quote}` ||
      text === `${both}SPOT` || new RegExp(`^${quote}[-_]${base}$`).test(name.toUpperCase());
  }
  if (expiry !== undefined) {
    return dates(expiry).some((date) => text === both + date || text === base + date);
  }
  const perpetual = ["SWAP", "PERP", "PERPETUAL", "M", "UMCBL", "DMCBL", settle]
    .map((end) => both + end);
  return perpetual.includes(text) || text === `${base}PERP` || text === `${base}PERPETUAL` ||
    text === `PF${both}` || text === `PI${both}` ||
    // With a mark between them, these two are a spot market.
    (text === both && !/[-/_]/.test(name));
}

/** Letters and digits in upper case, with the usual codes of Bitcoin and Dogecoin. */
function plain(name: string): string {
  return name.toUpperCase().replaceAll(/[^\p{L}\p{N}]/gu, "").replace(/XBT/, "BTC")
    .replace(/XDG/, "DOGE");
}

const MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";

/** `240927` as exchanges write it. */
function dates(expiry: string): readonly string[] {
  const [, year, month, day] = /^(\d\d)(\d\d)(\d\d)$/.exec(expiry) ?? [];
  if (year === undefined) return [expiry];
  const name = MONTHS.slice(Number(month) * 3 - 3, Number(month) * 3);
  return [expiry, `20${expiry}`, `${day}${name}${year}`, `${Number(day)}${name}${year}`];
}

/** Whether a file's name of a coin contradicts a symbol's base or quote. */
export function isOtherCoin(name: string, coin: string): boolean {
  return plain(name) !== plain(coin);
}

const OF_CONTRACTS =
  /^(?:perps?|perpetuals?|futures?|swaps?|linear|inverse|usdm|coinm|derivatives?|delivery)$/;

/** What kind of market is said in words, such as `Binance Perpetual Futures` or `spot`; undefined where that is left open. */
export function kindInWords(text: string): "spot" | "contract" | undefined {
  const words = text.toLowerCase().split(/[^a-z0-9]+/);
  if (words.some((word) => OF_CONTRACTS.test(word))) return "contract";
  return words.includes("spot") ? "spot" : undefined;
}
