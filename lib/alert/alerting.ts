/** The alerts of one archive: evaluated by jobs, stored in the database, sent to the webhook. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { type AlertKind, ALERTS, type Condition, HOLD_RUNS, reconcile } from "../market/alert.ts";
import { readAlertHold, writeAlertHold } from "../store/alert_holds.ts";
import { beginAlerts, endAlerts, readRunningAlerts } from "../store/alerts.ts";
import { readCoverageEnds } from "../store/coverage_ends.ts";
import { readReplaced } from "../store/listings.ts";
import {
  CHANGED_MS,
  changedConditions,
  gapConditions,
  lossConditions,
  polledEnds,
  type WatchedStreams,
} from "./conditions.ts";
import type { Archive } from "../archive/archive.ts";
import type { Job, JobReport } from "../archive/job.ts";
import { takeStock } from "../gap/account.ts";
import { exchangeConditions, staleOfAll } from "./exchange_conditions.ts";
import { NodeReports } from "./node_reports.ts";
import { Outbox } from "./outbox.ts";

/**
 * What was counted less than this long ago by another node is counted once by both: a new leader may judge a moment after
 * the one before.
 */
const JUST_COUNTED_MS = 30_000;

/** What another process counted this long ago is not in a row any more: nobody judged since. */
const COUNTED_MS_MAX = 60 * 60_000;

/** Where candles come by polls alone. */
const NO_STREAMS: WatchedStreams = { state: () => ({ kind: "off" }) };

/** Evaluates the alerts, and keeps those that begin and end, from where they are sent. Of several nodes the leader does. */
export class Alerts {
  readonly #archive: Archive;
  readonly #outbox: Outbox;
  /** How long conditions have held, by kind and subject; see {@linkcode reconcile}. Nodes share what the database has. */
  readonly #held = new Map<AlertKind, ReadonlyMap<string, number>>();
  /** What is judged. The polls tell when they begin and end. */
  readonly reports: NodeReports;

  constructor(archive: Archive, streams: WatchedStreams = NO_STREAMS) {
    this.#archive = archive;
    this.#outbox = new Outbox(archive);
    this.reports = new NodeReports(archive, streams);
  }

  /** The jobs: `alerts` is woken after every poll, `gap_alerts` runs at the times of `GAPS_CRON`. */
  get jobs(): readonly Job[] {
    const common = { mayOverlap: false, isQuiet: true, isLeaders: true } as const;
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
    const { clock, database, metrics } = this.#archive;
    return await this.#judgeAll(async () => {
      const all = await readCoverageEnds(database);
      // A reload may have taken series out meanwhile: their metrics must not come back.
      const ends = polledEnds(all, this.#archive.config);
      for (const { series: { exchange, symbol, timeframe }, coveredUntilMs } of ends) {
        const labels = { exchange, symbol, timeframe: timeframe.text };
        metrics.coveredUntilSeconds.set(labels, coveredUntilMs / 1000);
      }
      const { reports, holders } = await this.reports.read();
      const nowMs = clock.now();
      const { config: { exchanges } } = this.#archive;
      return {
        ...exchangeConditions(reports, { exchanges, nowMs }),
        stale: staleOfAll(ends, { reports, holders, nowMs }),
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
    await this.#outbox.idle();
  }

  /** Stops the sender. Messages that are not sent yet are sent after the next start. */
  async stop(): Promise<void> {
    await this.#outbox.stop();
  }

  /**
   * Evaluates alerts, then starts a sender, unless the webhook has asked to wait. It starts even if the evaluation fails.
   */
  async #judgeAll(
    find: () => Promise<Partial<Readonly<Record<AlertKind, readonly Condition[]>>>>,
  ): Promise<JobReport> {
    const report = { began: 0, ended: 0 };
    if (this.#outbox.isStopped) return report;
    // The lease under which it is judged: what comes of it is kept only as long as nobody else has it.
    const { node } = this.#archive.leases;
    try {
      const conditions = await find();
      for (const alert of ALERTS) {
        const found = conditions[alert];
        if (found === undefined) continue;
        const { begins, ends } = await this.#judge(alert, { conditions: found, node });
        report.began += begins.length;
        report.ended += ends.length;
      }
    } finally {
      this.#outbox.wake();
    }
    return report;
  }

  async #judge(
    alert: AlertKind,
    { conditions, node }: {
      readonly conditions: readonly Condition[];
      readonly node: string | undefined;
    },
  ): Promise<{ readonly begins: readonly unknown[]; readonly ends: readonly unknown[] }> {
    const { clock, database, events, log, metrics } = this.#archive;
    const running = await readRunningAlerts(database, alert);
    const held = await this.#readHeld(alert, node);
    const changes = reconcile({ conditions, running, held, holdRuns: HOLD_RUNS[alert] });
    const nowMs = clock.now();
    // Ends are stored first, so that they are stored even if the beginnings cannot be.
    const ended = changes.ends.map(({ id }) => id);
    if (!await endAlerts(database, ended, { nowMs, node })) return NOTHING;
    for (const { summary, beganMs, exchange, symbol, timeframe } of changes.ends) {
      const text = `Resolved: ${summary}`;
      events.note({ kind: "alert_ended", alert, exchange, symbol, timeframe, text });
      log.info("alert ended", { alert, summary, since: new Date(beganMs).toISOString() });
    }
    const begun = { conditions: changes.begins, nowMs, node };
    if (!await beginAlerts(database, alert, begun)) return { ...NOTHING, ends: changes.ends };
    for (const { value, threshold, summary: text, ...subject } of changes.begins) {
      const { exchange, symbol, timeframe } = subject;
      events.note({ kind: "alert_began", alert, exchange, symbol, timeframe, text });
      log.warn("alert began", { alert, summary: text, value, threshold });
    }
    await this.#keepHeld(alert, { held: changes.held, before: held, node });
    const firing = [...running.filter((one) => !changes.ends.includes(one)), ...changes.begins];
    for (const { id } of this.#archive.exchanges) {
      const count = firing.filter(({ exchange }) => exchange === id).length;
      metrics.alerts.set({ alert, exchange: id }, count);
    }
    return changes;
  }

  /** For how many runs conditions have held, whoever has judged. */
  async #readHeld(
    alert: AlertKind,
    node: string | undefined,
  ): Promise<ReadonlyMap<string, number>> {
    if (node === undefined || HOLD_RUNS[alert] === 1) return this.#held.get(alert) ?? new Map();
    const { held, ageMs = Infinity, node: counter } = await readAlertHold(
      this.#archive.database,
      alert,
    );
    if (counter !== node && ageMs >= COUNTED_MS_MAX) return new Map();
    if (counter === node || ageMs >= JUST_COUNTED_MS) return held;
    return new Map([...held].map(([name, runs]) => [name, runs - 1]));
  }

  async #keepHeld(
    alert: AlertKind,
    { held, before, node }: {
      readonly held: ReadonlyMap<string, number>;
      readonly before: ReadonlyMap<string, number>;
      readonly node: string | undefined;
    },
  ): Promise<void> {
    if (node === undefined) this.#held.set(alert, held);
    // Most of the time nothing holds, and nothing has held.
    else if (HOLD_RUNS[alert] > 1 && held.size + before.size > 0) {
      await writeAlertHold(this.#archive.database, alert, { held, node });
    }
  }
}

const NOTHING = { begins: [], ends: [] } as const;
