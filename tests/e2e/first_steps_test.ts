/** What a beginner does first, as README has it: init, doctor, run; then add and forget. No settings but where the exchanges are, and how often they are asked. @module */
import assert from "node:assert/strict";
import type { Status } from "../../lib/serve/status.ts";
import { withInitExchanges } from "../support/init_exchanges.ts";
import { assertCode, run, type Running, start, withArchiveDirectory } from "../support/program.ts";
import { until } from "../support/until.ts";

/** `init`, `doctor`, `run`: what follows the demo in README. */
const STEPS = [
  ...(await Deno.readTextFile(new URL("../../README.md", import.meta.url)))
    .matchAll(/^\$ npx --yes deno@[\d.]+ task titan10 (\w+) +#/gm),
].map(([, command = ""]) => command);

Deno.test("README's first steps are enough, and symbols come and go while it runs", async () => {
  assert.equal(STEPS.at(-1), "run");
  assert(STEPS.includes("init") && STEPS.length <= 4, STEPS.join());
  await withInitExchanges((env) =>
    withArchiveDirectory(async (cwd) => {
      for (const step of STEPS.slice(0, -1)) assertCode(await run([step], { cwd, env }), 0);
      const daemon = start(["run"], { cwd, env });
      try {
        await useIt(daemon, { cwd, env });
      } finally {
        daemon.kill("SIGTERM");
        assert.equal((await daemon.ended).code, 143, daemon.stderr());
      }
    })
  );
});

async function useIt(
  daemon: Running,
  place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<void> {
  const [, url = ""] = await daemon.waitFor(/(http:\/\/127\.0\.0\.1:\d+)/);
  const written = await Deno.readTextFile(`${place.cwd}/titan10.yaml`);
  const status = await untilStatus(
    url,
    ({ series }) => series.length === 8 && series.every(({ candles }) => candles > 0),
  );
  const names = ["binance BTC/USDT", "binance ETH/USDT", "kraken BTC/USD", "kraken ETH/USD"];
  assert.deepEqual(symbolsOf(status), names);

  const added = await run(["add", "binance:SOL/USDT"], place);
  assertCode(added, 0);
  assert.match(added.stdout, /^binance SOL\/USDT is archived from now on\.$/m);
  await untilStatus(
    url,
    ({ series }) => series.some(({ symbol, candles }) => symbol === "SOL/USDT" && candles > 0),
  );

  const unsure = await run(["forget", "binance:SOL/USDT", "--delete"], place);
  assertCode(unsure, 1);
  assert.match(
    unsure.stderr,
    /^This would delete [\d,]+ candles of binance SOL\/USDT \(1m, 1d\)\. Repeat the command/,
  );
  const deleted = await run(["forget", "binance:SOL/USDT", "--delete", "--yes"], place);
  assertCode(deleted, 0);
  assert.match(deleted.stdout, /^binance SOL\/USDT: [1-9][\d,]* candles deleted\.$/m);
  assert.equal(await Deno.readTextFile(`${place.cwd}/titan10.yaml`), written);
  const after: Status = await (await fetch(`${url}/status`)).json();
  assert.deepEqual(symbolsOf(after), names);
  // Polls have gone on, and none has brought it back.
  const polls = ({ jobs }: Status): string =>
    jobs.find(({ job }) => job === "poll")?.lastStart ?? "";
  for (let ticks = 0, from = polls(after); ticks < 2; ticks++) {
    from = polls(await untilStatus(url, (status) => polls(status) > from));
  }
  assert.deepEqual(symbolsOf(await untilStatus(url, () => true)), names);
}

function symbolsOf({ series }: Status): readonly string[] {
  return [...new Set(series.map(({ exchange, symbol }) => `${exchange} ${symbol}`))];
}

async function untilStatus(url: string, isIt: (status: Status) => boolean): Promise<Status> {
  const ask = async (): Promise<Status> => await (await fetch(`${url}/status`)).json();
  let status = await ask();
  const isSo = async (): Promise<boolean> => isIt(status = await ask());
  await until(`a status of which this is true: ${isIt}`, isSo, { instead: () => status });
  return status;
}
