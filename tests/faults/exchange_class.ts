/** The exchanges of the schedules: Binance, and classes of CCXT that inherit from one whose dialect is spoken here. @module */
import { binance } from "../support/local_exchange/binance.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import { bybit } from "../support/dialects/bybit.ts";
import { gate } from "../support/dialects/gate.ts";
import { hitbtc } from "../support/dialects/hitbtc.ts";
import { okx } from "../support/dialects/okx.ts";

/** The exchange of most schedules. It alone has candles of seconds, so only its newest candles are polled. */
export const BINANCE = "binance";

/** Class → the dialect that it speaks. A test holds them against the classes of CCXT. */
export const ALIASES: Readonly<Record<string, Dialect>> = {
  bequant: hitbtc,
  binanceus: binance,
  bybiteu: bybit,
  bybitid: bybit,
  fmfwio: hitbtc,
  gateeu: gate,
  myokx: okx,
  okxus: okx,
};

/** @throws RangeError when no dialect is known for the class. */
export function dialectOf(exchange: string): Dialect {
  const dialect = exchange === BINANCE ? binance : ALIASES[exchange];
  if (dialect === undefined) throw new RangeError(`No dialect is known for ${exchange}`);
  return dialect;
}
