/** The standard Prometheus metrics of a process: memory, CPU time, start time. @module */
import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";

/**
 * Adds Prometheus' standard process metrics. prom-client's own ones are not used: they read `/proc`, which needs a
 * permission, they print `Nan`, and they leave observers running that cannot be stopped.
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
      // The system keeps the total, but a counter can only be increased. So it is reset first.
      this.reset();
      this.inc((user + system) / 1_000_000);
    },
  });
}
