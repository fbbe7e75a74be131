/** The daemon: starts everything in order, stops it in reverse. @module */
import { newestCandlesMax } from "./exchange/limits.ts";
import { backfill, type BackfillProgress } from "./ingest/backfill.ts";
import { Alerts } from "./ingest/alerts.ts";
import type { Archive } from "./ingest/archive.ts";
import { examine } from "./ingest/doctor.ts";
import { reportGaps, takeStock } from "./ingest/gaps.ts";
import { runDuePolicies } from "./ingest/maintenance.ts";
import { makePlan } from "./ingest/plan.ts";
import { repairGaps } from "./ingest/repair.ts";
import { measureStorage } from "./ingest/storage.ts";
import { Poll, type PollReport } from "./ingest/poll.ts";
import { Upkeep } from "./ingest/upkeep.ts";
import { type Ground, openArchive, openConfigured, prepareDatabase } from "./open_archive.ts";
import { retry } from "./policy/retry.ts";
import { type Job, Schedule } from "./schedule.ts";
import {
  type Answers,
  type Health,
  type HttpServer,
  serveHttp,
  serveUnix,
} from "./serve/server.ts";
import { readGapsDocument } from "./serve/gaps.ts";
import { readStatus } from "./serve/status.ts";
import { readStorageDocument } from "./serve/storage.ts";
import { controlSocketPath } from "./store/data_dir.ts";
import type { Database } from "./store/database.ts";
import { readCheckpoints } from "./store/ledger.ts";
import {
  type Migration,
  pendingMigrations,
  readMigrations,
  timescaleVersion,
} from "./store/migrate.ts";
import { StoreError } from "./store/store_error.ts";
import { VERSION } from "./version.ts";

export interface DaemonOptions {
  /** Ends the daemon. */
  readonly signal: AbortSignal;
  /** Told where to look, as soon as something listens. */
  readonly onListening?: ((url: string) => void) | undefined;
  /** Told after every poll. */
  readonly onPoll?: ((report: PollReport) => void) | undefined;
  /** Told after every page of a backfill. */
  readonly onBackfillProgress?: ((progress: BackfillProgress) => void) | undefined;
  /** Told when a backfill of all exchanges has ended. */
  readonly onBackfillEnd?: (() => void) | undefined;
}

/** A database that is not there yet at start-up is tried again for this many times, up to RETRY_MAX apart. */
const START_ATTEMPTS_MAX = 1000;

/** A job may begin this late before the process counts as stuck. */
const LATE_MS_MAX = 3 * 60_000;

/** How often policies are looked at; each says itself how often it wants to run. */
const MAINTENANCE_CRON = "*/10 * * * *";

/**
 * Runs until the signal is aborted, then stops the schedule, aborts fetches, finishes the writes in hand and
 * closes the pool.
 *
 * @throws DataDirHeldError, StoreError, ConfigError when it cannot start.
 */
export async function runDaemon(ground: Ground, options: DaemonOptions): Promise<void> {
  const { log, metrics, clock } = ground;
  const { signal } = options;
  const startedAtMs = clock.now();
  metrics.buildInfo.set({ version: VERSION, deno: Deno.version.deno }, 1);
  const migrations = await readMigrations();
  const database = await openConfigured(ground);
  const stops: (() => Promise<void>)[] = [() => database.close()];
  const state: { archive?: Archive; schedule?: Schedule } = {};
  try {
    const answers = answersOf({ ground, database, migrations, startedAtMs, state });
    for (const server of await listen(answers, ground, database)) {
      stops.push(() => server.stop());
      log.info("listening", { url: server.url });
      if (server.url.startsWith("http")) options.onListening?.(server.url);
    }
    const archive = await start(ground, database, { migrations, signal });
    state.archive = archive;
    const alerts = new Alerts(archive);
    stops.push(() => alerts.stop());
    state.schedule = await scheduleOf(archive, { ...options, alerts });
    const { schedule } = state;
    stops.push(() => schedule.stop());
    schedule.start();
    for (const job of ["poll", "backfill", "gaps", "maintenance"] as const) schedule.runNow(job);
    await aborted(signal);
    log.info("stopping");
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}

async function start(
  ground: Ground,
  database: Database,
  { migrations, signal }: {
    readonly migrations: readonly Migration[];
    readonly signal: AbortSignal;
  },
): Promise<Archive> {
  const { config, clock, random, log } = ground;
  return await retry(async () => {
    await prepareDatabase(database, ground, migrations);
    return await openArchive(database, ground);
  }, {
    ...config.retry,
    attempts: START_ATTEMPTS_MAX,
    clock,
    random,
    signal,
    isRetryable: (error) => error instanceof StoreError && error.kind === "unavailable",
    onRetry: ({ delayMs, error }) => log.warn("the database is not there yet", { delayMs, error }),
  });
}

async function listen(
  answers: Answers,
  { config, log }: Ground,
  database: Database,
): Promise<readonly HttpServer[]> {
  const servers = [serveHttp(answers, { hostname: config.httpHost, port: config.httpPort, log })];
  if (database.kind === "embedded") {
    const path = controlSocketPath(config.dataDir);
    servers.push(await serveUnix(answers, { path, log }));
  }
  return servers;
}

async function scheduleOf(
  archive: Archive,
  { alerts, ...options }: DaemonOptions & { readonly alerts: Alerts },
): Promise<Schedule> {
  const { config } = archive;
  const poll = new Poll(archive);
  const upkeep = new Upkeep(archive);
  let isResumed = false;
  return new Schedule([
    {
      name: "poll",
      cron: config.pollCron,
      mayOverlap: true,
      run: async (signal) => {
        if (!isResumed) await resume(archive, poll);
        isResumed = true;
        const report = await poll.runOnce({ signal });
        options.onPoll?.(report);
        if (!signal.aborted) await alerts.afterPoll();
        return { ...report };
      },
    },
    {
      name: "gaps",
      cron: config.gapsCron,
      mayOverlap: false,
      run: async (signal) => {
        const repaired = await repairGaps(archive, { signal });
        const accounts = await takeStock(archive);
        if (!signal.aborted) await alerts.afterGaps(accounts);
        await measureStorage(archive);
        const isWorthIt = repaired.filled > 0 || upkeep.isDue;
        if (isWorthIt && !signal.aborted) await upkeep.run({ signal });
        return { ...repaired, ...reportGaps(accounts) };
      },
    },
    {
      name: "backfill",
      cron: config.backfillCron,
      mayOverlap: false,
      run: async (signal) => {
        const { onBackfillProgress: onProgress } = options;
        const reports = await backfill(archive, {
          signal,
          patient: true,
          ...(onProgress === undefined ? {} : { onProgress }),
        });
        if (!signal.aborted) options.onBackfillEnd?.();
        if (!signal.aborted) await upkeep.run({ signal });
        return sumUp(reports);
      },
    },
    ...await maintenanceOf(archive),
  ], archive);
}

/** A server runs TimescaleDB's policies by itself. */
async function maintenanceOf(archive: Archive): Promise<readonly Job[]> {
  const { database } = archive;
  if (database.kind === "server" || await timescaleVersion(database) === null) return [];
  return [{
    name: "maintenance",
    cron: MAINTENANCE_CRON,
    mayOverlap: false,
    run: async (signal) => ({ ...await runDuePolicies(archive, { signal }) }),
  }];
}

/** Tells the poll how far each series is answered for, so that it closes a short pause by itself. */
async function resume(archive: Archive, poll: Poll): Promise<void> {
  for (const { series, covered } of await readCheckpoints(archive.database)) {
    const untilMs = covered.at(-1)?.untilMs;
    if (untilMs !== undefined) poll.resumeFrom(series, untilMs);
  }
}

function sumUp(reports: readonly BackfillProgress[]): Readonly<Record<string, number>> {
  const total = { pages: 0, added: 0, revised: 0, rejected: 0, failed: 0 };
  for (const report of reports) {
    total.pages += report.pages;
    total.added += report.added;
    total.revised += report.revised;
    total.rejected += report.rejected;
    total.failed += report.failed;
  }
  return total;
}

interface AnswersOptions {
  readonly ground: Ground;
  readonly database: Database;
  readonly migrations: readonly Migration[];
  readonly startedAtMs: number;
  /** Filled as the daemon comes up. */
  readonly state: { readonly archive?: Archive; readonly schedule?: Schedule };
}

function answersOf({ ground, database, migrations, startedAtMs, state }: AnswersOptions): Answers {
  const { config, clock, metrics } = ground;
  const exchangeOf = (id: string): Archive["exchanges"][number] | undefined =>
    state.archive?.exchanges.find((exchange) => exchange.id === id);
  return {
    metrics,
    health: () => {
      const isStuck = state.schedule?.isLate("poll", LATE_MS_MAX) ?? false;
      return healthOf(isStuck ? ["no poll has begun for longer than its schedule allows"] : []);
    },
    readiness: async () => {
      const reasons: string[] = [];
      try {
        const pending = await pendingMigrations(database, migrations);
        if (pending.length > 0) reasons.push(`migrations are missing: ${pending.join(", ")}`);
      } catch (error) {
        const kind = error instanceof StoreError ? error.kind : "unknown";
        reasons.push(`the database does not answer (${kind})`);
      }
      const { archive } = state;
      if (archive === undefined) reasons.push("the daemon is starting");
      else if (!archive.exchanges.some(({ breaker }) => breaker.state.kind === "closed")) {
        reasons.push("no exchange has a closed breaker");
      }
      return healthOf(reasons);
    },
    status: async () => {
      const status = await readStatus({
        config,
        database,
        nowMs: clock.now(),
        startedAtMs,
        newestCandlesMax,
      });
      return {
        ...status,
        exchanges: status.exchanges.map((exchange) => ({
          ...exchange,
          breaker: exchangeOf(exchange.exchange)?.breaker.state.kind ?? exchange.breaker,
        })),
      };
    },
    gaps: () => readGapsDocument(database),
    storage: () => readStorageDocument(database, { nowMs: clock.now() }),
    plan: () => {
      if (state.archive === undefined) throw new Error("Cannot plan: the daemon is starting");
      return makePlan(state.archive);
    },
    doctor: () => {
      if (state.archive === undefined) throw new Error("Cannot examine: the daemon is starting");
      return examine(state.archive, { migrations });
    },
  };
}

function healthOf(reasons: readonly string[]): Health {
  return { ok: reasons.length === 0, reasons };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
