/** The setting `HISTORY`: whether candles are taken from the files that an exchange publishes. @module */
import * as read from "./setting.ts";

export const HISTORY_WORDS = ["auto", "off"] as const;

export type HistorySetting = (typeof HISTORY_WORDS)[number];

/** The row of the table of variables. */
export const HISTORY = {
  name: "HISTORY",
  default: "auto",
  meaning:
    "Whether backfill takes months of files that an exchange publishes: auto if quicker, or off.",
  details:
    "Binance publishes such files at data.binance.vision. Checksums and samples from the API " +
    "are compared before anything of a file is stored; what it lacks is asked of the API.",
  read: () => read.oneOf(HISTORY_WORDS),
  completion: { kind: "one", words: HISTORY_WORDS },
} as const;
