/**
 * Months of `1m` from published files, against the same by the API at Binance's real pace: what `titan10 plan` computes for it,
 * and what a part of it takes with answers of a fifth of a second.
 * @module
 */
import { backfill } from "../../lib/fetch/backfill.ts";
import { makePlan } from "../../lib/fetch/plan.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { emptyDatabase, openTestArchive } from "../support/local_archive.ts";
import { systemClock } from "../../lib/clock.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";

const SYMBOLS = 20;
const MONTHS = 60;

/** What an answer takes over the Internet. Milliseconds. */
const LATENCY_MS = 200;

/** How much of the history the API is measured with. */
const API_DAYS = 3;

interface Server {
  readonly proxyUrl: string;
  /** Of every file: symbol and month, rows, sums of closes and of volumes. */
  readonly told: readonly (readonly [string, number, string, string])[];
}

export const publishedHistory: Bench = {
  name: "p published history",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    const months = Math.max(1, Math.round(MONTHS * scale));
    const results: Result[] = [];
    for (const kind of ["spot", "linear"] as const) {
      const server = new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--quiet", "--no-check", "--allow-all", "tests/support/history_server.ts"],
          ...[...[SYMBOLS, months, LATENCY_MS].map(String), kind],
        ],
        stdout: "piped",
      }).spawn();
      try {
        results.push(...await measure(database, await firstLine(server.stdout), { months, kind }));
      } finally {
        server.kill();
        await server.status;
      }
    }
    return results;
  },
};

async function measure(
  database: Database,
  { proxyUrl, told }: Server,
  { months, kind }: { readonly months: number; readonly kind: "spot" | "linear" },
): Promise<readonly Result[]> {
  const now = new Date(systemClock.now());
  const day = (date: number): string => new Date(date).toISOString().slice(0, 10);
  const sinceMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months);
  const untilMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
  const run = async (
    fromMs: number,
    history: string,
  ): Promise<{ ms: number; planned: number; candles: number }> => {
    await emptyDatabase(database);
    const archive = await openTestArchive(database, {
      EXCHANGES: "binance",
      SYMBOLS: Array.from(
        { length: SYMBOLS },
        (_, at) => kind === "spot" ? `A${at}/USDT` : `A${at}/USDT:USDT`,
      ).join(","),
      TIMEFRAMES: "1m",
      BACKFILL: `1m:${day(fromMs)}..${day(untilMs)}`,
      EXCHANGE_PROXY_URL: proxyUrl,
      HISTORY: history,
      FUNDING: "off",
      COMPRESS_AFTER: "off",
      FETCH_TIMEOUT: "60s",
    }, systemClock);
    const { seconds } = await makePlan(archive);
    let candles = 0;
    const ms = await timeMs(async () => {
      for (const report of await backfill(archive, { patient: false })) {
        if (report.left !== 0) throw new Error(`Cannot measure: ${JSON.stringify(report)}`);
        candles += report.added;
      }
    });
    return { ms, planned: seconds, candles };
  };
  const whole = await run(sinceMs, "auto");
  await assertTold(database, told);
  const api = await run(untilMs - API_DAYS * 86_400_000, "off");
  const apiMs = api.ms / api.candles * whole.candles;
  // The plan of a part, without the time of answers, which are awaited side by side.
  const plannedMs = api.planned * 1000 / api.candles * whole.candles;
  const bench = publishedHistory.name;
  const rate = (ms: number): number => whole.candles / ms * 1000;
  return [
    {
      bench: `${bench}, ${whole.candles} candles of ${kind} markets by files`,
      value: Math.round(rate(whole.ms)),
      unit: "candles/s",
      ratio: apiMs / whole.ms,
      against: `the API with answers of ${LATENCY_MS} ms, ${Math.round(rate(apiMs))} candles/s`,
    },
    {
      bench: `${bench}, ${whole.candles} candles of ${kind} markets by files`,
      value: Math.round(whole.ms),
      unit: "ms",
      ratio: plannedMs / whole.ms,
      against: `the least time by the API's pace, ${Math.round(rate(plannedMs))} candles/s`,
    },
  ];
}

/** The archive has, of each symbol and month, what the files have. */
async function assertTold(database: Database, told: Server["told"]): Promise<void> {
  const rows = await database.sql<
    { month: string; rows: number; closes: string; volumes: string }[]
  >`
    select replace(split_part(symbol, ':', 1), '/', '') || ' ' || to_char(time, 'YYYY-MM') as month, count(*)::int as rows,
           (sum(close) * 1e8)::numeric(60, 0)::text as closes, (sum(volume) * 1e8)::numeric(60, 0)::text as volumes
    from ohlcv_1m group by 1`;
  const stored = new Map(rows.map(({ month, ...sums }) => [month, Object.values(sums).join(" ")]));
  for (const [month, ...sums] of told) {
    if (stored.get(month) === sums.join(" ")) continue;
    throw new Error(`Cannot measure: ${month} is ${stored.get(month)}, not ${sums.join(" ")}`);
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<Server> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) break;
  }
  return JSON.parse(text) as Server;
}
