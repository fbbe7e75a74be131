/** `titan10 demo`: a local exchange, the embedded database and the daemon, without any network. @module */
import { ConfigError } from "../config/config.ts";
import { runDaemon } from "../daemon/daemon.ts";
import type { BackfillProgress } from "../fetch/backfill_report.ts";
import { LOCAL_CONTRACTS } from "../local_exchange/contract.ts";
import { LOCAL_SYMBOLS } from "../local_exchange/local_symbol.ts";
import { type LocalExchange, startLocalExchange } from "../local_exchange/server.ts";
import { ProgressLines } from "./progress.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count, duration } from "./text.ts";

/** A contract beside the spot markets, with its mark price and its funding rates. */
const PERPETUAL = "BTC/USDT:USDT";

/** The demo's settings: 1 s candles, so that new candles arrive visibly, and some history to backfill. */
const DEMO_SETTINGS = {
  EXCHANGES: "binance",
  SYMBOLS: `top:4,${PERPETUAL},${PERPETUAL}@mark`,
  TIMEFRAMES: "1s,1m",
  BACKFILL: "1m:7d,1h:1y,1d:5y",
  POLL_CRON: "*/2 * * * * *",
  LOG_LEVEL: "error",
} as const;

/** Runs the demo until a signal, or for `--for` seconds, in a directory that is removed at the end. */
export async function demo(shell: Shell, flags: Flags): Promise<ExitCode> {
  const perpetual = LOCAL_CONTRACTS.filter(({ symbol }) => symbol === PERPETUAL);
  const symbols = [...LOCAL_SYMBOLS, ...perpetual];
  const exchange = await startLocalExchange({ clock: shell.clock, symbols });
  const dataDir = await Deno.makeTempDir({ prefix: "titan10-demo-" });
  try {
    await runDemo(shell, flags, { exchange, dataDir });
    return EXIT.done;
  } finally {
    await exchange.close();
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function runDemo(
  shell: Shell,
  flags: Flags,
  { exchange, dataDir }: { readonly exchange: LocalExchange; readonly dataDir: string },
): Promise<void> {
  // Ignore all settings except where to listen, so that the files of the real archive have no effect on the demo.
  const { HTTP_HOST, HTTP_PORT, TMPDIR } = shell.env;
  const ground = await readGround(
    { ...shell, env: { HTTP_HOST, HTTP_PORT, TMPDIR } },
    flags,
    {
      ignoreFiles: true,
      forced: {
        ...DEMO_SETTINGS,
        DATA_DIR: dataDir,
        EXCHANGE_BINANCE: JSON.stringify({
          urls: {
            api: { public: `${exchange.url}/api/v3`, fapiPublic: `${exchange.url}/fapi/v1` },
            ws: exchange.streamUrl,
          },
        }),
      },
    },
  );
  shell.print("titan10 demo: a local exchange, an embedded TimescaleDB and the daemon.");
  shell.print("Nothing leaves this machine. The candles are invented. Ctrl-C ends it.\n");
  const startMs = shell.clock.now();
  // Created at the first progress. Earlier, it would be drawn between other output and say that nothing is owed.
  let progress: ProgressLines | undefined;
  const last = new Map<string, BackfillProgress>();
  let isBackfilled = false;
  await runDaemon(ground, {
    signal: endOf(shell, flags),
    onListening: (url) => {
      shell.print(`  page     ${url}/`);
      shell.print(`  status   ${url}/status`);
      shell.print(`  metrics  ${url}/metrics\n`);
    },
    onBackfillProgress: (state) => {
      last.set(state.exchange, state);
      progress ??= new ProgressLines(shell, [DEMO_SETTINGS.EXCHANGES]);
      progress.update(state);
    },
    onBackfillEnd: () => {
      progress?.end();
      const added = [...last.values()].reduce((total, state) => total + state.added, 0);
      const seconds = (shell.clock.now() - startMs) / 1000;
      shell.print(
        `backfill finished: ${count(added)} candles ${duration(seconds)} after the start`,
      );
      isBackfilled = true;
    },
    onPoll: ({ added, streamed, asked }) => {
      const arrived = added + streamed;
      if (!isBackfilled || arrived === 0) return;
      const time = new Date(shell.clock.now()).toISOString().slice(11, 19);
      shell.print(`${time}  ${count(arrived)} new candles of ${asked} series arrived`);
    },
  });
}

/** A signal that aborts with the shell's signal, or when the time of `--for` is over. */
function endOf(shell: Shell, flags: Flags): AbortSignal {
  const { for: text } = flags;
  if (typeof text !== "string") return shell.signal;
  const seconds = Number(/^(\d{1,6})s?$/.exec(text)?.[1] ?? NaN);
  if (!(seconds > 0)) {
    throw new ConfigError([{ variable: "--for", value: text, allowed: "seconds, such as 30s" }]);
  }
  const end = new AbortController();
  shell.clock.sleep(seconds * 1000, { signal: shell.signal }).catch(() => {}).then(() =>
    end.abort()
  );
  return end.signal;
}
