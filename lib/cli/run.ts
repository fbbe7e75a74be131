/** `titan10 run`: the daemon. @module */
import { runDaemon } from "../daemon/daemon.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";

/** Runs the daemon until a signal. */
export async function run(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags);
  await runDaemon(ground, { signal: shell.signal, onHangup: shell.onHangup });
  return EXIT.done;
}
