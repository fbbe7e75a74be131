/** The setting `HISTORY`: whether candles are taken from the files that an exchange publishes. @module */
import * as read from "./setting.ts";

export const HISTORY_WORDS = ["auto", "off"] as const;

export type HistorySetting = (typeof HISTORY_WORDS)[number];

/** The row of the table of variables. */
export const HISTORY = {
  name: "HISTORY",
  default: "auto",
  meaning:
    "Whether backfill takes whole months and days from the files that an exchange publishes: " +
    "auto where that is quicker than its API, or off.",
  details:
    "Binance publishes such files at data.binance.vision. Each is checked against its checksum, and samples " +
    "of it against the API, before anything of it is stored; what a file lacks is asked of the API.",
  read: () => read.oneOf(HISTORY_WORDS),
  completion: { kind: "one", words: HISTORY_WORDS },
} as const;
