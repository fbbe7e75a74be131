/** The daemon under test, as a process, and what it says of itself over HTTP. @module */
import type { Status } from "../../lib/serve/status.ts";
import type { ManyStreams } from "../support/many_streams.ts";
import { type Running, start } from "../support/program.ts";

const HTTP_HOST = "127.0.0.1";
const ANSWER_MS_MAX = 10_000;

/** Between two requests, in units of CCXT's costs: enough for twenty symbols of any exchange in some seconds. */
const RATE_LIMIT_MS = 20;

export interface Daemon extends Running {
  metrics(): Promise<Metrics>;
  status(): Promise<Status>;
}

/** How far back from its start its archive reaches. */
export const HISTORY_MS = 2 * 3_600_000;

/** The sums of the metrics that the soak prints. */
export interface Metrics {
  readonly written: number;
  readonly requests: number;
  readonly failures: number;
  readonly retries: number;
  readonly rejected: number;
  /** Candles of streams that were stored before an answer had told of them. */
  readonly streamed: number;
  /** Of these, what answers made. */
  readonly confirmed: number;
  readonly revised: number;
  readonly withdrawn: number;
  /** Connections of streams that have ended. */
  readonly streamEnds: number;
  readonly cpuSeconds: number;
}

/** Starts it with quick misfortunes, and with jobs that run so often that a soak sees many of each. */
export function startDaemon({ settings }: ManyStreams, url: string, cwd: string): Daemon {
  const port = freePort();
  const get = (path: string): Promise<Response> => getFrom(`http://${HTTP_HOST}:${port}${path}`);
  const env: Record<string, string> = {
    TIMEFRAMES: "1m",
    BACKFILL: "1m:2h",
    POLL_CRON: "*/10 * * * * *",
    BACKFILL_CRON: "5-59/20 * * * * *",
    GAPS_CRON: "15-59/20 * * * * *",
    FETCH_TIMEOUT: "3s",
    RETRY_ATTEMPTS: "3",
    RETRY_MIN: "100ms",
    RETRY_MAX: "2s",
    BREAKER_COOLDOWN: "3s",
    HTTP_HOST,
    HTTP_PORT: String(port),
    LIVE: "auto",
    LOG_LEVEL: "error",
    LOG_FORMAT: "json",
    DATABASE_URL: url,
  };
  for (const [name, text] of Object.entries(settings)) {
    env[name] = name.startsWith("EXCHANGE_")
      ? JSON.stringify({ ...JSON.parse(text), rateLimit: RATE_LIMIT_MS })
      : text;
  }
  return {
    ...start(["run"], { env, cwd }),
    metrics: async () => {
      const text = await (await get("/metrics")).text();
      return {
        written: sum(text, "titan10_candles_written_total"),
        requests: sum(text, "titan10_fetch_duration_seconds_count"),
        failures: sum(text, "titan10_fetch_failures_total"),
        retries: sum(text, "titan10_retries_total"),
        rejected: sum(text, "titan10_candles_rejected_total"),
        streamed: sum(text, STREAMED, "stored"),
        confirmed: sum(text, STREAMED, "confirmed"),
        revised: sum(text, STREAMED, "revised"),
        withdrawn: sum(text, STREAMED, "withdrawn"),
        streamEnds: sum(text, "titan10_stream_ends_total"),
        cpuSeconds: sum(text, "process_cpu_seconds_total"),
      };
    },
    status: async () => await (await get("/status")).json(),
  };
}

async function getFrom(url: string): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  if (!response.ok) {
    throw new Error(`GET ${url} answered ${response.status}: ${await response.text()}`);
  }
  return response;
}

/** Tried by taking it: a soak of an hour should not be in the way of another. */
function freePort(): number {
  const listener = Deno.listen({ hostname: HTTP_HOST, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

const STREAMED = "titan10_stream_candles_total";

/** The sum over all labels, or over those with an outcome. */
function sum(text: string, name: string, outcome?: string): number {
  const lines = text.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, "gm"));
  return [...lines].reduce(
    (total, [, labels = "", value]) =>
      outcome === undefined || labels.includes(`outcome="${outcome}"`)
        ? total + Number(value)
        : total,
    0,
  );
}
