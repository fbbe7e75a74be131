/** An exchange that is known to settle soon, so that a one-shot backfill of minutes does not wait for two of them. @module */
import { systemClock } from "../../lib/clock.ts";
import { writeCapability } from "../../lib/store/capabilities.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";

/** The shortest settling time that a database takes. */
export const SETTLE_SECONDS = 10;

/**
 * Makes the archive at `url`, or the embedded one in `dataDir`, know that candles of an exchange are final after ten
 * seconds.
 */
export async function settleQuickly(
  url: string | undefined,
  { dataDir = "", exchange = "binance" }: {
    readonly dataDir?: string;
    readonly exchange?: string;
  } = {},
): Promise<void> {
  const database = await openDatabase({ url, dataDir, poolMax: 1, clock: systemClock });
  try {
    await migrate(database, await readMigrations());
    await writeCapability(database, {
      exchange,
      marketKind: "spot",
      // The longest of all timeframes counts, so this one, which no test archives, is enough.
      timeframe: "3d",
      pageRows: 1_000,
      pageRowsSource: "ccxt",
      rowsSeen: 0,
      isSinceHonoured: undefined,
      isUntilNeeded: false,
      newestCandles: undefined,
      omitsSilent: undefined,
      settleSeconds: SETTLE_SECONDS,
      settleNeededMs: systemClock.now(),
      learnedAtMs: systemClock.now(),
    });
  } finally {
    await database.close();
  }
}
