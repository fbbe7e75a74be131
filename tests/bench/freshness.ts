/**
 * From the close of a candle to its row: the program as a process, series on twenty exchanges that answer after 100 ms,
 * real minutes, by polls alone and with streams of those exchanges that speak in the tests.
 *
 * The ratio of polls alone compares with what pace and latency alone make: an exchange that takes one request a second
 * has answered for its twentieth symbol after nineteen of them, whoever asks. That of streams compares with polls alone.
 * @module
 */
import { systemClock } from "../../lib/clock.ts";
import { openCcxt } from "../../lib/exchange/ccxt.ts";
import { emptyDatabase } from "../support/local_archive.ts";
import type { Bench, Result } from "./bench.ts";
import { type CloseToRow, measureCloseToRow, percentile, type Settings } from "./close_to_row.ts";
import { startServer } from "./program.ts";

const TICKS = 3;
const LATENCY_MS = 100;
/** The pace of the second figure, for what the exchanges' own limits hide. */
const PACE_MS = 50;
const MINUTE_MS = 60_000;

export const freshness: Bench = {
  name: "c freshness",
  async run(context): Promise<readonly Result[]> {
    const { scale } = context;
    // The short form has no time for more minutes, nor for the comparison.
    const isShort = scale < 0.5;
    const [exchanges, symbols] = isShort ? [4, 5] : [20, 20];
    const many = await startServer(
      "many_exchanges.ts",
      [exchanges, symbols, LATENCY_MS].map(String),
    );
    try {
      const settings: Settings = JSON.parse(many.firstLine);
      const requests = await requestCosts(settings);
      const measure = async (changed: Settings): Promise<CloseToRow> => {
        await emptyDatabase(context.opened.database);
        const ticks = Math.max(1, Math.round(TICKS * scale));
        return await measureCloseToRow({
          ...{ settings: { ...settings, ...changed }, ticks, isShort },
          ...{ opened: context.opened, series: exchanges * symbols },
        });
      };
      const least = (intervalsMs: readonly number[]): number =>
        percentile(intervalsMs.flatMap((ms) => agesBy(ms, symbols)), 99);
      const results: Result[] = [];
      const note = (ages: readonly number[], leastMs: number, pace: string): void => {
        const [p50, p99] = [percentile(ages, 50), percentile(ages, 99)];
        results.push({
          bench: `${this.name}, p99 of ${exchanges * symbols} series, p50 ${p50 / 1000} s`,
          value: p99 / 1000,
          unit: "s",
          ratio: p99 / leastMs,
          against: `what ${LATENCY_MS} ms of latency and ${pace} alone make`,
        });
      };
      const ownMs = least(requests.map(({ cost, rateLimitMs }) => cost * rateLimitMs));
      const ownPace = "each exchange's own rate limit";
      if (isShort) {
        // One candle of each, of which a stream tells those that it has seen from their open.
        const { ages } = await measure({ LIVE: "auto" });
        note(ages.map(({ ageMs }) => ageMs), ownMs, ownPace);
        return results;
      }
      const polled = await measure({ LIVE: "off" });
      note(polled.ages.map(({ ageMs }) => ageMs), ownMs, ownPace);
      results.push(...compare(this.name, polled, {
        streamed: await measure({ LIVE: "auto" }),
        settings,
      }));
      const { ages } = await measure({ ...paced(settings, requests), LIVE: "off" });
      note(ages.map(({ ageMs }) => ageMs), least([PACE_MS]), `${PACE_MS} ms between requests`);
      return results;
    } finally {
      await many.stop();
    }
  },
};

/** How late an exchange answers for each of its symbols by its pace and latency alone. */
function agesBy(intervalMs: number, symbols: number): readonly number[] {
  return Array.from({ length: symbols }, (_, turn) => LATENCY_MS + turn * intervalMs);
}

/** What streams make of the same series. */
function compare(
  name: string,
  polled: CloseToRow,
  { streamed, settings }: { readonly streamed: CloseToRow; readonly settings: Settings },
): readonly Result[] {
  const isStreamed = ({ exchange }: { readonly exchange: string }): boolean =>
    JSON.parse(settings[optionsOf(exchange)] ?? "{}").urls?.ws !== undefined;
  const agesOf = ({ ages }: CloseToRow): readonly number[] => ages.map(({ ageMs }) => ageMs);
  const ownOf = ({ ages }: CloseToRow): readonly number[] =>
    ages.filter(isStreamed).map(({ ageMs }) => ageMs);
  const own = ownOf(streamed);
  const [p50, p99, most] = [50, 99, 100].map((percent) => percentile(own, percent) / 1000);
  const against = "that of polls alone";
  return [
    {
      bench: `${name} with streams, p99 of the streamed series, p50 ${p50} s, at most ${most} s`,
      value: p99 ?? NaN,
      unit: "s",
      ratio: percentile(own, 99) / percentile(ownOf(polled), 99),
      against,
    },
    {
      bench: `${name} with streams, the last of all ${streamed.series} series`,
      value: percentile(agesOf(streamed), 100) / 1000,
      unit: "s",
      ratio: percentile(agesOf(streamed), 100) / percentile(agesOf(polled), 100),
      against,
    },
    {
      bench: `${name} with streams, processor time, polls alone ${inPercent(polled.cpuShare)} %`,
      value: inPercent(streamed.cpuShare),
      unit: "% of a core",
      ratio: streamed.cpuShare / polled.cpuShare,
      against,
    },
    {
      bench: `${name} with streams, resident memory, polls alone ${inMb(polled.residentBytes)} MB`,
      value: inMb(streamed.residentBytes),
      unit: "MB",
      ratio: streamed.residentBytes / polled.residentBytes,
      against,
    },
  ];
}

function inPercent(share: number): number {
  return Math.round(share * 1000) / 10;
}

function inMb(bytes: number): number {
  return Math.round(bytes / 1e6);
}

interface RequestCost {
  readonly exchange: string;
  /** Shares of the pace that one request for candles takes, as CCXT says. */
  readonly cost: number;
  readonly rateLimitMs: number;
}

async function requestCosts(settings: Settings): Promise<readonly RequestCost[]> {
  const costs: RequestCost[] = [];
  for (const id of settings["EXCHANGES"]?.split(",") ?? []) {
    let cost = 0;
    const exchange = await openCcxt(id, {
      config: JSON.parse(settings[optionsOf(id)] ?? "{}"),
      spotOnly: true,
      onCost: (one) => cost = Number(one),
    });
    await exchange.loadMarkets();
    const [symbol = ""] = Object.keys(exchange.markets ?? {});
    await exchange.fetchOHLCV(symbol, "1m", systemClock.now() - 5 * MINUTE_MS, 5, {});
    costs.push({ exchange: id, cost, rateLimitMs: exchange.rateLimit });
  }
  return costs;
}

/** The same exchanges with {@linkcode PACE_MS} between two requests for candles. */
function paced(settings: Settings, requests: readonly RequestCost[]): Settings {
  const changed: Record<string, string> = { ...settings };
  for (const { exchange, cost } of requests) {
    const name = optionsOf(exchange);
    const options = JSON.parse(settings[name] ?? "{}");
    changed[name] = JSON.stringify({ ...options, rateLimit: PACE_MS / cost });
  }
  return changed;
}

function optionsOf(exchange: string): string {
  return `EXCHANGE_${exchange.toUpperCase()}`;
}
