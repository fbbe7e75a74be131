import assert from "node:assert/strict";
import { createMetrics } from "../../lib/telemetry/metrics.ts";

const lines = async (metrics: ReturnType<typeof createMetrics>): Promise<string[]> =>
  (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));

Deno.test("a breaker is in exactly one state", async () => {
  const metrics = createMetrics();
  metrics.setBreakerState("binance", "open");
  metrics.setBreakerState("okx", "closed");
  metrics.setBreakerState("binance", "half_open");
  const states = (await lines(metrics)).filter((line) => line.startsWith("titan10_breaker_state"));
  assert.deepEqual(states, [
    'titan10_breaker_state{exchange="binance",state="closed"} 0',
    'titan10_breaker_state{exchange="binance",state="open"} 0',
    'titan10_breaker_state{exchange="binance",state="half_open"} 1',
    'titan10_breaker_state{exchange="okx",state="closed"} 1',
    'titan10_breaker_state{exchange="okx",state="open"} 0',
    'titan10_breaker_state{exchange="okx",state="half_open"} 0',
  ]);
});

Deno.test("nothing is claimed of TimescaleDB before it is known", async () => {
  const metrics = createMetrics();
  const read = async (): Promise<string | undefined> =>
    (await lines(metrics)).find((line) => line.startsWith("titan10_timescaledb"));
  assert.equal(await read(), undefined);
  metrics.setTimescaledb(false);
  assert.equal(await read(), "titan10_timescaledb 0");
  metrics.setTimescaledb(true);
  assert.equal(await read(), "titan10_timescaledb 1");
});

Deno.test("whether a node leads is asked at each look, and not told before it is known", async () => {
  const metrics = createMetrics();
  const read = async (): Promise<string | undefined> =>
    (await lines(metrics)).find((line) => line.startsWith("titan10_leader"));
  assert.equal(await read(), undefined);
  let isLeader = false;
  metrics.leader(() => isLeader);
  assert.equal(await read(), "titan10_leader 0");
  isLeader = true;
  assert.equal(await read(), "titan10_leader 1");
});

Deno.test("counters add up, gauges are set and taken back, histograms count", async () => {
  const metrics = createMetrics();
  const okx = { exchange: "okx" };
  metrics.candlesWritten.inc(okx, 500);
  metrics.candlesWritten.inc(okx);
  metrics.exchangeBannedUntilSeconds.set(okx, 1_704_067_200);
  metrics.fetchDurationSeconds.observe(okx, 0.3);
  const before = await lines(metrics);
  assert(before.includes('titan10_candles_written_total{exchange="okx"} 501'));
  assert(before.includes(
    'titan10_exchange_banned_until_timestamp_seconds{exchange="okx"} 1704067200',
  ));
  assert(before.includes('titan10_fetch_duration_seconds_bucket{le="0.25",exchange="okx"} 0'));
  assert(before.includes('titan10_fetch_duration_seconds_bucket{le="0.5",exchange="okx"} 1'));
  assert(before.includes('titan10_fetch_duration_seconds_sum{exchange="okx"} 0.3'));
  metrics.exchangeBannedUntilSeconds.remove(okx);
  assert(!(await metrics.text()).includes("until_timestamp_seconds{"));
});

Deno.test("a label that a metric does not have is refused, and so is one forgotten where types are checked", () => {
  const { candlesRejected } = createMetrics();
  // @ts-expect-error -- It lacks the reason.
  candlesRejected.inc({ exchange: "okx" });
  // @ts-expect-error -- There is no such label.
  assert.throws(() => candlesRejected.inc({ exchange: "okx", reason: "x", symbol: "x" }), /symbol/);
});

Deno.test("two daemons in one process share no metric", async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.retries.inc({ exchange: "okx" });
  assert(!(await other.text()).includes("okx"));
});

Deno.test("the process is measured without any permission, anew for each text", async () => {
  const metrics = createMetrics();
  const read = async (name: string): Promise<number> => {
    const line = (await lines(metrics)).find((line) => line.startsWith(`${name} `));
    return Number(line?.split(" ")[1]);
  };
  assert(await read("process_resident_memory_bytes") > 1_000_000);
  assert.equal(await read("process_start_time_seconds"), performance.timeOrigin / 1_000);
  const beforeSeconds = await read("process_cpu_seconds_total");
  let total = 0;
  for (let i = 0; i < 20_000_000; i++) total += i;
  assert(total > 0);
  const afterSeconds = await read("process_cpu_seconds_total");
  assert(beforeSeconds > 0 && afterSeconds >= beforeSeconds && afterSeconds < beforeSeconds + 60);
});

Deno.test("a symbol's odd characters do not break the text", async () => {
  const metrics = createMetrics();
  const series = { exchange: "okx", symbol: 'A"B\\C\nD/USDT:USDT', timeframe: "1m" };
  metrics.candlesOwed.set(series, 5);
  assert((await lines(metrics)).includes(
    'titan10_candles_owed{exchange="okx",symbol="A\\"B\\\\C\\nD/USDT:USDT",timeframe="1m"} 5',
  ));
});

Deno.test("the text has the type that Prometheus expects", () => {
  assert.match(createMetrics().contentType, /^text\/plain; version=0\.0\.4/);
});
