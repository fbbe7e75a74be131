/** One schedule's world: exchange, database and program, each of which can be broken. @module */
import postgres from "postgres";
import { type Clock, systemClock } from "../../lib/clock.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import type { LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import { isContract } from "../../lib/market/symbol.ts";
import type { PostgresServer } from "../support/postgres_server.ts";
import { type NewerProgram, type Running, start } from "../support/program.ts";
import { createServerDatabase } from "../support/test_database.ts";
import { BINANCE, dialectOf } from "./exchange_class.ts";
import { marketsOf, type SecondMarket } from "./local_markets.ts";
import { CLOCKS_CAN_JUMP, type MachineClock, makeMachineClock } from "./machine_clock.ts";
import type { Schedule } from "./schedule.ts";
import { startStreamWire, type StreamWire } from "./stream_wire.ts";
import { startWire, type Wire } from "./wire.ts";

const HOUR_MS = 3_600_000;

/** How far back the archive reaches. */
const REACH_MS = { "1h": 12 * HOUR_MS, "1m": 12 * HOUR_MS, "1s": HOUR_MS } as const;

/** A supervisor's patience, and something for a machine that is busy. */
const END_MS_MAX = 20_000;

/** Cluster role of the program: no superuser, so that limits hold for it. */
const ROLE = "titan10_faults";

export type Sql = ReturnType<typeof postgres>;

/** A clock that can be wrong. */
export interface ShiftedClock extends Clock {
  shiftMs: number;
}

export interface Scene {
  readonly schedule: Schedule;
  /** What is true in this scene; `exchangeClock` and `machineClock` may be wrong. */
  readonly clock: Clock;
  readonly exchange: LocalExchange;
  readonly exchangeClock: ShiftedClock;
  readonly machineClock: MachineClock;
  readonly symbols: readonly LocalSymbol[];
  /** What is archived of spot markets, and how far back. Milliseconds. */
  readonly reachesMs: readonly Reach[];
  /** Second markets that faults have listed, by symbol. They stay. */
  readonly seconds: Map<string, SecondMarket>;
  /** Symbols whose kind is refused for good. */
  readonly refused: Set<string>;
  readonly wire: Wire;
  /** In front of the exchange's stream, which is that of Binance. */
  readonly streamWire: StreamWire;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The server, where the database is not embedded. */
  readonly server: PostgresServer | undefined;
  /** The server as its superuser, in the program's database. */
  readonly admin: Sql | undefined;
  /** Directory whose disk can be filled. */
  readonly smallDisk: string | undefined;
  readonly program: ProgramKeeper;
  close(): Promise<void>;
}

type Reach = readonly [timeframe: string, reachMs: number];

/** What is archived of a symbol: Binance has no candles of seconds of its futures. */
export function reachesOf({ reachesMs }: Scene, symbol: string): readonly Reach[] {
  return isContract(symbol) ? reachesMs.filter(([timeframe]) => timeframe !== "1s") : reachesMs;
}

export interface SceneOptions {
  readonly server: PostgresServer | undefined;
  /** Port at which the program finds the server, where that is not its own. */
  readonly port?: number | undefined;
  readonly smallDisk: string | undefined;
}

/** Builds everything and starts nothing but the exchange. */
export async function openScene(schedule: Schedule, options: SceneOptions): Promise<Scene> {
  const laterMs = beginsAtAnHour(schedule) ? HOUR_MS - systemClock.now() % HOUR_MS : 0;
  const clock: Clock = {
    now: () => systemClock.now() + laterMs,
    sleep: (ms, sleepOptions) => systemClock.sleep(ms, sleepOptions),
  };
  const exchangeClock: ShiftedClock = {
    ...clock,
    shiftMs: 0,
    now: () => clock.now() + exchangeClock.shiftMs,
  };
  const symbols = marketsOf(schedule, clock.now());
  const dialect = dialectOf(schedule.exchange);
  const exchange = await startLocalExchange({
    clock: exchangeClock,
    symbols,
    dialect,
    requestsMax: 1_000,
  });
  const wire = startWire(exchange.port);
  const streamWire = startStreamWire(exchange.streamUrl);
  const cwd = await Deno.makeTempDir({ prefix: "titan10-faults-" });
  const database = options.server === undefined
    ? undefined
    : await databaseOn(options.server, options.port);
  const env = {
    ...settings(schedule, { wire, streamWire, symbols }),
    DATA_DIR: `${cwd}/data`,
    ...(database === undefined ? {} : { DATABASE_URL: database.url }),
  };
  const admin = database === undefined
    ? undefined
    : postgres(database.adminUrl, { max: 3, onnotice: () => {}, connect_timeout: 5 });
  const machineClock = await makeMachineClock(cwd, laterMs);
  const program = new ProgramKeeper({
    cwd,
    env: { ...env, ...machineClock.env },
    openFilesMax: schedule.openFilesMax,
  });
  return {
    schedule,
    clock,
    exchange,
    exchangeClock,
    machineClock,
    symbols,
    reachesMs: spotReaches(schedule),
    seconds: new Map(),
    refused: new Set(),
    wire,
    streamWire,
    cwd,
    env,
    server: options.server,
    admin,
    smallDisk: options.smallDisk,
    program,
    async close(): Promise<void> {
      await program.end("SIGKILL");
      await admin?.end({ timeout: 1 });
      await database?.drop();
      await wire.close();
      await streamWire.close();
      await exchange.close();
      await Deno.remove(cwd, { recursive: true });
    },
  };
}

/** Candles of hours that change after their close are seen only where an hour has just ended. */
function beginsAtAnHour({ steps }: Schedule): boolean {
  return CLOCKS_CAN_JUMP && steps.some(({ fault }) => fault === "late final");
}

/** Other classes than Binance's have no candles of seconds. Minutes and hours are backfilled. */
function spotReaches(schedule: Schedule): Scene["reachesMs"] {
  const names = [
    ...(beginsAtAnHour(schedule) ? ["1h"] as const : []),
    "1m",
    ...(schedule.exchange === BINANCE ? ["1s"] as const : []),
  ] as const;
  return names.map((name) => [name, REACH_MS[name]]);
}

function settings(
  schedule: Schedule,
  { wire, streamWire, symbols }: Pick<Scene, "wire" | "streamWire" | "symbols">,
): Record<string, string> {
  const { exchange, pageLimit } = schedule;
  const api = {
    public: `${wire.url}/api/v3`,
    fapiPublic: `${wire.url}/fapi/v1`,
    dapiPublic: `${wire.url}/dapi/v1`,
  };
  const isBinance = exchange === BINANCE;
  return {
    EXCHANGES: exchange,
    SYMBOLS: symbols.map(({ symbol }) => symbol).join(","),
    TIMEFRAMES: isBinance ? "1s" : "1m",
    BACKFILL: spotReaches(schedule).map(([name, ms]) => `${name}:${ms / HOUR_MS}h`).join(","),
    [`EXCHANGE_${exchange.toUpperCase()}`]: JSON.stringify({
      ...(isBinance ? { urls: { api, ws: streamWire.url } } : {}),
      rateLimit: 10,
    }),
    ...(isBinance ? {} : { EXCHANGE_PROXY_URL: `${wire.url}/proxy/` }),
    PAGE_LIMIT: String(pageLimit),
    POLL_CANDLES: "30",
    POLL_CRON: "* * * * * *",
    GAPS_CRON: "*/2 * * * * *",
    BACKFILL_CRON: "*/3 * * * * *",
    FETCH_TIMEOUT: "1s",
    RETRY_ATTEMPTS: "3",
    RETRY_MIN: "20ms",
    RETRY_MAX: "200ms",
    BREAKER_COOLDOWN: "300ms",
    DB_POOL_MAX: "4",
    HTTP_PORT: String(freePort()),
    LOG_LEVEL: "warning",
    COMPRESS_AFTER: "off",
  };
}

/** A port that nobody listens on now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return (listener.addr as Deno.NetAddr).port;
}

/** An empty database that belongs to a role with no power beyond it. */
async function databaseOn(
  server: PostgresServer,
  port: number | undefined,
): Promise<{ readonly url: string; readonly adminUrl: string; drop(): Promise<void> }> {
  const { url: adminUrl, drop } = await createServerDatabase(server.url);
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(
      `do $$ begin create role ${ROLE} login; exception when others then null; end $$`,
    );
    await sql.unsafe(`alter database ${new URL(adminUrl).pathname.slice(1)} owner to ${ROLE}`);
    await sql.unsafe(`alter schema public owner to ${ROLE}`);
  } finally {
    await sql.end();
  }
  const url = new URL(adminUrl);
  url.username = ROLE;
  if (port !== undefined) {
    url.port = String(port);
    // PgBouncer before 1.21 knows nothing of prepared statements.
    url.search = "?prepare=false";
  }
  return { url: url.href, adminUrl, drop };
}

interface ProgramOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly openFilesMax: number | undefined;
  /** What is started, asked at each start. @default the program that is tested */
  readonly programNow?: () => NewerProgram | undefined;
}

/** The program of a scene: started again where it ended because a fault ended it, and only then. */
export class ProgramKeeper {
  readonly #options: ProgramOptions;
  #running: Running | undefined = undefined;
  /** Ends that nobody asked for, with what was written last. */
  readonly crashes: string[] = [];

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Starts the daemon unless it runs. */
  start(): void {
    if (this.#running !== undefined) return;
    const { cwd, env, programNow } = this.#options;
    const running = start(["run"], { cwd, env, program: programNow?.() });
    this.#running = running;
    this.#limitFiles(running.pid);
    void running.ended.then(({ code, signal }) => {
      if (this.#running !== running) return;
      this.#running = undefined;
      this.crashes.push(`exit code ${code}, signal ${signal}\n${lastLines(running)}`);
    });
  }

  /** Ends the daemon and waits for that. Resolves to its exit code; undefined when it did not run. */
  async end(signal: Deno.Signal): Promise<number | undefined> {
    const running = this.#running;
    if (running === undefined) return undefined;
    this.#running = undefined;
    running.kill(signal);
    const killing = setTimeout(() => {
      this.crashes.push(`did not end after ${signal}\n${lastLines(running)}`);
      running.kill("SIGKILL");
    }, END_MS_MAX);
    const { code } = await running.ended;
    clearTimeout(killing);
    return code;
  }

  signal(name: Deno.Signal): void {
    this.#running?.kill(name);
  }

  /** All lines that the daemon that runs has written. */
  lines(): readonly string[] {
    const running = this.#running;
    return running === undefined ? [] : `${running.stdout()}${running.stderr()}`.split("\n");
  }

  /** What the daemon wrote last. */
  lastWords(): string {
    return this.#running === undefined ? "" : lastLines(this.#running);
  }

  #limitFiles(pid: number): void {
    const { openFilesMax } = this.#options;
    if (openFilesMax === undefined) return;
    new Deno.Command("prlimit", { args: [`--pid=${pid}`, `--nofile=${openFilesMax}`] })
      .outputSync();
  }
}

function lastLines(running: Running): string {
  return `${running.stdout()}${running.stderr()}`.trimEnd().split("\n").slice(-12).join("\n");
}
