/** What came of reading the settings again while the daemon runs. @module */

export type ReloadAnswer = ReloadDone | ReloadRefused;

/** The settings are in force. Each entry is for people to read. */
interface ReloadDone {
  readonly ok: true;
  /** Exchanges that are archived from now on. */
  readonly added: readonly string[];
  /** Exchanges that are no longer asked. Their candles stay. */
  readonly removed: readonly string[];
  /** Everything else that is different: `kraken symbols: SOL/USD added`. */
  readonly changed: readonly string[];
  /** Variables that are different, and take effect only when the daemon is started again. */
  readonly needsRestart: readonly string[];
}

/** The settings cannot be used, and nothing was changed. */
interface ReloadRefused {
  readonly ok: false;
  readonly problems: readonly string[];
}

/**
 * The header that a request to reload must have. A page that a browser shows cannot send it to another host: only simple
 * requests are sent without asking first, and those have no such header.
 */
export const RELOAD_HEADER = "titan10-request";
export const RELOAD_HEADER_VALUE = "reload";
