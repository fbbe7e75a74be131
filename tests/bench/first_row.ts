/** From the start of the daemon's process to its first row, on a database that is there already. @module */
import { type Bench, type Result, timeMs } from "./bench.ts";
import { fastSettings, type Process, startFastExchange, startProgram } from "./program.ts";

const STARTS = 5;
/** Below the ports that the system gives to sockets that ask for any: a test beside it may have those. */
const HTTP_PORT = 21_653;

export const firstRow: Bench = {
  name: "e start to first row",
  async run({ opened: { url }, scale }): Promise<readonly Result[]> {
    const exchange = await startFastExchange();
    const dataDir = await Deno.makeTempDir();
    const env = {
      ...fastSettings(exchange),
      BACKFILL: "1m:1h",
      HTTP_PORT: String(HTTP_PORT),
      DATA_DIR: dataDir,
      ...(url === undefined ? {} : { DATABASE_URL: url }),
    };
    try {
      const starts = Math.max(1, Math.round(STARTS * scale));
      // The first one makes the schema, and the directory. Each has a symbol of its own: of one that is answered for
      // nothing would be asked before the next minute.
      const times: number[] = [];
      for (let start = 0; start <= starts; start++) {
        const ms = await startOnce({ ...env, SYMBOLS: `COIN${start}/USDT` });
        if (start > 0) times.push(ms);
      }
      const bareMs = await timeMs(() =>
        new Deno.Command(Deno.execPath(), { args: ["eval", "0"] }).output()
      );
      const medianMs = times.sort((a, b) => a - b)[Math.floor(starts / 2)] ?? NaN;
      return [{
        bench: this.name,
        value: medianMs / 1000,
        unit: "s",
        ratio: medianMs / bareMs,
        against: `deno's own start (${bareMs} ms)`,
      }];
    } finally {
      await exchange.stop();
      await Deno.remove(dataDir, { recursive: true });
    }
  },
};

/** Milliseconds until the first page is written. */
async function startOnce(env: Readonly<Record<string, string>>): Promise<number> {
  const started: Process[] = [];
  const ms = await timeMs(async () => {
    started.push(startProgram(["run"], env));
    await untilWritten();
  });
  for (const program of started) await program.stop();
  return ms;
}

async function untilWritten(): Promise<void> {
  for (;;) {
    const text = await fetch(`http://127.0.0.1:${HTTP_PORT}/metrics`)
      .then((response) => response.text()).catch(() => "");
    // A page that was written, whether or not it brought a new candle.
    if (/^titan10_db_write_duration_seconds_count\S* [1-9]/m.test(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
