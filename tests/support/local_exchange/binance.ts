/** Binance's dialect, and how it words refusals. @module */
import { contract } from "../../../lib/local_exchange/contract.ts";
import { binance as truthful } from "../../../lib/local_exchange/local_binance.ts";
import type { LocalSymbol } from "../../../lib/local_exchange/local_symbol.ts";
import type { Dialect } from "./dialect.ts";

/** Codes and messages follow Binance's documentation of the spot REST API (error codes). */
export const binance: Dialect = { ...truthful, refusal: binanceRefusal };

/** A linear perpetual beside the spot market of the same base and quote. */
export function perpetualOf(
  { symbol, base: _base, quote, price, ...facts }: LocalSymbol,
): LocalSymbol {
  return contract(`${symbol}:${quote}`, { ...facts, price: price * 1.01, size: 0.001 });
}

function binanceRefusal(status: number, { untilMs }: { readonly untilMs: number }): string {
  switch (status) {
    case 418: {
      const msg = `Way too much request weight used; IP banned until ${untilMs}. ` +
        "Please use WebSocket Streams for live updates to avoid bans.";
      return JSON.stringify({ code: -1003, msg });
    }
    case 429: {
      const msg =
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. " +
        "Please use WebSocket Streams for live updates to avoid polling the API.";
      return JSON.stringify({ code: -1003, msg });
    }
    case 500:
      return JSON.stringify({
        code: -1000,
        msg: "An unknown error occurred while processing the request.",
      });
    case 503:
      return JSON.stringify({
        code: -1008,
        msg:
          "Server is currently overloaded with other requests. Please try again in a few minutes.",
      });
    default:
      return JSON.stringify({ code: -1000, msg: `HTTP status ${status}` });
  }
}
