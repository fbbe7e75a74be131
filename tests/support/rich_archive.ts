/** An archive with a bit of everything, invented, behind the real endpoints: for the page. @module */
import { answersOf } from "../../lib/daemon/answers.ts";
import type { FormingCandle } from "../../lib/live/forming.ts";
import type { StreamStatus } from "../../lib/serve/status.ts";
import { ALL_LEASES } from "../../lib/archive/leases.ts";
import { systemClock } from "../../lib/clock.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { planRollups } from "../../lib/market/rollup.ts";
import {
  addCandles,
  closedUntil,
  parseTimeframe,
  type Timeframe,
} from "../../lib/market/timeframe.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { prepareDatabase } from "../../lib/daemon/open_archive.ts";
import { readPage } from "../../lib/serve/page_files.ts";
import { type HttpServer, serveHttp } from "../../lib/serve/http_server.ts";
import { candleTable } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { readMigrations } from "../../lib/store/connection/migrations.ts";
import { arrangeRollups } from "../../lib/store/rollups.ts";
import { Reloads } from "../../lib/daemon/reload.ts";
import { Watchdog } from "../../lib/daemon/watchdog.ts";
import { explainBounds } from "../../lib/gap/account.ts";
import { configOf } from "./local_archive.ts";
import { type DatabaseKind, openAnyTest, openTestDatabase } from "./test_database.ts";

export interface RichArchiveOptions {
  /**
   * The second one is banned, and its history is half fetched; the third one's breaker is open, and its candles are late;
   * the fourth one gives no old ones. The first one's stream is up, the second one's down, and others have none.
   */
  readonly exchanges: readonly string[];
  /** In USDT; in USD where an exchange trades for that. */
  readonly symbols: readonly string[];
  /** @default ["1m", "1h", "1d"] */
  readonly timeframes?: readonly string[];
  readonly token?: string;
  /** @default any that is installed here, a server rather than the embedded one */
  readonly databaseKind?: DatabaseKind;
}

export interface RichArchive {
  readonly server: HttpServer;
  readonly database: Database;
  /** As in DATABASE_URL; undefined for the embedded database. */
  readonly databaseUrl: string | undefined;
  /** The candle that forms, of all series. @default none */
  forming: FormingCandle | undefined;
  /** Serves again where it was served, after `server.stop()`. */
  serveAgain(): void;
  close(): Promise<void>;
}

const MINUTE_MS = 60_000;

const DAY_MS = 24 * 60 * MINUTE_MS;

/** Exchanges that trade for dollars. */
const USD = ["coinbase", "kraken"];

/** Symbols that are younger than what is wanted of them. */
const LISTED_DAYS_AGO: Readonly<Record<string, number>> = { HYPE: 724, ENA: 961, PUMP: 131 };

/** A symbol that is traded no more. */
const ENDED = "MATIC";

/** As the third exchange's newest candles are while its breaker is open. */
const LATE_MS = 41 * MINUTE_MS;

const PACES_MS = [50, 20, 100, 1_000, 100];

const STREAM: StreamStatus = {
  ...{ state: "up", why: null, since: "2026-01-31T12:00:00.000Z", connections: 2, open: 2 },
  ...{ lastMessageAt: "2026-01-31T12:05:00.000Z", lastEnd: null },
};

const STREAMS: readonly StreamStatus[] = [
  STREAM,
  {
    ...{ ...STREAM, state: "down", open: 1 },
    lastEnd: { at: "2026-01-31T12:00:00.000Z", reason: "killed", why: "code 1006" },
  },
];

const NO_STREAM: StreamStatus = {
  ...{ ...STREAM, state: "off", why: "LIVE=off", since: null, connections: 0 },
  ...{ open: 0, lastMessageAt: null },
};

/** Candles of a series. */
const SLOTS: Readonly<Record<string, number>> = { "1m": 10_080, "1h": 8_760, "1d": 1_826 };

/** Holes by reason, in shares of a series' slots counted from the newest, and which series have them. */
const HOLES = [
  { state: "no_trades", at: 0.0016, slots: 14, every: 2 },
  { state: "exchange_outage", at: 0.0062, slots: 9, every: 3 },
  { state: "suspected", at: 0.0098, slots: 4, every: 5 },
  { state: "rejected", at: 0.012, slots: 3, every: 7 },
  { state: "no_trades", at: 0.2, slots: 700, every: 3 },
  { state: "exchange_outage", at: 0.35, slots: 240, every: 4 },
  { state: "rejected", at: 0.44, slots: 90, every: 11 },
] as const;

/** Serves it on a free port; undefined when that kind of database is not installed here. Candles are written of each exchange's first symbol alone; the ledger tells of all. */
export async function serveRichArchive(
  options: RichArchiveOptions,
): Promise<RichArchive | undefined> {
  const { exchanges, symbols, timeframes = ["1m", "1h", "1d"], token } = options;
  const { databaseKind: kind } = options;
  const opened = kind === undefined ? await openAnyTest() : await openTestDatabase(kind);
  if (opened === undefined) return undefined;
  const { database, drop } = opened;
  const config = configOf({
    EXCHANGES: exchanges.join(","),
    SYMBOLS: [...new Set(exchanges.flatMap((exchange) => symbolsOn(exchange, symbols)))].join(","),
    TIMEFRAMES: timeframes.join(","),
    BACKFILL: timeframes.map((text) => `${text}:${reachOf(text)}`).join(","),
  });
  const clock = systemClock;
  const log = logger("test");
  const ground = { config, clock, log, metrics: createMetrics(), random: Math.random };
  const migrations = await readMigrations();
  await prepareDatabase(database, ground, migrations);
  const { rollups } = planRollups(
    ["5m", "15m", "4h"].map(parseTimeframe),
    timeframes.map(parseTimeframe),
  );
  await arrangeRollups(database, rollups);
  let number = 0;
  for (const [place, exchange] of exchanges.entries()) {
    for (const [at, symbol] of symbolsOn(exchange, symbols).entries()) {
      for (const timeframe of timeframes) {
        await addSeries(database, {
          exchange,
          place,
          symbol,
          timeframe,
          number: number++,
          isFull: at === 0,
        });
      }
    }
  }
  await addTroubles(database, exchanges);
  await addNews(database, exchanges);
  await explainBounds({ config, database, clock, leases: ALL_LEASES });
  const answers = answersOf({
    ground,
    readiness: { reasons: [] },
    database,
    migrations,
    startedAtMs: clock.now() - 3 * DAY_MS,
    state: {},
    reloads: new Reloads(ground),
    watchdog: new Watchdog({ job: "poll", cron: config.pollCron, clock, log }),
  });
  const status = async (): ReturnType<typeof answers.status> => {
    const status = await answers.status(new AbortController().signal);
    const paced = status.exchanges.map((one, at) => ({
      ...one,
      paceMs: PACES_MS[at % PACES_MS.length]!,
      stream: STREAMS[at] ?? NO_STREAM,
    }));
    return { ...status, exchanges: paced };
  };
  const page = await readPage();
  const forming = (): FormingCandle | undefined => rich.forming;
  const serve = (port: number): HttpServer =>
    serveHttp({ ...answers, status, forming }, {
      hostname: "127.0.0.1",
      port,
      token,
      log,
      clock,
      page,
    });
  let server = serve(0);
  const rich: RichArchive = {
    forming: undefined,
    get server(): HttpServer {
      return server;
    },
    database,
    databaseUrl: opened.url,
    serveAgain(): void {
      server = serve(Number(new URL(server.url).port));
    },
    async close(): Promise<void> {
      await server.stop();
      await drop();
    },
  };
  return rich;
}

function symbolsOn(exchange: string, symbols: readonly string[]): readonly string[] {
  return USD.includes(exchange) ? symbols.map((one) => one.replace("/USDT", "/USD")) : symbols;
}

function reachOf(timeframe: string): string {
  return timeframe === "1m" ? "7d" : timeframe === "1h" ? "1y" : "5y";
}

interface NewSeries {
  readonly exchange: string;
  /** Which one of the exchanges that is. */
  readonly place: number;
  readonly symbol: string;
  readonly timeframe: string;
  readonly number: number;
  readonly isFull: boolean;
}

async function addSeries({ sql }: Database, series: NewSeries): Promise<void> {
  const { exchange, symbol, timeframe: text, number, isFull } = series;
  const timeframe = parseTimeframe(text);
  const slots = SLOTS[text] ?? 1_000;
  const { endMs, firstMs, listedMs, reachMs, endedMs } = boundsOf(series, timeframe);
  const at = (fromEnd: number): number => addCandles(timeframe, endMs, -Math.round(fromEnd));
  const holes = HOLES.filter(({ every }) => isFull || number % every === 0).map((one) => {
    const hole = { ...one, slots: Math.ceil(one.slots * slots / 20_160) };
    const untilMs = at(hole.at * slots + (hole.at < 0.1 ? 0.004 * (10_080 - slots) : 0));
    return { ...hole, sinceMs: addCandles(timeframe, untilMs, -hole.slots), untilMs };
  }).filter(({ sinceMs }) => sinceMs > firstMs);
  const missing = holes.reduce((sum, { slots }) => sum + slots, 0);
  const candles = Math.round((endMs - firstMs) / (addCandles(timeframe, endMs, 1) - endMs)) -
    missing;
  await sql`
    insert into checkpoints (exchange, symbol, timeframe, covered, scanned, candles, first, last, first_confirmed,
                             listed_from, reach_from, ended_at, ended_why)
    select ${exchange}, ${symbol}, ${text}, range, range, ${candles}, lower, ${
    iso(at(1))
  }::timestamptz, lower,
           ${isoOrNull(listedMs)}::timestamptz, ${isoOrNull(reachMs)}::timestamptz,
           ${isoOrNull(endedMs)}::timestamptz, ${endedMs === undefined ? null : "delisted"}
    from (select ${iso(firstMs)}::timestamptz as lower,
                 tstzmultirange(tstzrange(${iso(firstMs)}::timestamptz, ${
    iso(endMs)
  }::timestamptz)) as range) as known`;
  for (const { state, sinceMs, untilMs, slots } of holes) {
    await sql`
      insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
      values (${exchange}, ${symbol}, ${text}, ${iso(sinceMs)}, ${iso(untilMs)}, ${state}, ${slots})
      on conflict do nothing`;
  }
  if (!isFull) return;
  const isHole = (ms: number): boolean =>
    holes.some(({ sinceMs, untilMs }) => sinceMs <= ms && ms < untilMs);
  const rows = walk(number, Math.round(slots)).map((values, n) => ({ ms: at(slots - n), values }))
    .filter(({ ms }) => ms >= firstMs && !isHole(ms));
  const column = (index: number): string =>
    `{${rows.map(({ values }) => values[index]).join(",")}}`;
  await sql.unsafe(
    `insert into ${candleTable(timeframe)} (time, exchange, symbol, open, high, low, close, volume)
     select to_timestamp(ms / 1000.0), $1, $2, open, high, low, close, volume
     from unnest($3::float8[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[])
       as row (ms, open, high, low, close, volume)`,
    [exchange, symbol, `{${rows.map(({ ms }) => ms).join(",")}}`, ...[0, 1, 2, 3, 4].map(column)],
  );
}

interface Bounds {
  readonly firstMs: number;
  readonly endMs: number;
  readonly listedMs?: number | undefined;
  readonly reachMs?: number | undefined;
  readonly endedMs?: number | undefined;
}

function boundsOf({ place, symbol, timeframe: text }: NewSeries, timeframe: Timeframe): Bounds {
  const nowMs = systemClock.now();
  const slots = SLOTS[text] ?? 1_000;
  const base = symbol.split("/")[0] ?? "";
  const endedMs = base === ENDED ? closedUntil(timeframe, nowMs - 5 * DAY_MS) : undefined;
  const endMs = endedMs ?? closedUntil(timeframe, nowMs - (place === 2 ? LATE_MS : 0));
  const wantedMs = addCandles(timeframe, closedUntil(timeframe, nowMs), -slots);
  const days = LISTED_DAYS_AGO[base];
  const listedMs = days === undefined ? undefined : closedUntil(timeframe, nowMs - days * DAY_MS);
  const begin = Math.max(wantedMs, listedMs ?? 0);
  const back = (share: number): number => addCandles(timeframe, endMs, -Math.round(slots * share));
  if (place === 3 && text !== "1d") {
    const reachMs = Math.max(begin, back(0.42));
    return { firstMs: reachMs, endMs, reachMs, listedMs, endedMs };
  }
  const isHalf = place === 1 && text !== "1m";
  return { firstMs: isHalf ? Math.max(begin, back(0.62)) : begin, endMs, listedMs, endedMs };
}

/** Open, high, low, close, volume: a price that wanders, the same for the same seed. */
function walk(seed: number, length: number): readonly (readonly string[])[] {
  let state = seed * 7919 + 17;
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  let price = 64_000;
  return Array.from({ length }, () => {
    const open = price;
    price *= 1 + (random() + random() + random() - 1.5) * 0.0016;
    const high = Math.max(open, price) * (1 + random() * 0.0007);
    const low = Math.min(open, price) * (1 - random() * 0.0007);
    const volume = (2 + 40 * random() ** 3 + 9_000 * Math.abs(price / open - 1)).toFixed(5);
    return [...[open, high, low, price].map((value) => value.toFixed(2)), volume];
  });
}

async function addTroubles({ sql }: Database, exchanges: readonly string[]): Promise<void> {
  const [, second, third] = exchanges;
  if (second !== undefined && third !== undefined) {
    await sql`
      insert into exchanges (exchange, breaker, banned_until, last_error, last_error_at)
      values (${second}, 'closed', now() + interval '7 minutes', '429 Too Many Requests, retry after 420 s', now()),
             (${third}, 'open', null, 'Cannot fetch candles: 503 Service Unavailable', now())`;
  }
  await sql`
    insert into jobs (job, last_start, last_success, last_outcome)
    values ('poll', now() - interval '12 s', now() - interval '11 s', 'success'),
           ('gaps', now() - interval '3 min', now() - interval '3 min', 'success'),
           ('backfill', now() - interval '4 h', now() - interval '1 day', 'failure'),
           ('maintenance', now() - interval '8 min', now() - interval '8 min', 'success')`;
}

/** Two alerts, and a week of what has happened. */
async function addNews({ sql }: Database, exchanges: readonly string[]): Promise<void> {
  const [first = "", second = first, third = second] = exchanges;
  await sql`
    insert into alerts (alert, exchange, symbol, timeframe, value, threshold, summary, began)
    values ('breaker_open', ${third}, null, null, 2460, 300,
            ${`${third}: the breaker has not been closed for 41 min (over 5 min)`}, now() - interval '36 min'),
           ('gap_percent', ${first}, 'BTC/USDT', '1m', 7.2, 5,
            ${`${first}: 7.2 % of the candles of BTC/USDT 1m are missing (over 5 %)`}, now() - interval '2 h')`;
  await sql.unsafe(
    `insert into events (kind, exchange, symbol, alert, time, since, times, candles, text)
     select kind, exchange, symbol, alert, now() - ago, now() - coalesce(began, ago), times, candles, text
     from (values
       ('banned', $2, null, null, interval '1 min', interval '3 h', 37, null::bigint,
        $2 || ': banned until 12:05:30 UTC. 429 Too Many Requests, retry after 420 s'),
       ('alert_began', $3, null, 'breaker_open', interval '36 min', null, 1, null,
        $3 || ': the breaker has not been closed for 5 min (over 5 min)'),
       ('breaker_opened', $3, null, null, interval '41 min', null, 1, null,
        $3 || ': too many requests failed, so the breaker is open and only trials are sent'),
       ('candles_revised', $1, null, null, interval '2 h', interval '9 h', 4, 12,
        $1 || ': stored candles came with other values, the last of BTC/USDT 1m. The older values are in candle_revisions'),
       ('settings_reloaded', null, null, null, interval '4 h', null, 1, null,
        'The settings were read again: ' || $1 || ' symbols: SOL/USDT added'),
       ('database_back', null, null, null, interval '1 day', interval '1 day 40 s', 1, null,
        'The database was away for 40 s, from 2026-01-30 12:03:05 UTC on'),
       ('delisted', $1, 'MATIC/USDT', null, interval '5 days', null, 1, null,
        $1 || ' MATIC/USDT: delisted. Its series end at 2026-01-26 08:00:00 UTC'),
       ('daemon_started', null, null, null, interval '6 days', null, 1, null, 'Titan-10 1.0.0 started')
     ) as told (kind, exchange, symbol, alert, ago, began, times, candles, text)`,
    [first, second, third],
  );
}

function isoOrNull(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : iso(timeMs);
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
