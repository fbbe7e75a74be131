/** What the attacks meet: a daemon as a process, an exchange that is well, and those who attack. @module */
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../../lib/local_exchange/server.ts";
import type { LocalExchange } from "../../lib/local_exchange/server.ts";
import { manyMarkets } from "../support/many_exchanges.ts";
import { type Running, start } from "../support/program.ts";
import type { Ready, Round, RoundEnd } from "./attacker.ts";
import { TextLineStream } from "./lines.ts";

export interface Scene {
  readonly daemon: Running;
  readonly url: string;
  /** The exchange whose polls must be on time, and whose candles must all be there in the end. */
  readonly good: LocalExchange;
  /** The daemon's settings, for commands beside it. */
  readonly where: { readonly cwd: string; readonly env: Readonly<Record<string, string>> };
  attack(round: Omit<Round, "url">): Promise<RoundEnd>;
  close(): Promise<void>;
}

const ATTACKER = new URL("attacker.ts", import.meta.url).href;

/** The good exchange's, of one candle a second. */
export const GOOD_SYMBOLS = manyMarkets(3);

/** Starts all of it; `database` is a server's URL, or undefined for the embedded one. */
export async function startScene(
  { cwd, database }: {
    readonly cwd: string;
    readonly database: string | undefined;
  },
): Promise<Scene> {
  const good = await startLocalExchange({
    clock: systemClock,
    symbols: GOOD_SYMBOLS,
    requestsMax: 5_000,
  });
  const attacker = startAttacker();
  const { settings } = JSON.parse(await attacker.next()) as Ready;
  const hostile = Object.keys(settings).map((name) => name.slice("EXCHANGE_".length).toLowerCase());
  const env: Record<string, string> = {
    ...settings,
    EXCHANGES: ["binance", ...hostile].join(","),
    EXCHANGE_BINANCE: JSON.stringify({ proxyUrl: good.proxyUrl, rateLimit: 10 }),
    SYMBOLS: GOOD_SYMBOLS.slice(0, 2).map(({ symbol }) => symbol).join(","),
    TIMEFRAMES: "1s,1m",
    BACKFILL: "1m:1h",
    POLL_CRON: "* * * * * *",
    BACKFILL_CRON: "5-59/20 * * * * *",
    GAPS_CRON: "15-59/20 * * * * *",
    FETCH_TIMEOUT: "3s",
    RETRY_ATTEMPTS: "2",
    RETRY_MIN: "50ms",
    RETRY_MAX: "500ms",
    BREAKER_COOLDOWN: "1s",
    HTTP_PORT: "0",
    LOG_LEVEL: "info",
    // As the systemd unit and the image set it.
    MALLOC_ARENA_MAX: "2",
    MALLOC_MMAP_THRESHOLD_: "1048576",
    LOG_FORMAT: "json",
    ...(database === undefined ? {} : { DATABASE_URL: database }),
  };
  const daemon = start(["run"], { env, cwd });
  const [url] = await daemon.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  return {
    daemon,
    url,
    good,
    where: { cwd, env },
    attack: async (round) => {
      await attacker.write(JSON.stringify({ ...round, url }));
      return JSON.parse(await attacker.next());
    },
    close: async () => {
      await attacker.close();
      await good.close();
    },
  };
}

interface Attacker {
  write(line: string): Promise<void>;
  next(): Promise<string>;
  close(): Promise<void>;
}

function startAttacker(): Attacker {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--frozen",
      "--no-check",
      "--allow-net=127.0.0.1",
      "--allow-env",
      ATTACKER,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream()).getReader();
  return {
    write: (line) => writer.write(new TextEncoder().encode(`${line}\n`)),
    next: async () => {
      const { value, done } = await lines.read();
      if (done || value === undefined) throw new Error("the attacker has ended by itself");
      return value;
    },
    close: async () => {
      await writer.close().catch(() => {});
      await lines.cancel();
      await child.status;
    },
  };
}
