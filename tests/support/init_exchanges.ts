/** Local exchanges in the formats of those that `titan10 init` writes, and the settings that lead to them. @module */
import { systemClock } from "../../lib/clock.ts";
import { market } from "../../lib/local_exchange/local_symbol.ts";
import { kraken } from "./dialects/kraken.ts";
import { binanceAt } from "./local_archive.ts";
import { startLocalExchange } from "./local_exchange/faulty_exchange.ts";

const DOLLARS = [
  market("BTC/USD", { tickDecimals: 1, price: 60_000, quoteVolume24h: 1_000_000 }),
  market("ETH/USD", { tickDecimals: 2, price: 3_000, quoteVolume24h: 1_000_000 }),
];

/** What a daemon needs to know beside what `titan10 init` writes. */
export async function withInitExchanges(
  use: (env: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> {
  const binance = await startLocalExchange({ clock: systemClock });
  const other = await startLocalExchange({
    clock: systemClock,
    dialect: kraken,
    symbols: DOLLARS,
  });
  try {
    await use({
      EXCHANGE_BINANCE: binanceAt(binance),
      EXCHANGE_KRAKEN: JSON.stringify({ proxyUrl: other.proxyUrl, rateLimit: 1 }),
      HTTP_PORT: "0",
      // Not a minute.
      POLL_CRON: "*/2 * * * * *",
    });
  } finally {
    await binance.close();
    await other.close();
  }
}
