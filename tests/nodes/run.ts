/** Runs one schedule: nodes start, troubles come over them and end, then archive, log and posts are judged. @module */
import { type Clock, systemClock } from "../../lib/clock.ts";
import { backfill } from "../../lib/fetch/backfill.ts";
import { refreshMarkets } from "../../lib/fetch/markets.ts";
import { bringUpToDate } from "../../lib/gap/look_through.ts";
import { repairGaps } from "../../lib/gap/repair.ts";
import type { Status } from "../../lib/serve/status.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { judgeSeries, judgeViews, sumVerdicts, type Verdict } from "../faults/oracle.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { SETTLE_SECONDS } from "../support/quick_settling.ts";
import { askedTwice, candleRequests, longestUnpolled } from "./asked.ts";
import { toldTwice } from "./posts.ts";
import { judgePutBack } from "./put_back.ts";
import {
  httpOf,
  isGivenYoungOnly,
  type Node,
  type NodesScene,
  openScene,
  REACH_DAYS,
  REFUSING,
  type SceneServer,
  TICK_MS,
} from "./scene.ts";
import type { NodesSchedule } from "./schedule.ts";
import { strike, UNSTORED_MS } from "./troubles.ts";
import { forgetUpgrade, noteRefused } from "./upgrade.ts";

export interface NodesOutcome extends Verdict {
  /** True values that an older one has replaced. */
  readonly putBack: number;
  /** Windows of history that were asked for again although nothing was lost. */
  readonly askedTwice: number;
  /** Whether a symbol was left alone for longer than a takeover takes. */
  readonly unpolled: number;
  /** Posts about an event that was told of already, or a post that is missing. */
  readonly posts: number;
  /** Ends that nobody asked for, and nodes that do not come to rest. */
  readonly crashes: number;
  /** What the figures are, where all is well, too. */
  readonly longestUnpolledMs: number;
  readonly askedAgain: number;
  /** When each part was over, in seconds after the start. */
  readonly times: string;
  readonly notes: readonly string[];
}

/** How long nodes may take to their first polls, and to catch up in the end. On a busy machine. */
const STEADY_MS_MAX = 60_000;
const SETTLE_MS_MAX = 90_000;

/**
 * A lease, a heartbeat, two ticks, and something for a machine that is busy. Where the server changes, the lease may be
 * lost with it, and nodes find the new server.
 */
const UNPOLLED_MS_MAX = 15_000 + 5_000 + 2 * TICK_MS + 5_000;
const CHANGE_MS_MAX = 15_000;

/** From where the judge asks. */
const JUDGE = "127.0.0.1";

/** Candles that closed so little ago may be owed: they may not be final. Of minutes it may be one. */
const YOUNG_MS_MAX = 30_000;

/** A `Date` header has whole seconds. */
const FINAL_MS = (SETTLE_SECONDS + 1) * 1_000;
const LONG_AGO_MS = 5 * 60_000;
const MINUTE_MS = 60_000;

/** Of history, what is older is asked for once. */
const HISTORY_MS = 10 * MINUTE_MS;

/** Shorter than the archive reaches, which moves on. */
const JUDGED_MS = (REACH_DAYS - 1) * 24 * 60 * MINUTE_MS;

/** After these times gaps are asked for again; then every search has ended. */
const LATER_MS = [0, 6, 70, 75, 80, 85, 90].map((minutes) => minutes * MINUTE_MS);

/** Plays a schedule from its start to the verdict. */
export async function runNodes(
  schedule: NodesSchedule,
  server: SceneServer,
): Promise<NodesOutcome> {
  const scene = await openScene(schedule, server);
  try {
    for (const egress of schedule.egresses) scene.addNode(egress);
    const notes: string[] = [];
    const unsteady = await untilSteady(scene);
    if (unsteady !== undefined) {
      throw new Error([`not steady: ${unsteady}`, ...lastWords(scene)].join("\n"));
    }
    const steadyMs = systemClock.now();
    await Promise.all(schedule.steps.map(async (step) => {
      await systemClock.sleep(step.atMs);
      await strike(scene, step);
    }));
    const calmMs = systemClock.now();
    const unsettled = await untilSettled(scene, calmMs);
    if (unsettled !== undefined) notes.push(`not settled: ${unsettled}`, ...lastWords(scene));
    const endMs = systemClock.now();
    await endAll(scene);
    const verdict = await judge(scene, calmMs);
    const outcome = sumUp(scene, { verdict, notes, steadyMs, endMs });
    const after = (ms: number): string => ((ms - scene.startMs) / 1_000).toFixed(1);
    const judged = after(systemClock.now());
    const times = `steady ${after(steadyMs)}, calm ${after(calmMs)}, settled ${after(endMs)}, ` +
      `judged ${judged}, ${scene.exchange.requests.length} requests`;
    return { ...outcome, times };
  } finally {
    await scene.close();
  }
}

function sumUp(
  scene: NodesScene,
  { verdict, notes, steadyMs, endMs }: {
    readonly verdict: Verdict & { readonly putBack: number };
    readonly notes: readonly string[];
    readonly steadyMs: number;
    readonly endMs: number;
  },
): Omit<NodesOutcome, "times"> {
  const { exchange, symbols, webhook, pardons, crashes, startMs, schedule } = scene;
  const { requests } = exchange;
  const again = askedTwice(requests, { untilMs: startMs - HISTORY_MS, pardons });
  const unpolled = longestUnpolled(requests, { symbols, sinceMs: steadyMs, untilMs: endMs });
  const maxMs = UNPOLLED_MS_MAX + (schedule.server === "promoted" ? CHANGE_MS_MAX : 0);
  const isUnpolled = unpolled.forMs > maxMs;
  const posts = [...toldTwice(webhook.posts), ...missingPosts(scene)];
  return {
    ...verdict,
    askedTwice: again.unpardoned.length,
    askedAgain: again.pardoned,
    unpolled: isUnpolled ? 1 : 0,
    longestUnpolledMs: unpolled.forMs,
    posts: posts.length,
    crashes: crashes.length + (notes.length > 0 ? 1 : 0),
    notes: [
      ...notes,
      ...verdict.findings,
      ...again.unpardoned.slice(0, 5),
      ...(isUnpolled
        ? [
          `${unpolled.symbol} was not polled for ${unpolled.forMs} ms from ${
            new Date(unpolled.sinceMs).toISOString()
          }`,
        ]
        : []),
      ...posts,
      ...crashes,
    ],
  };
}

/** The one event that there always is: an exchange refuses all addresses. */
function missingPosts({ webhook }: NodesScene): readonly string[] {
  const isTold = webhook.posts.some(({ alert, exchange, state }) =>
    alert === "access_denied" && exchange === REFUSING && state === "firing"
  );
  return isTold ? [] : [`the webhook was not told that ${REFUSING} refuses access`];
}

/** Resolves when each address has polled, and each symbol was polled. Returns what is amiss when that takes too long. */
async function untilSteady(scene: NodesScene): Promise<string | undefined> {
  const { exchange, schedule, symbols } = scene;
  const endMs = systemClock.now() + STEADY_MS_MAX;
  for (;;) {
    const polls = candleRequests(exchange.requests, "1s");
    const visitors = new Set(polls.map(({ visitor }) => visitor));
    const polled = new Set(polls.map(({ query }) => query["symbol"]));
    const silent = schedule.egresses.filter((egress) => !visitors.has(egress));
    if (silent.length === 0 && polled.size === symbols.length) return undefined;
    if (systemClock.now() > endMs) {
      return `${
        silent.join(", ")
      } poll nothing, ${polled.size} of ${symbols.length} symbols are polled`;
    }
    await systemClock.sleep(100);
  }
}

/** Resolves when nothing old is owed, all nodes poll and all symbols are newer than `sinceMs`; else to what is amiss. */
async function untilSettled(scene: NodesScene, sinceMs: number): Promise<string | undefined> {
  const endMs = systemClock.now() + SETTLE_MS_MAX;
  let amiss = "no answer";
  while (systemClock.now() < endMs) {
    await systemClock.sleep(250);
    // As a supervisor would.
    for (const { keeper } of scene.nodes) keeper.start();
    const answers = await Promise.all(
      scene.nodes.map((node) => status(node).catch((error) => String(error))),
    );
    const broken = answers.find((answer) => typeof answer === "string");
    const [answer] = answers;
    if (broken !== undefined || answer === undefined || typeof answer === "string") {
      amiss = String(broken);
      continue;
    }
    const series = answer.series.filter(({ exchange }) => exchange === "binance");
    const behind = series.filter(({ owed, timeframe, last }) =>
      (owed - 1) * (timeframe === "1m" ? MINUTE_MS : 1_000) > YOUNG_MS_MAX ||
      (timeframe === "1s" && !(Date.parse(last ?? "") >= sinceMs))
    );
    const silent = silentNodes(scene);
    const isAll = series.length === 2 * scene.symbols.length;
    if (isAll && behind.length === 0 && silent.length === 0) return undefined;
    amiss = `${silent.join(", ")} poll nothing; ${series.length} series; ${
      behind.map(({ symbol, timeframe, owed, last, lastError }) =>
        `${symbol} ${timeframe} owes ${owed}, has candles to ${last} (${lastError})`
      ).join("; ")
    }`;
  }
  return amiss;
}

/** Addresses that have not polled lately although they may. */
function silentNodes({ exchange, nodes, banned }: NodesScene): readonly string[] {
  const sinceMs = systemClock.now() - 3 * TICK_MS;
  const polls = candleRequests(exchange.requests, "1s").filter(({ timeMs }) => timeMs >= sinceMs);
  const polling = new Set(polls.map(({ visitor }) => visitor));
  const egresses = new Set(nodes.map(({ egress }) => egress));
  return [...egresses].filter((egress) => !polling.has(egress) && !banned.has(egress));
}

async function status(node: Node): Promise<Status> {
  const response = await fetch(`${httpOf(node)}/status`, { signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`/status answers ${response.status}`);
  return await response.json();
}

async function endAll(scene: NodesScene): Promise<void> {
  const { nodes, crashes, pardons } = scene;
  for (const node of nodes) noteRefused(scene, node);
  // A stop ends what is under way.
  const sinceMs = systemClock.now() - UNSTORED_MS;
  const codes = await Promise.all(nodes.map(async (node) => {
    const code = await node.keeper.end("SIGTERM");
    return { node, code };
  }));
  for (const { node, code } of codes) {
    crashes.push(...node.keeper.crashes);
    if (code !== undefined && code !== 143 && code !== 0) {
      crashes.push(`the node at ${node.egress} ended with ${code}`);
    }
  }
  pardons.push({ visitor: undefined, sinceMs, untilMs: systemClock.now(), by: JUDGE });
}

function lastWords({ nodes }: NodesScene): readonly string[] {
  return nodes.map(({ egress, keeper }) => `${egress}: ${keeper.lastWords()}`);
}

/** Lets hours pass in which what is owed and what is missing is asked for again, and compares. */
async function judge(
  scene: NodesScene,
  calmMs: number,
): Promise<Verdict & { readonly putBack: number }> {
  const { server, variables } = scene;
  // Answers are judged by the exchange's clock, which knows nothing of the hours that pass below.
  await systemClock.sleep(Math.max(0, calmMs + FINAL_MS - systemClock.now()));
  const database = await openDatabase({
    url: server.url,
    dataDir: "",
    poolMax: 2,
    clock: systemClock,
  });
  try {
    const putBack = await judgePutBack(database, scene);
    // Bans of addresses that no node has any more are honoured by who comes next.
    if (scene.banned.size > 0) await database.sql`delete from exchange_egress`;
    // It is the version of before that judges.
    if (scene.installed !== undefined) await forgetUpgrade(database);
    const later = { ms: 0 };
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + later.ms };
    const archive = await openTestArchive(database, variables, clock);
    for (const one of archive.exchanges) await refreshMarkets(archive, one);
    await backfill(archive, { patient: false });
    await repairGaps(archive);
    const verdicts: Verdict[] = [await judgeViews(archive)];
    for (const ms of LATER_MS) {
      later.ms = LONG_AGO_MS + ms;
      await repairGaps(archive);
    }
    await bringUpToDate(archive);
    verdicts.push(...await judgeAll(database, scene, calmMs));
    const verdict = sumVerdicts(verdicts);
    return { ...verdict, putBack: putBack.length, findings: [...verdict.findings, ...putBack] };
  } finally {
    await database.close();
  }
}

/** Judges every series from the start of the scene, and those of minutes some days back as well. */
async function judgeAll(
  database: Database,
  scene: NodesScene,
  untilMs: number,
): Promise<readonly Verdict[]> {
  const { exchange, symbols, startMs } = scene;
  const verdicts: Verdict[] = [];
  for (const { symbol } of symbols) {
    for (
      const [timeframe, stepMs, sinceMs] of [
        ["1m", MINUTE_MS, startMs - JUDGED_MS],
        ["1s", 1_000, startMs],
      ] as const
    ) {
      const window = {
        sinceMs: Math.ceil(sinceMs / stepMs) * stepMs,
        untilMs: Math.floor(untilMs / stepMs) * stepMs,
      };
      const isTakenBack = (openTimeMs: number): boolean =>
        isGivenYoungOnly(scene, { symbol, timeframe, openTimeMs });
      const series = { exchange: "binance", symbol, timeframe, window, isTakenBack };
      verdicts.push(await judgeSeries(database, exchange, series));
    }
  }
  return verdicts;
}
