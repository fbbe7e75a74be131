/** Hints about settings that are allowed but probably a mistake, each with what to set instead. @module */
import type { Config } from "../config/config.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import { isLoopback } from "../text/loopback.ts";
import type { Check } from "./check.ts";

/** A lower `PAGE_LIMIT` makes backfill slow, because it needs more requests. */
const PAGE_ROWS_LOW = 50;

/** A lower `FETCH_TIMEOUT` may be too short: distant exchanges need one or two seconds, and more for large pages. */
const FETCH_TIMEOUT_MS_LOW = 3_000;

/** One hint per setting that looks wrong. */
export function configurationHints(config: Config): readonly Check[] {
  return [
    ...unusedSettings(config),
    ...archiveHints(config),
    ...requestHints(config),
    ...serveHints(config),
  ]
    .map((message) => ({ check: "configuration", ok: true, isHint: true, message }));
}

/** One hint per exchange that has settings and is not archived: they have no effect, so it is probably a mistake. */
export function unusedSettings({ exchanges, own, exchangeOptions }: Config): readonly string[] {
  const isUnused = (id: string): boolean => !exchanges.includes(id);
  return [
    ...[...own.keys()].filter(isUnused).map((id) =>
      `${id} stands in the file of settings and is not archived: EXCHANGES does not name it`
    ),
    ...Object.keys(exchangeOptions).filter((id) => isUnused(id) && !own.has(id)).map((id) =>
      `EXCHANGE_${id.toUpperCase()} has options of an exchange that is not in EXCHANGES`
    ),
  ];
}

function archiveHints(config: Config): readonly string[] {
  const { databaseUrl, dataDir, compressAfterMs } = config;
  const hints = [...new Set(config.exchanges.flatMap((id) => timeframeHints(config, id)))];
  if (compressAfterMs === undefined) {
    hints.push("COMPRESS_AFTER=off: the candles need about seven times as much disk space");
  }
  if (databaseUrl === undefined && /^\/(?:tmp|dev\/shm)(?:\/|$)/.test(dataDir)) {
    hints.push(`DATA_DIR=${dataDir} is deleted at boot by many systems. Use another directory`);
  }
  return hints;
}

/** Of one exchange, named if it has settings of its own. */
function timeframeHints(config: Config, exchange: string): readonly string[] {
  const { timeframes, backfill } = settingsOf(config, exchange);
  const of = config.own.has(exchange) ? `${exchange}: ` : "";
  const backfilled = backfill.map(({ timeframe }) => timeframe);
  const [polledOnly, backfilledOnly] = [
    timeframes.filter((text) => !backfilled.includes(text)),
    backfilled.filter((text) => !timeframes.includes(text)),
  ];
  const hints: string[] = [];
  if (polledOnly.length > 0) {
    hints.push(
      `${of}${
        polledOnly.join(", ")
      } has no candles from before the first poll. Add it to BACKFILL to get them`,
    );
  }
  if (backfilledOnly.length > 0) {
    hints.push(
      `${of}${
        backfilledOnly.join(", ")
      } is backfilled but not polled, so new candles come only at the times of ` +
        "BACKFILL_CRON. Add it to TIMEFRAMES to get them at once",
    );
  }
  return hints;
}

function requestHints(
  { retry, everywhere: { pageLimit }, fetchTimeoutMs }: Config,
): readonly string[] {
  const hints: string[] = [];
  if (retry.attempts === 1) {
    hints.push(
      "RETRY_ATTEMPTS=1: a failed request is not repeated until the next poll or backfill. Set 2 or more",
    );
  }
  if (pageLimit !== undefined && pageLimit < PAGE_ROWS_LOW) {
    hints.push(`PAGE_LIMIT=${pageLimit}: backfill needs many more requests. Unset it`);
  }
  if (fetchTimeoutMs < FETCH_TIMEOUT_MS_LOW) {
    hints.push(
      `FETCH_TIMEOUT=${fetchTimeoutMs}ms may be too short for large pages. Set 10s or more`,
    );
  }
  return hints;
}

function serveHints({ httpHost, httpToken, alertWebhookUrl }: Config): readonly string[] {
  const hints: string[] = [];
  if (httpToken === undefined && !isLoopback(httpHost)) {
    hints.push(
      `HTTP_HOST=${httpHost}: everyone on that network can read the archive. Set HTTP_TOKEN`,
    );
  }
  if (alertWebhookUrl?.startsWith("http://") && !isLoopback(new URL(alertWebhookUrl).hostname)) {
    hints.push(
      "ALERT_WEBHOOK_URL is not encrypted, so others can read it and post to it. Use https://",
    );
  }
  return hints;
}
