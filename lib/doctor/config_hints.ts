/** Settings that are allowed and yet rarely meant, each with what to set instead. @module */
import type { Config } from "../config/config.ts";
import { isLoopback } from "../text/loopback.ts";
import type { Check } from "./check.ts";

/** A page is cut into more requests than needed below this, at the exchange's pace. */
const PAGE_ROWS_LOW = 50;

/** Exchanges far away answer in a second or two, and large pages in more. */
const FETCH_TIMEOUT_MS_LOW = 3_000;

/** One hint a setting that is odd. */
export function configurationHints(config: Config): readonly Check[] {
  return [...archiveHints(config), ...requestHints(config), ...serveHints(config)]
    .map((message) => ({ check: "configuration", ok: true, isHint: true, message }));
}

function archiveHints(config: Config): readonly string[] {
  const { timeframes, backfill, databaseUrl, dataDir, compressAfterMs } = config;
  const backfilled = backfill.map(({ timeframe }) => timeframe);
  const [polledOnly, backfilledOnly] = [
    timeframes.filter((text) => !backfilled.includes(text)),
    backfilled.filter((text) => !timeframes.includes(text)),
  ];
  const hints: string[] = [];
  if (polledOnly.length > 0) {
    hints.push(
      `${polledOnly.join(", ")} begins with the first poll: name it in BACKFILL for older candles`,
    );
  }
  if (backfilledOnly.length > 0) {
    hints.push(
      `${
        backfilledOnly.join(", ")
      } is backfilled and not polled, so its newest candles come when ` +
        "BACKFILL_CRON says. Name it in TIMEFRAMES for them at once",
    );
  }
  if (compressAfterMs === undefined) {
    hints.push("COMPRESS_AFTER=off: the candles take about seven times the disk");
  }
  if (databaseUrl === undefined && /^\/(?:tmp|dev\/shm)(?:\/|$)/.test(dataDir)) {
    hints.push(`DATA_DIR=${dataDir} is emptied by many systems when they start. Set it elsewhere`);
  }
  return hints;
}

function requestHints({ retry, pageLimit, fetchTimeoutMs }: Config): readonly string[] {
  const hints: string[] = [];
  if (retry.attempts === 1) {
    hints.push("RETRY_ATTEMPTS=1: one lost packet fails a page, until the next poll or backfill");
  }
  if (pageLimit !== undefined && pageLimit < PAGE_ROWS_LOW) {
    hints.push(`PAGE_LIMIT=${pageLimit}: a backfill takes many more requests. Unset it`);
  }
  if (fetchTimeoutMs < FETCH_TIMEOUT_MS_LOW) {
    hints.push(
      `FETCH_TIMEOUT=${fetchTimeoutMs}ms is less than large pages may take. Set 10s or more`,
    );
  }
  return hints;
}

function serveHints({ httpHost, httpToken, alertWebhookUrl }: Config): readonly string[] {
  const hints: string[] = [];
  if (httpToken === undefined && !isLoopback(httpHost)) {
    hints.push(`HTTP_HOST=${httpHost} serves everybody who can reach it. Set HTTP_TOKEN`);
  }
  if (alertWebhookUrl?.startsWith("http://") && !isLoopback(new URL(alertWebhookUrl).hostname)) {
    hints.push("ALERT_WEBHOOK_URL is not encrypted, and whoever reads it can post. Use https://");
  }
  return hints;
}
