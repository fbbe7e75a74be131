/** When an alert begins and when it ends: what holds now against what was already told. @module */

/**
 * - `gap_percent`: too large a share of a series' candles is missing without a reason.
 * - `breaker_open`: an exchange is left alone because it keeps failing.
 * - `stale`: an exchange has not answered for a series' newest candles.
 * - `retention_loss`: candles that are still owed are about to leave what the exchange keeps.
 */
export const ALERTS = ["gap_percent", "breaker_open", "stale", "retention_loss"] as const;

export type AlertKind = (typeof ALERTS)[number];

/** What an alert is about: a series, or an exchange as a whole. */
export interface AlertSubject {
  readonly exchange: string;
  /** Undefined, with the timeframe, where the whole exchange is meant. */
  readonly symbol?: string | undefined;
  readonly timeframe?: string | undefined;
}

/** What was found of one subject. */
export interface Condition extends AlertSubject {
  /** In the unit of `threshold`: percent of `gap_percent`, seconds of the others. */
  readonly value: number;
  readonly threshold: number;
  /** One sentence for people. */
  readonly summary: string;
  /**
   * False where the condition keeps an alert that has begun and begins none: not for long enough yet, or said by
   * another alert already.
   *
   * @default true
   */
  readonly mayBegin?: boolean | undefined;
}

/**
 * How many judgings in a row a condition must hold before its alert begins. A hole is filled or explained by the next
 * two repairs as a rule, which are as often as the judging, and series that waited for a breaker catch up with the poll
 * after the one that closed it. A breaker's condition measures its own time.
 */
export const HOLD_RUNS: Readonly<Record<AlertKind, number>> = {
  gap_percent: 3,
  breaker_open: 1,
  stale: 2,
  retention_loss: 2,
};

/** A subject as people and logs read it, `binance BTC/USDT 1m` or `binance`. Unique, so it also serves as a key. */
export function subjectName({ exchange, symbol, timeframe }: AlertSubject): string {
  return [exchange, symbol, timeframe].filter((part) => part !== undefined).join(" ");
}

interface Findings<Running extends AlertSubject> {
  /** All that was found now of one kind of alert: what is not among it does not hold. */
  readonly conditions: readonly Condition[];
  /** Alerts of that kind that have begun and not ended. */
  readonly running: readonly Running[];
  /** Runs in a row that each subject has held for, as the run before returned it; empty at first. */
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

/** Says which alerts of one kind begin and which end. An alert that is running neither begins again nor ends while its condition is found. */
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
