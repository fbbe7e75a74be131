/** The answers of the daemon's HTTP endpoints. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import { mayBeArchived } from "../config/symbols.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { forgottenEvent } from "../archive/event_log.ts";
import type { Archive } from "../archive/archive.ts";
import type { AskedRange } from "../archive/desire.ts";
import { examine } from "../doctor/checkup.ts";
import { makePlan } from "../fetch/plan.ts";
import type { Live } from "../live/live.ts";
import type { Ground } from "./open_archive.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import type { ReportRequest } from "../report/document.ts";
import { makeReport } from "../report/quality.ts";
import { SharedRun } from "../policy/shared_run.ts";
import { probePlace } from "../transfer/dataset_probe.ts";
import { askedPages } from "../transfer/asked_export.ts";
import { readCandleFile } from "../serve/candle_files.ts";
import { readCandlesDocument, readExplainedDocument } from "../serve/chart_answer.ts";
import { followedArchive } from "../serve/live_answer.ts";
import { readFundingGapEntries, readGapEntries } from "../serve/gap_list.ts";
import type { Answers, ForgetAnswer, ForgetRequest, Health } from "../serve/routes.ts";
import { slotsOf } from "../serve/exchange_slots.ts";
import { readEventsDocument, readNews } from "../serve/news.ts";
import {
  type ExchangeStatus,
  readStatus,
  SchemaBehindError,
  type Status,
  streamStatus,
} from "../serve/status.ts";
import { readStorageDocument } from "../serve/storage_report.ts";
import type { Database } from "../store/connection/database.ts";
import { type Migration, pendingMigrations } from "../store/connection/migrations.ts";
import { forgetSymbol } from "../store/forget.ts";
import { runQuery, SHARED_ROWS_MAX } from "../store/read_query.ts";
import { TwoPrimariesError } from "../store/connection/server_choice.ts";
import { StoreError } from "../store/connection/store_error.ts";
import type { Reloads } from "./reload.ts";
import { nextTime } from "./schedule.ts";
import type { Watchdog } from "./watchdog.ts";

/** A database that takes longer than this is not ready. Readiness probes usually time out after a few seconds. */
const READINESS_MS_MAX = 4_000;

interface AnswersOptions {
  readonly ground: Ground;
  /** Why the database is not ready, from memory; empty when it is. */
  readonly readiness: { readonly reasons: readonly string[] };
  readonly database: Database;
  readonly migrations: readonly Migration[];
  readonly startedAtMs: number;
  /** Both are set once the archive is open. */
  readonly state: { readonly archive?: Archive; readonly live?: Live };
  readonly watchdog: Watchdog;
  readonly reloads: Reloads;
}

/** The answers of a daemon, also while it is starting and has no archive yet. */
export function answersOf(options: AnswersOptions): Answers {
  const { ground, database, migrations, startedAtMs, state, watchdog, reloads } = options;
  const { clock, metrics } = ground;
  const visitors = (signal: AbortSignal): Database => database.visitors?.(signal) ?? database;
  const exchangeOf = (id: string): Archive["exchanges"][number] | undefined =>
    state.archive?.exchanges.find((exchange) => exchange.id === id);
  return {
    metrics,
    health: () => healthOf(watchdog.trouble === undefined ? [] : [watchdog.trouble]),
    readiness: () => healthOf([...options.readiness.reasons, ...unreadyWhy(state.archive)]),
    status: async (signal) => {
      const visited = visitors(signal);
      const pending = state.archive === undefined
        ? await pendingMigrations(visited, migrations)
        : [];
      const isUnmade = pending.length === migrations.length;
      if (pending.length > 0 && !isUnmade) throw new SchemaBehindError();
      const status = await readStatus({
        isUnmade,
        config: state.archive?.config ?? ground.config,
        database: visited,
        nowMs: clock.now(),
        startedAtMs,
        newestCandlesMax,
      });
      return {
        ...status,
        lastReload: reloads.last ?? null,
        exchanges: status.exchanges.map((row) =>
          withWork(row, {
            exchange: exchangeOf(row.exchange),
            live: state.live,
            isOnly: slotsOf(status.nodes, row.exchange).length < 2,
            isOurs: state.archive?.leases.mayAsk(row.exchange) === true,
          })
        ),
        jobs: withNextStarts(status.jobs, state.archive?.config ?? ground.config, clock.now()),
      };
    },
    news: (signal) => readNews(visitors(signal)),
    forming: (series) => state.live?.forming(series),
    followed: followedArchive(database, { visitors, clock }),
    events: (query, signal) => readEventsDocument(visitors(signal), query),
    candles: (query, signal) =>
      readCandlesDocument(visitors(signal), query, { nowMs: clock.now() }),
    explained: (query, signal) => readExplainedDocument(visitors(signal), query),
    file: (query, signal) => readCandleFile(visitors(signal), query),
    gaps: ({ what }) =>
      what === "funding" ? readFundingGapEntries(database) : readGapEntries(database),
    storage: () => readStorageDocument(database, { nowMs: clock.now() }),
    export: (asked) => askedPages(database, asked),
    report: (request, signal) => makeReport(visitors(signal), reportOptions(options, request)),
    forget: (asked) => forgetOn(database, state.archive ?? ground, asked),
    query: ({ text, timeoutMs }, signal) =>
      runQuery(database, text, { timeoutMs, signal, clock, rowsMax: SHARED_ROWS_MAX }),
    reload: () => reloads.ask(),
    plan: (query) => {
      if (state.archive === undefined) throw new Error("Cannot plan: the daemon is starting");
      return makePlan(state.archive, { asked: askedRange(query) });
    },
    doctor: () => {
      if (state.archive === undefined) throw new Error("Cannot examine: the daemon is starting");
      return examine(state.archive, { migrations, probePlace });
    },
  };
}

function unreadyWhy(archive: Archive | undefined): readonly string[] {
  if (archive === undefined) return ["the daemon is starting"];
  return hasWayOut(archive) ? [] : ["no exchange has a closed breaker"];
}

/** Whether it can ask an exchange. A node that may ask none stands by for those that do, and is ready. */
function hasWayOut({ exchanges, leases }: Archive): boolean {
  const asked = exchanges.filter(({ id }) => leases.mayAsk(id));
  const isStandingBy = asked.length === 0 && exchanges.length > 0;
  return isStandingBy || asked.some(({ breakers }) => breakers.isAnyClosed);
}

/** What only a running daemon knows of an exchange. Of one that another node asks it knows nothing. */
function withWork(
  row: ExchangeStatus,
  { exchange, live, isOnly, isOurs }: {
    readonly exchange: Archive["exchanges"][number] | undefined;
    readonly live: Live | undefined;
    /** Whether no other node reaches it by another egress. */
    readonly isOnly: boolean;
    readonly isOurs: boolean;
  },
): ExchangeStatus {
  if (exchange === undefined || !isOurs) return row;
  const { breakers, client, denial } = exchange;
  const { troubled } = breakers;
  const first = (times: readonly number[]): string | null =>
    times.length === 0
      ? null
      : new Date(times.reduce((least, time) => Math.min(least, time))).toISOString();
  const work = {
    paceMs: client.requestIntervalMs,
    stream: live === undefined ? null : streamStatus(live.state(exchange.id)),
  };
  if (!isOnly) return { ...row, ...work };
  // Also a ban of an egress by which nobody asks any more: this process may have had that name.
  const bannedUntil = row.bannedUntil ??
    (client.bans.length === 0 ? null : first([client.bannedUntilMs]));
  return {
    ...row,
    ...work,
    bannedUntil,
    breaker: breakers.worst,
    breakerOf: troubled.flatMap(({ kind }) => kind ?? []),
    breakerSince: first(troubled.map(({ sinceMs }) => sinceMs)),
    trialAt: first(troubled.map(({ untilMs }) => untilMs)),
    bannedOf: bannedUntil === null ? [] : exchange.bannedKinds,
    deniedSince: denial === undefined || denial === "unknown" ? null : first([denial.sinceMs]),
  };
}

/** The jobs with the times of their next runs, and those that have a time and have not run yet. */
function withNextStarts(
  jobs: Status["jobs"],
  { pollCron, gapsCron, backfillCron, datasetUrl, datasetCron }: Config,
  nowMs: number,
): Status["jobs"] {
  const crons = new Map([
    ["poll", pollCron],
    ["gaps", gapsCron],
    ["backfill", backfillCron],
    ...(datasetUrl === undefined ? [] : [["dataset", datasetCron] as const]),
  ]);
  const known = new Set(jobs.map(({ job }) => job));
  const added = [...crons.keys()].filter((job) => !known.has(job))
    .map((job) => ({
      job,
      lastStart: null,
      lastSuccess: null,
      lastOutcome: null,
      nextStart: null,
    }));
  return [...jobs, ...added].map((row) => {
    const cron = crons.get(row.job);
    const next = cron === undefined ? undefined : nextTime(cron, nowMs);
    return { ...row, nextStart: next?.toISOString() ?? null };
  });
}

function reportOptions(
  { ground, state }: AnswersOptions,
  request: ReportRequest,
): Parameters<typeof makeReport>[1] {
  const config = state.archive?.config ?? ground.config;
  return { config, clock: ground.clock, newestCandlesMax, request };
}

function askedRange(query: URLSearchParams): AskedRange {
  const msOf = (name: string): number | undefined =>
    query.has(name) ? Number(query.get(name)) : undefined;
  return { sinceMs: msOf("sinceMs"), untilMs: msOf("untilMs") };
}

/** Deletes a symbol that the settings in force do not ask for: else it would be there again with the next poll. */
async function forgetOn(
  database: Database,
  { config, events }: Pick<Ground, "config" | "events">,
  { exchange, symbol }: ForgetRequest,
): Promise<ForgetAnswer> {
  const isAsked = config.exchanges.includes(exchange) &&
    mayBeArchived(settingsOf(config, exchange).symbols, symbol);
  if (isAsked) {
    return { refused: `Cannot delete ${exchange} ${symbol}: the daemon's settings ask for it` };
  }
  const deleted = await forgetSymbol(database, { exchange, symbol });
  events?.note(forgottenEvent({ exchange, symbol }, deleted));
  return { deleted };
}

/**
 * Returns a function that tells why the database is not ready, within {@linkcode READINESS_MS_MAX}; nothing when it is. While
 * it does not answer it is not asked again.
 */
export function databaseReasons(
  { ground, database, migrations }: Pick<AnswersOptions, "ground" | "database" | "migrations">,
): (signal: AbortSignal) => Promise<readonly string[]> {
  const asking = new SharedRun<readonly string[]>();
  const read = (): Promise<readonly string[]> =>
    asking.join(() => pendingMigrations(database, migrations));
  const { writes } = database;
  return (signal) => reasonsOf(read, { clock: ground.clock, signal, writes });
}

async function reasonsOf(
  read: () => Promise<readonly string[]>,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly writes: Database["writes"];
  },
): Promise<readonly string[]> {
  try {
    const pending = await withDeadline(READINESS_MS_MAX, read, options);
    if (pending.length > 0) return [`migrations are missing: ${pending.join(", ")}`];
    const { trouble } = options.writes;
    return trouble === undefined ? [] : [`the database takes no writes: ${trouble}`];
  } catch (error) {
    if (error instanceof DeadlineError) return ["the database does not answer in time"];
    if (error instanceof StoreError && error.cause instanceof TwoPrimariesError) {
      return [
        "several hosts of DATABASE_URL act as primary (split brain): nothing is written until one is stopped",
      ];
    }
    const kind = error instanceof StoreError ? error.kind : "unknown";
    return [`the database does not answer (${kind})`];
  }
}

function healthOf(reasons: readonly string[]): Health {
  return { ok: reasons.length === 0, reasons };
}
