/** What Prometheus expects to know of any process: memory, CPU time, start. @module */
import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";

/**
 * Prometheus' usual metrics of a process. Not prom-client's own: those read `/proc`, which needs a
 * permission, print `Nan`, and leave observers running that cannot be stopped.
 */
export function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    registers,
    collect(): void {
      this.set(Deno.memoryUsage().rss);
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start time of the process since the Unix epoch in seconds.",
    registers,
    collect(): void {
      this.set(performance.timeOrigin / 1_000);
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time spent in seconds.",
    registers,
    collect(): void {
      const { user, system } = process.cpuUsage();
      // A counter can only be added to, and the system keeps the total itself.
      this.reset();
      this.inc((user + system) / 1_000_000);
    },
  });
}
