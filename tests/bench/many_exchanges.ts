/**
 * Local exchanges as a process of their own, each answering for candles after a latency, and telling of them over its
 * stream where it has one, a latency after their close. Arguments: how many exchanges, how many symbols, and the latency
 * in milliseconds. Its first line is the program's settings for them, as JSON.
 * @module
 */
import { systemClock } from "../../lib/clock.ts";
import { startManyExchanges } from "../support/many_exchanges.ts";
import { startManyStreams } from "../support/many_streams.ts";

const [exchanges = 0, symbols = 0, latencyMs = 0] = Deno.args.map(Number);
const many = await startManyExchanges({ exchanges, symbols, clock: systemClock });
for (const { local } of many.exchanges) {
  local.faults.add({ when: { about: "candles" }, fault: { kind: "latency", ms: latencyMs } });
}
const streams = startManyStreams(many, { clock: systemClock, latencyMs });
console.log(JSON.stringify(streams.settings));
