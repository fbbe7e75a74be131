/** The daemon's own clock, which libfaketime sets wrong where that is installed. @module */

/** For programs of several threads, where Debian's package faketime puts it. */
const LIBRARIES = ["x86_64", "aarch64"].map((machine) =>
  `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`
);

const LIBRARY = await findLibrary();

/** Whether a clock can be set wrong here. */
export const CLOCKS_CAN_JUMP = LIBRARY !== undefined;

export interface MachineClock {
  /** What a program that obeys this clock is started with. */
  readonly env: Readonly<Record<string, string>>;
  /** Lets the clock jump, within a second, to so much later than the schedule's time. */
  set(shiftMs: number): Promise<void>;
}

/** A clock that is so much later than this machine's, and right until it is set; kept in a file of a folder. */
export async function makeMachineClock(folder: string, laterMs: number): Promise<MachineClock> {
  if (LIBRARY === undefined) return { env: {}, set: () => Promise.resolve() };
  const file = `${folder}/clock`;
  const set = async (shiftMs: number): Promise<void> => {
    const ms = laterMs + shiftMs;
    // Whole at any moment.
    await Deno.writeTextFile(`${file}.new`, `${ms < 0 ? "" : "+"}${ms / 1000}\n`);
    await Deno.rename(`${file}.new`, file);
  };
  await set(0);
  return {
    env: {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      // Seconds.
      FAKETIME_CACHE_DURATION: "1",
      // As in life: the clock of timers never jumps.
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    },
    set,
  };
}

async function findLibrary(): Promise<string | undefined> {
  for (const path of LIBRARIES) {
    if (await Deno.stat(path).then((file) => file.isFile, () => false)) return path;
  }
}
