/** The most memory that a program has had resident, as Linux tells. @module */
import { systemClock } from "../../lib/clock.ts";

/** In bytes; resolves when the program has ended. */
export async function peakOf(
  program: { readonly pid: number; readonly ended: Promise<unknown> },
): Promise<number> {
  let isOver = false;
  program.ended.then(() => isOver = true);
  let bytes = 0;
  while (!isOver) {
    bytes = Math.max(bytes, await peakSoFar(program.pid));
    // What is asked of it is a high-water mark, and asking takes time from what is measured.
    await systemClock.sleep(50);
  }
  return bytes;
}

/** Begins the high-water mark anew. Deno itself may not write there without all permissions. */
export async function forgetPeak(pid: number): Promise<void> {
  const args = ["-c", `echo 5 > /proc/${pid}/clear_refs`];
  await new Deno.Command("sh", { args, stderr: "null" }).output();
}

/** In bytes; 0 of a program that has ended. */
export async function peakSoFar(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/status`],
    stderr: "null",
  }).output();
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(new TextDecoder().decode(stdout)) ?? [];
  return Number(kib ?? 0) * 1024;
}
