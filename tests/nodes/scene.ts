/** One schedule's world: exchanges that tell addresses apart, a server, and nodes that each find it by a way of their own. @module */
import { systemClock } from "../../lib/clock.ts";
import { type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { freePort, ProgramKeeper } from "../faults/scene.ts";
import { DENIED_PAGES } from "../faults/refusing_answers.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { isTakenBack } from "../support/local_exchange/row_fault.ts";
import { settleQuickly } from "../support/quick_settling.ts";
import { startSwallowingProxy, type SwallowingProxy } from "../support/swallowing_proxy.ts";
import { startWebhook, type TestWebhook } from "../support/webhook.ts";
import type { NewerProgram } from "../support/program.ts";
import type { Pardon } from "./asked.ts";
import type { NodesSchedule } from "./schedule.ts";

/** What a scene's database is, and how it is given up and taken over. */
export interface SceneServer {
  /** DATABASE_URL, as the test finds it. */
  readonly url: string;
  /** DATABASE_URL, as nodes find it. */
  readonly nodeUrl: string;
  /** Kills the primary and makes the standby one; undefined where there is none. */
  readonly promote?: (() => Promise<void>) | undefined;
  drop(): Promise<void>;
}

export interface Node {
  readonly egress: string;
  /** Undefined where the server may become another one. */
  readonly proxy: SwallowingProxy | undefined;
  /** The settings; other ones after a move to another place. */
  env: Readonly<Record<string, string>>;
  /** The process; another one then. */
  keeper: ProgramKeeper;
  /** Resolves when nothing befalls it that was to befall it so far. */
  free: Promise<void>;
}

export interface NodesScene {
  readonly schedule: NodesSchedule;
  readonly exchange: LocalExchange;
  /** It refuses every address. */
  readonly refusing: LocalExchange;
  readonly symbols: readonly LocalSymbol[];
  readonly webhook: TestWebhook;
  readonly server: SceneServer;
  readonly nodes: Node[];
  /** Of the nodes' own pages. */
  readonly pardons: Pardon[];
  /** Addresses that the exchange answers no more. */
  readonly banned: Set<string>;
  /** What is installed where the nodes run, if not the program that is tested. */
  installed: NewerProgram | undefined;
  /** Ends of processes that nobody asked for. */
  readonly crashes: string[];
  readonly cwd: string;
  readonly startMs: number;
  /** Adds a node, which runs. */
  addNode(egress: string, changed?: Readonly<Record<string, string>>): Node;
  /** The settings of a node at an egress. */
  envOf(egress: string, databaseUrl: string): Readonly<Record<string, string>>;
  /** The settings of an archive that knows nothing of nodes, and of one exchange alone. */
  readonly variables: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Between two polls. */
export const TICK_MS = 2_000;

/** An exchange that refuses everybody: another class of CCXT that speaks the same dialect. */
export const REFUSING = "binanceus";

/** So much that a schedule's troubles meet a backfill. */
export const REACH_DAYS = 3;

/** Of one address, in a second. */
const REQUESTS_A_SECOND = 12;

/** CCXT counts a request for candles as so much of one at the pace of `rateLimit`. */
export const CANDLES_COST = 0.4;

/**
 * From then on what is told of a candle is final. Sooner than nodes are told to take for final (`settleQuickly`), and that is
 * sooner than a takeover: a page that is stored after it finds the time of its candles covered.
 */
const YOUNG_MS = 5_000;

/** Of some symbols. None of the others: a page that differs in anything else is refused for that already. */
const TAKEN_BACK = { everyMs: 7_000, lateMs: YOUNG_MS } as const;

const LETTERS = "ABCDEFGH";

/** Builds everything; nothing runs but the exchanges. */
export async function openScene(
  schedule: NodesSchedule,
  server: SceneServer,
): Promise<NodesScene> {
  const startMs = systemClock.now();
  await settleQuickly(server.url);
  const symbols = Array.from(
    { length: schedule.symbols },
    (_, i) =>
      market(`Q${LETTERS[i]}Z/USDT`, {
        tickDecimals: 2,
        price: 100 * (i + 1) + schedule.seed % 50,
        quoteVolume24h: 1_000_000,
      }),
  );
  const exchange = await startLocalExchange({
    clock: systemClock,
    symbols,
    rateLimit: { perSecond: 2 * REQUESTS_A_SECOND, eachVisitor: true },
    requestsMax: 50_000,
  });
  spoilYoung(exchange, symbols, startMs);
  const refusing = await startLocalExchange({ clock: systemClock, symbols, requestsMax: 1_000 });
  refusing.faults.add({ fault: DENIED_PAGES.at(-1)! });
  const webhook = startWebhook();
  const cwd = await Deno.makeTempDir({ prefix: "titan10-nodes-" });
  const nodes: Node[] = [];
  const crashes: string[] = [];
  const settings = settingsOf({ exchange, refusing, symbols, webhook });
  const envOf = (egress: string, databaseUrl: string): Readonly<Record<string, string>> => ({
    ...settings,
    EGRESS: egress,
    DATABASE_URL: databaseUrl,
    DATA_DIR: `${cwd}/data`,
    HTTP_PORT: String(freePort()),
  });
  const { EXCHANGE_BINANCEUS: _, ...variables } = settings;
  const scene: NodesScene = {
    ...{ schedule, exchange, refusing, symbols, webhook, server, nodes, crashes, cwd, startMs },
    pardons: [],
    banned: new Set(),
    installed: undefined,
    envOf,
    variables: { ...variables, EXCHANGES: "binance" },
    addNode(egress, changed = {}): Node {
      const proxy = server.promote === undefined ? startSwallowingProxy(server.nodeUrl) : undefined;
      const env = { ...envOf(egress, proxy?.url ?? server.nodeUrl), ...changed };
      const keeper = keeperOf(scene, env);
      const node = { egress, proxy, env, keeper, free: Promise.resolve() };
      node.keeper.start();
      nodes.push(node);
      return node;
    },
    async close(): Promise<void> {
      for (const { keeper } of nodes) await keeper.end("SIGKILL");
      for (const { proxy } of nodes) await proxy?.close();
      await server.drop();
      await webhook.close();
      await exchange.close();
      await refusing.close();
      await scene.installed?.remove();
      await Deno.remove(cwd, { recursive: true });
    },
  };
  return scene;
}

/**
 * What a page that is stored late would put back. Young candles are half-formed, which numbers of pages refuse where a newer
 * page has been stored. Or some are taken back: a row where a newer answer has none, only the lease of its page refuses.
 */
function spoilYoung(
  { faults }: LocalExchange,
  symbols: readonly LocalSymbol[],
  sinceMs: number,
): void {
  for (const { symbol } of symbols) {
    faults.add({
      when: { about: "candles", timeframe: "1s", symbol, sinceMs },
      fault: isOfTakenBack(symbols, symbol)
        ? { kind: "taken_back", ...TAKEN_BACK }
        : { kind: "late_final", lateMs: YOUNG_MS },
    });
  }
}

/** Every other symbol. */
function isOfTakenBack(symbols: readonly LocalSymbol[], of: string): boolean {
  return symbols.findIndex(({ symbol }) => symbol === of) % 2 === 1;
}

/** Whether a candle was given only while it was young. */
export function isGivenYoungOnly(
  { symbols, startMs }: Pick<NodesScene, "symbols" | "startMs">,
  { symbol, timeframe, openTimeMs }: {
    readonly symbol: string;
    readonly timeframe: string;
    readonly openTimeMs: number;
  },
): boolean {
  return timeframe === "1s" && openTimeMs >= startMs && isOfTakenBack(symbols, symbol) &&
    isTakenBack(openTimeMs, TAKEN_BACK);
}

function keeperOf(scene: NodesScene, env: Node["env"]): ProgramKeeper {
  const programNow = (): NewerProgram | undefined => scene.installed;
  return new ProgramKeeper({ cwd: scene.cwd, env, openFilesMax: undefined, programNow });
}

export function httpOf({ env }: Pick<Node, "env">): string {
  return `http://127.0.0.1:${env["HTTP_PORT"]}`;
}

/** Starts a node with other settings, or at another place. */
export function startAnew(scene: NodesScene, node: Node, changed: Node["env"]): void {
  scene.crashes.push(...node.keeper.crashes);
  node.env = { ...node.env, ...changed };
  node.keeper = keeperOf(scene, node.env);
  node.keeper.start();
}

/** Does something to nodes when nothing else befalls any of them, and lets nothing befall them meanwhile. */
export async function inTurn(nodes: readonly Node[], act: () => Promise<void>): Promise<void> {
  const before = nodes.map(({ free }) => free);
  const acting = Promise.all(before).then(act);
  for (const node of nodes) node.free = acting.catch(() => {});
  await acting;
}

function settingsOf(
  { exchange, refusing, symbols, webhook }: Pick<
    NodesScene,
    "exchange" | "refusing" | "symbols" | "webhook"
  >,
): Readonly<Record<string, string>> {
  const place = ({ url }: LocalExchange): string =>
    JSON.stringify({
      urls: { api: { public: `${url}/api/v3` } },
      rateLimit: 1_000 / REQUESTS_A_SECOND / CANDLES_COST,
    });
  return {
    EXCHANGES: `binance,${REFUSING}`,
    SYMBOLS: symbols.map(({ symbol }) => symbol).join(","),
    TIMEFRAMES: "1s",
    BACKFILL: `1s:1h,1m:${REACH_DAYS}d`,
    EXCHANGE_BINANCE: place(exchange),
    EXCHANGE_BINANCEUS: place(refusing),
    PAGE_LIMIT: "100",
    POLL_CANDLES: "30",
    POLL_CRON: `*/${TICK_MS / 1_000} * * * * *`,
    GAPS_CRON: "*/3 * * * * *",
    BACKFILL_CRON: "*/3 * * * * *",
    // Longer than a busy machine takes: what is asked twice must have another reason.
    FETCH_TIMEOUT: "10s",
    RETRY_ATTEMPTS: "3",
    RETRY_MIN: "20ms",
    RETRY_MAX: "200ms",
    BREAKER_COOLDOWN: "300ms",
    DB_POOL_MAX: "4",
    LOG_LEVEL: "warning",
    COMPRESS_AFTER: "off",
    ALERT_WEBHOOK_URL: webhook.url,
  };
}
