/** The daemon: starts its parts in order, and stops them in reverse order. @module */
import { dirname } from "node:path";
import { answersOf, databaseReasons } from "./answers.ts";
import { Alerts } from "../alert/alerting.ts";
import { type JobsOptions, scheduleOf } from "./jobs.ts";
import { unusedSettings } from "../doctor/config_hints.ts";
import {
  type Ground,
  type OpenArchive,
  openArchive,
  openConfigured,
  prepareDatabase,
} from "./open_archive.ts";
import { FirstMarkets, type StartSummary } from "./start_summary.ts";
import { Heartbeat } from "./heartbeat.ts";
import { isLoopback } from "../text/loopback.ts";
import { withDeadline } from "../policy/deadline.ts";
import { retry } from "../policy/retry.ts";
import { Live } from "../live/live.ts";
import { Readiness } from "./readiness.ts";
import { Reloads } from "./reload.ts";
import type { Schedule } from "./schedule.ts";
import { nodeOf } from "./own_node.ts";
import { followShares } from "./shares.ts";
import { streamSource } from "./open_streams.ts";
import { readPage } from "../serve/page_files.ts";
import { type HttpServer, serveHttp, serveUnix } from "../serve/http_server.ts";
import type { Answers } from "../serve/routes.ts";
import { controlSocketPath, makePrivateDir } from "../store/connection/data_dir.ts";
import type { Database } from "../store/connection/database.ts";
import { type Migration, readMigrations } from "../store/connection/migrations.ts";
import { isServerAway, StoreError } from "../store/connection/store_error.ts";
import { wasStopped } from "../store/events.ts";
import { errorText } from "../text/redact.ts";
import { VERSION } from "../version.ts";
import { Watchdog } from "./watchdog.ts";

interface DaemonOptions extends Omit<JobsOptions, "alerts" | "watchdog" | "onMarkets" | "streams"> {
  /** Ends the daemon. */
  readonly signal: AbortSignal;
  /** Registers what is done when the process is told to read its settings again. */
  readonly onHangup?: ((reload: () => void) => void) | undefined;
  /** Called with the URL of the HTTP server when it listens. */
  readonly onListening?: ((url: string) => void) | undefined;
  /** Called once when the exchanges have answered. @default it is logged */
  readonly onStarted?: ((summary: StartSummary) => void) | undefined;
}

/**
 * If the database is not available at start-up, it is tried again at growing intervals up to `RETRY_MAX`. After this
 * many attempts the intervals start at `RETRY_MIN` again.
 */
const START_ATTEMPTS = 1000;

/** After this long the daemon ends even if a part has not stopped: a part that fails may hang while it stops. */
const STOP_MS_MAX = 9_000;

/**
 * Runs until the signal is aborted. Then stops the schedule, aborts fetches, finishes the current writes and closes
 * the pool. If the database server is down, also at the start, the daemon waits for it.
 *
 * @throws DataDirHeldError, StoreError, ConfigError when it cannot start.
 * @throws Error when only a restart can fix its state.
 */
export async function runDaemon(ground: Ground, options: DaemonOptions): Promise<void> {
  const { log, metrics, clock } = ground;
  const { signal } = options;
  const startedAtMs = clock.now();
  metrics.buildInfo.set({ version: VERSION, deno: Deno.version.deno }, 1);
  const migrations = await readMigrations();
  const database = await openConfigured(ground, { awayIsLogged: "always", isServed: true });
  const look = databaseReasons({ ground, database, migrations });
  const readiness = new Readiness({ look, clock });
  const stops: (() => Promise<void>)[] = [() => database.close(), () => readiness.stop()];
  const state: { archive?: OpenArchive; live?: Live } = {};
  const reloads = new Reloads(ground);
  options.onHangup?.(() => void reloads.ask());
  const watchdog = pollWatchdog(ground, () => (state.archive ?? ground).config.pollCron);
  try {
    readiness.start();
    const answers = answersOf({
      ground,
      readiness,
      database,
      migrations,
      startedAtMs,
      state,
      watchdog,
      reloads,
    });
    const servers = await listen(answers, ground, database);
    for (const server of servers) stops.push(() => server.stop());
    const url = tellServers(servers, { ...options, log });
    for (const hint of unusedSettings(ground.config)) log.warn("a setting has no effect", { hint });
    const archive = await start(ground, database, { migrations, signal });
    state.archive = archive;
    archive.events.start(database);
    stops.push(() => archive.events.stop());
    const heartbeat = new Heartbeat(archive);
    stops.push(() => heartbeat.stop());
    // The migrations are in: probes need not wait for the next look.
    await readiness.look();
    const node = nodeOf(archive, { kind: "daemon", url });
    const live = state.live = new Live(archive, streamSource(archive));
    const alerts = new Alerts(archive, live);
    // Others have what this node held as soon as its work has ended.
    stops.push(async () => await node?.stop(), () => alerts.stop(), () => live.stop());
    const first = new FirstMarkets(archive.exchanges.map(({ id }) => id));
    const parts = { onMarkets: first.note.bind(first), alerts, watchdog, streams: live };
    const jobs = await scheduleOf(archive, { ...options, ...parts });
    const { schedule } = jobs;
    stops.push(() => schedule.stop());
    await node?.start();
    await noteStart(archive);
    // What it has got by then is there for the first runs.
    stops.push(followShares(archive, { jobs, streams: live }));
    schedule.start();
    reloads.start({ archive, schedule: jobs, streams: live });
    stops.push(tellStart(first, archive, { ...options, url }));
    await untilOver(archive, { watchdog, schedule, signal });
    log.info("stopping");
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await stopAll(stops, ground);
  }
}

function pollWatchdog({ clock, log }: Ground, cron: () => string): Watchdog {
  return new Watchdog({
    job: "poll",
    get cron() {
      return cron();
    },
    clock,
    log,
  });
}

/** Tells where the daemon listens. Returns the URL of the HTTP server. */
function tellServers(
  servers: readonly HttpServer[],
  { log, onListening }: Pick<DaemonOptions, "onListening"> & Pick<Ground, "log">,
): string {
  for (const { url } of servers) log.info("listening", { url });
  const url = servers.map(({ url }) => url).find((url) => url.startsWith("http")) ?? "";
  if (url !== "") onListening?.(url);
  return url;
}

/** Call when other nodes are known. */
async function noteStart({ database, events, log }: OpenArchive): Promise<void> {
  const isClean = await wasStopped(database).catch((error: unknown) => {
    log.debug("how the last run ended was not read", { error });
    return undefined;
  });
  const before = isClean === false
    ? ". The run before it has no end: it was killed, or the machine went down"
    : "";
  events.note({ kind: "daemon_started", text: `Titan-10 ${VERSION} started${before}` });
}

function noteStop({ events }: OpenArchive, error?: unknown): void {
  const why = error === undefined ? "" : `, to be started again: ${errorText(error)}`;
  events.note({ kind: "daemon_stopped", text: `Titan-10 ${VERSION} stopped${why}` });
}

/** Tells what the daemon is at work on, soon after its start. Returns a function that ends the wait for it. */
function tellStart(
  first: FirstMarkets,
  archive: OpenArchive,
  { onStarted, url }: Pick<DaemonOptions, "onStarted"> & { readonly url: string },
): () => Promise<void> {
  const { log } = archive;
  const stopping = new AbortController();
  const telling = first.summary(archive, { url, signal: stopping.signal }).then((summary) => {
    if (onStarted === undefined) log.info("started", { ...summary });
    else onStarted(summary);
  }).catch((error: unknown) => log.debug("the summary of the start was not written", { error }));
  return async () => {
    stopping.abort(new Error("the daemon is stopping"));
    await telling;
  };
}

/** Resolves when the signal is aborted; rejects when only a restart can fix the daemon's state. */
async function untilOver(
  archive: OpenArchive,
  { watchdog, schedule, signal }: {
    readonly watchdog: Watchdog;
    readonly schedule: Schedule;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { database, log } = archive;
  const crashed = database.crashed.then((error) => Promise.reject(error));
  try {
    const guarded = watchdog.guard(signal, { onClockSet: () => schedule.start() });
    await Promise.race([aborted(signal), guarded, crashed]);
    noteStop(archive);
  } catch (error) {
    noteStop(archive, error);
    log.fatal("stopping with an error, so that the daemon is started again", { error });
    throw error;
  }
}

/** Stops all parts. A failure is logged, not thrown: it must not block the other parts nor hide an earlier error. */
async function stopAll(
  stops: readonly (() => Promise<void>)[],
  { clock, log }: Ground,
): Promise<void> {
  const all = async (): Promise<void> => {
    for (const stop of stops.toReversed()) {
      await stop().catch((error: unknown) =>
        log.warn("a part of the daemon failed while stopping", { error })
      );
    }
  };
  await withDeadline(STOP_MS_MAX, all, { clock, name: "stopping" })
    .catch((error: unknown) =>
      log.warn("the daemon was ended before all of its parts had stopped", { error })
    );
}

async function start(
  ground: Ground,
  database: Database,
  { migrations, signal }: {
    readonly migrations: readonly Migration[];
    readonly signal: AbortSignal;
  },
): Promise<OpenArchive> {
  const { config, clock, random, log } = ground;
  const isAway = (error: unknown): boolean =>
    error instanceof StoreError && error.kind === "unavailable";
  const open = async (): Promise<OpenArchive> => {
    await prepareDatabase(database, ground, migrations);
    return await openArchive(database, ground);
  };
  for (;;) {
    try {
      return await retry(open, {
        ...config.retry,
        attempts: START_ATTEMPTS,
        clock,
        random,
        signal,
        isRetryable: isAway,
        onRetry: ({ delayMs, error }) => {
          // That it is away was logged already. Other passing errors are told here.
          const level = isServerAway(error) ? "debug" : "warn";
          log[level]("the archive was not opened; trying again", { delayMs, error });
        },
      });
    } catch (error) {
      if (signal.aborted || !isAway(error)) throw error;
    }
  }
}

async function listen(
  answers: Answers,
  { config, log, clock }: Ground,
  database: Database,
): Promise<readonly HttpServer[]> {
  const { httpHost: hostname, httpPort: port, httpToken: token } = config;
  const allowedHosts = config.httpAllowedHosts;
  if (token === undefined && !isLoopback(hostname)) {
    log.warn("everybody who can reach this port can read status and metrics: set HTTP_TOKEN", {
      host: hostname,
      port,
    });
  }
  const servers = [
    serveHttp(answers, {
      hostname,
      port,
      token,
      allowedHosts,
      log,
      clock,
      page: await readPage(),
    }),
  ];
  if (database.kind === "embedded") {
    const path = controlSocketPath(config.dataDir);
    await makePrivateDir(dirname(path));
    servers.push(await serveUnix(answers, { path, log, clock }));
  }
  return servers;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
