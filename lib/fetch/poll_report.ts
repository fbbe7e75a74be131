/** What one tick of polls brought. @module */

export interface PollReport {
  /** Requests: one per series, and a second one if the newest candle was still forming at the exchange. */
  readonly asked: number;
  readonly failed: number;
  readonly added: number;
  readonly revised: number;
  /** Candles that streams had told of, and that an answer had for the first time. */
  readonly streamed: number;
  /** Series left out because their request of an earlier tick is still running. */
  readonly skipped: number;
}

export const NOTHING_POLLED: PollReport = {
  ...{ asked: 0, failed: 0, skipped: 0 },
  ...{ added: 0, revised: 0, streamed: 0 },
};

export function sumOfPolls(reports: readonly PollReport[]): PollReport {
  return reports.reduce((total, report) => ({
    asked: total.asked + report.asked,
    failed: total.failed + report.failed,
    skipped: total.skipped + report.skipped,
    added: total.added + report.added,
    revised: total.revised + report.revised,
    streamed: total.streamed + report.streamed,
  }), NOTHING_POLLED);
}
