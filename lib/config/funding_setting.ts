/** The setting `FUNDING`: whether the funding rates of perpetuals are kept. @module */
import * as read from "./setting.ts";

export const FUNDING_WORDS = ["auto", "off"] as const;

export type FundingSetting = (typeof FUNDING_WORDS)[number];

/** The row of the table of variables. */
export const FUNDING = {
  name: "FUNDING",
  default: "auto",
  meaning: "Whether funding rates of archived perpetuals are kept: auto where the exchange gives " +
    "them, or off.",
  details: "They reach as far back as the longest reach of BACKFILL, and are kept for ever.",
  read: () => read.oneOf(FUNDING_WORDS),
  completion: { kind: "one", words: FUNDING_WORDS },
} as const;
