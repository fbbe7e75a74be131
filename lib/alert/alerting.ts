/** The alerts of one archive: evaluated by jobs, stored in the database, sent to the webhook. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { type AlertKind, ALERTS, type Condition, HOLD_RUNS, reconcile } from "../market/alert.ts";
import {
  type AlertNews,
  beginAlerts,
  dropUnsentNews,
  endAlerts,
  markNewsSent,
  readFiringNews,
  readRunningAlerts,
  readUnsentNews,
} from "../store/alerts.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import { readCoverageEnds } from "../store/coverage_ends.ts";
import { readReplaced } from "../store/listings.ts";
import {
  breakerConditions,
  CHANGED_MS,
  changedConditions,
  deniedConditions,
  gapConditions,
  lossConditions,
  polledEnds,
  skippedConditions,
  staleConditions,
  streamConditions,
  type WatchedStreams,
} from "./conditions.ts";
import type { Archive } from "../archive/archive.ts";
import type { Job, JobReport } from "../archive/job.ts";
import { takeStock } from "../gap/account.ts";
import { type AlertPost, postsOf } from "./alert_message.ts";
import { postAlerts } from "./webhook.ts";
import { WebhookError } from "./webhook_answer.ts";
import { type WebhookFormat, webhookFormat } from "../config/webhook_format.ts";
import { errorText } from "../text/redact.ts";

/** How many alerts are read from the outbox at once. */
const NEWS_MAX = 100;

/** The name under which failures to send are logged. */
const SENDING = "sending alerts";

/** Where candles come by polls alone. */
const NO_STREAMS: WatchedStreams = { state: () => ({ kind: "off" }) };

/**
 * Evaluates and sends the alerts. One sender at a time runs concurrently with the jobs, so a webhook that hangs delays
 * only the sending. Messages wait in the database, so a restart loses none; a message that was posted just before a
 * crash is posted again.
 */
export class Alerts {
  readonly #archive: Archive;
  readonly #streams: WatchedStreams;
  readonly #stopping = new AbortController();
  /** How long conditions have held, by kind and subject; see {@linkcode reconcile}. */
  readonly #held = new Map<AlertKind, ReadonlyMap<string, number>>();
  #sending: Promise<void> | undefined = undefined;
  /** Whether there may be messages that the running sender has not read yet. */
  #hasNews = false;
  /** The webhook that has asked to be left alone, and until when. Epoch milliseconds. */
  #waiting: { readonly url: string | undefined; readonly untilMs: number } | undefined = undefined;

  constructor(archive: Archive, streams: WatchedStreams = NO_STREAMS) {
    this.#archive = archive;
    this.#streams = streams;
  }

  /** The jobs: `alerts` is woken after every poll, `gap_alerts` runs at the times of `GAPS_CRON`. */
  get jobs(): readonly Job[] {
    const common = { mayOverlap: false, isQuiet: true } as const;
    const archive = this.#archive;
    return [
      { ...common, name: "alerts", cron: undefined, runOnce: () => this.judgePolls() },
      {
        ...common,
        name: "gap_alerts",
        get cron() {
          return archive.config.gapsCron;
        },
        runOnce: () => this.judgeGaps(),
      },
    ];
  }

  /** Evaluates the alerts about breakers, streams and stale series. */
  async judgePolls(): Promise<JobReport> {
    const { clock, database, exchanges, metrics } = this.#archive;
    return await this.#judgeAll(async () => {
      const all = await readCoverageEnds(database);
      // A reload may have taken series out meanwhile: their metrics must not come back.
      const ends = polledEnds(all, this.#archive.config);
      for (const { series: { exchange, symbol, timeframe }, coveredUntilMs } of ends) {
        const labels = { exchange, symbol, timeframe: timeframe.text };
        metrics.coveredUntilSeconds.set(labels, coveredUntilMs / 1000);
      }
      const nowMs = clock.now();
      return {
        breaker_open: breakerConditions(exchanges, nowMs),
        access_denied: deniedConditions(exchanges, nowMs),
        stream_down: streamConditions(exchanges, { streams: this.#streams, nowMs }),
        polls_skipped: skippedConditions(exchanges, nowMs),
        stale: staleConditions(ends, {
          ...{ exchanges, nowMs },
          isStreamed: (id) => this.#streams.state(id).kind !== "off",
        }),
      };
    });
  }

  /** Reads the accounts, and evaluates the alerts about gaps and losses. */
  async judgeGaps(): Promise<JobReport> {
    const { config, clock, database } = this.#archive;
    return await this.#judgeAll(async () => {
      const nowMs = clock.now();
      const replaced = await readReplaced(database, nowMs - CHANGED_MS);
      const accounts = await takeStock(this.#archive);
      return {
        gap_percent: gapConditions(accounts, config.gapAlertPercent),
        retention_loss: lossConditions(accounts, { nowMs, newestCandlesMax }),
        listing_changed: changedConditions(replaced, nowMs),
      };
    });
  }

  /** Resolves when nothing is being sent. */
  async idle(): Promise<void> {
    await this.#sending;
  }

  /** Stops the sender. Messages that are not sent yet are sent after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the alerts are stopping"));
    await this.idle();
  }

  /**
   * Evaluates alerts, then starts a sender, unless the webhook has asked to wait. It starts even if the evaluation fails.
   */
  async #judgeAll(
    find: () => Promise<Partial<Readonly<Record<AlertKind, readonly Condition[]>>>>,
  ): Promise<JobReport> {
    const report = { began: 0, ended: 0 };
    if (this.#stopping.signal.aborted) return report;
    try {
      const conditions = await find();
      for (const alert of ALERTS) {
        const found = conditions[alert];
        if (found === undefined) continue;
        const { begins, ends } = await this.#judge(alert, found);
        report.began += begins.length;
        report.ended += ends.length;
      }
    } finally {
      this.#hasNews = true;
      if (!this.#isWaiting) this.#sending ??= this.#send();
    }
    return report;
  }

  async #judge(
    alert: AlertKind,
    conditions: readonly Condition[],
  ): Promise<{ readonly begins: readonly unknown[]; readonly ends: readonly unknown[] }> {
    const { clock, database, events, log, metrics } = this.#archive;
    const running = await readRunningAlerts(database, alert);
    const held = this.#held.get(alert) ?? new Map<string, number>();
    const changes = reconcile({ conditions, running, held, holdRuns: HOLD_RUNS[alert] });
    const nowMs = clock.now();
    // Ends are stored first, so that they are stored even if the beginnings cannot be.
    await endAlerts(database, changes.ends.map(({ id }) => id), nowMs);
    for (const { summary, beganMs, exchange, symbol, timeframe } of changes.ends) {
      const text = `Resolved: ${summary}`;
      events.note({ kind: "alert_ended", alert, exchange, symbol, timeframe, text });
      log.info("alert ended", { alert, summary, since: new Date(beganMs).toISOString() });
    }
    await beginAlerts(database, alert, { conditions: changes.begins, nowMs });
    for (const { value, threshold, summary: text, ...subject } of changes.begins) {
      const { exchange, symbol, timeframe } = subject;
      events.note({ kind: "alert_began", alert, exchange, symbol, timeframe, text });
      log.warn("alert began", { alert, summary: text, value, threshold });
    }
    this.#held.set(alert, changes.held);
    const firing = [...running.filter((one) => !changes.ends.includes(one)), ...changes.begins];
    for (const { id } of this.#archive.exchanges) {
      const count = firing.filter(({ exchange }) => exchange === id).length;
      metrics.alerts.set({ alert, exchange: id }, count);
    }
    return changes;
  }

  get #isWaiting(): boolean {
    const { clock, config } = this.#archive;
    return this.#waiting?.url === config.alertWebhookUrl &&
      clock.now() < (this.#waiting?.untilMs ?? 0);
  }

  async #send(): Promise<void> {
    // One webhook and its form for as long as this goes on, also where a reload names another one.
    const archive = { ...this.#archive };
    const { clock, config, database, failures, log } = archive;
    const { alertWebhookUrl: url, alertWebhookFormat: setting } = config;
    const { signal } = this.#stopping;
    try {
      if (url === undefined) return await dropUnsentNews(database);
      const receiver = { url, format: webhookFormat(url, setting) };
      while (this.#hasNews) {
        this.#hasNews = false;
        const unsent = await readUnsentNews(database, NEWS_MAX);
        for (const post of postsOf(unsent, { ...receiver, nowMs: clock.now() })) {
          await this.#sendOne(archive, post, receiver.format);
        }
        if (unsent.length === NEWS_MAX) this.#hasNews = true;
        else if (receiver.format === "alertmanager") await this.#sendFiring(archive, receiver);
      }
      failures.clear(SENDING);
    } catch (error) {
      if (error instanceof WebhookError) {
        this.#waiting = { url, untilMs: clock.now() + (error.waitMs ?? 0) };
      }
      if (signal.aborted || !failures.isNews(SENDING, errorText(error))) return;
      const level = isServerAway(error) ? "debug" : "warn";
      log[level]("alerts were not sent; they wait for the next run", { error });
    } finally {
      // No await since #hasNews was last read. So later messages start a new sender, and none is missed.
      this.#sending = undefined;
    }
  }

  async #sendOne(
    archive: Archive,
    post: AlertPost<AlertNews>,
    format: WebhookFormat,
  ): Promise<void> {
    const { clock, database, log } = archive;
    const { signal } = this.#stopping;
    try {
      await postAlerts(archive, post, { format, signal });
    } catch (error) {
      if (!(error instanceof WebhookError) || error.kind !== "refused") throw error;
      for (const { alert, state, summary } of post.alerts) {
        log.error("the webhook refused an alert for good: it is not sent again", {
          alert,
          state,
          summary,
          error,
        });
      }
    }
    for (const news of post.alerts) await markNewsSent(database, news, clock.now());
  }

  /**
   * Sends what is firing once more. An Alertmanager keeps alerts in memory alone, and takes those that are not repeated for
   * ended (prometheus.io/docs/alerting/latest/clients).
   */
  async #sendFiring(
    archive: Archive,
    receiver: { readonly url: string; readonly format: WebhookFormat },
  ): Promise<void> {
    const { clock, database } = archive;
    const { signal } = this.#stopping;
    let afterId = 0;
    while (true) {
      const firing = await readFiringNews(database, { afterId, newsMax: NEWS_MAX });
      for (const post of postsOf(firing, { ...receiver, nowMs: clock.now() })) {
        await postAlerts(archive, post, { format: receiver.format, signal });
      }
      if (firing.length < NEWS_MAX) return;
      afterId = firing.at(-1)!.id;
    }
  }
}
