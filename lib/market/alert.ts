/** Decides when an alert begins and when it ends. @module */

/**
 * - `gap_percent`: too many candles of a series are missing without a reason.
 * - `breaker_open`: an exchange keeps failing, so requests to it are stopped.
 * - `access_denied`: an exchange, or a firewall in front of it, refuses this address.
 * - `stale`: an exchange has not answered for a series' newest candles.
 * - `stream_down`: an exchange's stream is down, or does not stay open. Polls go on.
 * - `polls_skipped`: polls of an exchange do not begin, because those before have not ended.
 * - `retention_loss`: the exchange will soon drop candles that are still owed.
 * - `listing_changed`: a symbol means another market than before. Ends by itself a day later.
 */
export const ALERTS = [
  "gap_percent",
  "breaker_open",
  "access_denied",
  "stale",
  "stream_down",
  "polls_skipped",
  "retention_loss",
  "listing_changed",
] as const;

export type AlertKind = (typeof ALERTS)[number];

/** What an alert is about: a series, a symbol, or an exchange as a whole. */
export interface AlertSubject {
  readonly exchange: string;
  /** Undefined if the alert is about the whole exchange. */
  readonly symbol?: string | undefined;
  /** Undefined if the alert is about all timeframes. */
  readonly timeframe?: string | undefined;
}

/** What was found for one subject. */
export interface Condition extends AlertSubject {
  /** In the unit of `threshold`: percent for `gap_percent`, seconds for the others. */
  readonly value: number;
  readonly threshold: number;
  /** One sentence for people. */
  readonly summary: string;
  /**
   * False if the condition only keeps a running alert: it has not held for long enough, or another alert covers it.
   *
   * @default true
   */
  readonly mayBegin?: boolean | undefined;
}

/**
 * How many judgements in a row a condition must hold before its alert begins. Most holes are filled or explained by the
 * next two repairs, which run as often as the judgement. Series that waited for a breaker catch up with the poll after
 * the one that closed it. `breaker_open`, `stream_down` and `polls_skipped` measure their own time, two answers have proved
 * `access_denied`, and `listing_changed` is a fact of the ledger.
 */
export const HOLD_RUNS: Readonly<Record<AlertKind, number>> = {
  gap_percent: 3,
  breaker_open: 1,
  access_denied: 1,
  stale: 2,
  stream_down: 1,
  polls_skipped: 1,
  retention_loss: 2,
  listing_changed: 1,
};

/** What to do about each. `docs/alerts.md` has more in a section of the same name. */
export const REMEDIES: Readonly<Record<AlertKind, string>> = {
  gap_percent:
    "Wait if the candles are younger than a day: most gaps have a reason once they have been asked for three times. " +
    "titan10 gaps lists them, titan10 gaps --repair asks for them at once.",
  breaker_open:
    "Nothing, if the exchange is away: the next trial that is answered ends this, and what was missed is asked for. " +
    "titan10 doctor says whether it is this machine's network.",
  access_denied:
    "Give this exchange a proxy in another country (httpsProxy in EXCHANGE_<ID>), or take it out of EXCHANGES. " +
    "titan10 doctor quotes its words.",
  stale:
    "titan10 status shows the last error of the series, titan10 plan whether the polls of the exchange fit into a minute.",
  stream_down:
    "Nothing is lost: candles come by polls, up to some minutes later. titan10 doctor opens the stream and says what is " +
    "wrong; with live: off in titan10.yaml, or LIVE=off, it is not opened any more.",
  polls_skipped:
    "Archive fewer symbols or timeframes of this exchange: titan10 plan says how many fit. Nothing is lost, what is " +
    "skipped comes later.",
  retention_loss:
    "End what holds up the backfill: a ban, a breaker, a database that is away. titan10 plan says what is owed. After " +
    "that time nobody has these candles.",
  listing_changed:
    "Nothing, if the new market is what you want; else leave the symbol out of SYMBOLS. This ends a day after the change.",
};

/** The name of a subject, `binance BTC/USDT 1m` or `binance`. Unique, so it is also used as a key. */
export function subjectName({ exchange, symbol, timeframe }: AlertSubject): string {
  return [exchange, symbol, timeframe].filter((part) => part !== undefined).join(" ");
}

interface Findings<Running extends AlertSubject> {
  /** All conditions of one kind of alert that hold now. */
  readonly conditions: readonly Condition[];
  /** Alerts of that kind that have begun and have not ended. */
  readonly running: readonly Running[];
  /** For how many runs each subject has held, from the last run; empty at first. */
  readonly held: ReadonlyMap<string, number>;
  /** See {@linkcode HOLD_RUNS}. */
  readonly holdRuns: number;
}

interface Changes<Running extends AlertSubject> {
  readonly begins: readonly Condition[];
  readonly ends: readonly Running[];
  /** For the next run. */
  readonly held: ReadonlyMap<string, number>;
}

/** Decides which alerts of one kind begin and end. A running alert goes on while its condition holds. */
export function reconcile<Running extends AlertSubject>(
  { conditions, running, held, holdRuns }: Findings<Running>,
): Changes<Running> {
  const found = new Set(conditions.map(subjectName));
  const begun = new Set(running.map(subjectName));
  const begins: Condition[] = [];
  const heldNow = new Map<string, number>();
  for (const condition of conditions) {
    const name = subjectName(condition);
    if (condition.mayBegin === false) continue;
    const runs = (held.get(name) ?? 0) + 1;
    heldNow.set(name, runs);
    if (runs >= holdRuns && !begun.has(name)) begins.push(condition);
  }
  return { begins, ends: running.filter((alert) => !found.has(subjectName(alert))), held: heldNow };
}
