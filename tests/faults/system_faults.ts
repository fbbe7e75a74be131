/** How each fault of the database and of the process is brought about and taken away. @module */
import { systemClock } from "../../lib/clock.ts";
import { start } from "../support/program.ts";
import type { Begin, End } from "./exchange_faults.ts";
import type { Scene, Sql } from "./scene.ts";
import type { FaultName } from "./schedule.ts";

const OTHER_CLIENTS =
  "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";

export const SYSTEM_FAULTS = {
  "connections terminated": (scene) =>
    repeated(50, async () => void await admin(scene).unsafe(OTHER_CLIENTS)),
  "connections used up": (scene) => altered(scene, "connection limit 0", "connection limit -1"),
  "read only": (scene) =>
    altered(
      scene,
      "set default_transaction_read_only = on",
      "reset default_transaction_read_only",
    ),
  "statement timeout": (scene) =>
    altered(scene, "set statement_timeout = '3ms'", "reset statement_timeout"),
  "lock held": (scene, random) => locked(scene, random.pick(["checkpoints", "ohlcv_1m", "gaps"])),
  "deadlock": (scene) => crossed(scene),
  "server killed": async ({ server }) => {
    await server?.kill9();
    return async () => await server?.restart();
  },
  "server killed at start": async ({ server, program }) => {
    // In the middle of the migrations, at best.
    await program.end("SIGKILL");
    program.start();
    await systemClock.sleep(400);
    await server?.kill9();
    return async () => await server?.restart();
  },
  "server stopped in its tracks": async ({ server }) => {
    await server?.freeze();
    return () => server?.thaw();
  },
  "slow commit": async (scene) => {
    const set = async (command: string): Promise<void> => {
      await admin(scene).unsafe(command);
      await admin(scene).unsafe("select pg_reload_conf()");
    };
    await set("alter system set synchronous_standby_names = 'nobody'");
    return () => set("alter system reset synchronous_standby_names");
  },
  "disk full": async ({ smallDisk, server }) => {
    const file = `${smallDisk}/filler`;
    // Fails when nothing is left, which is what it is for.
    await new Deno.Command("dd", {
      args: ["if=/dev/zero", `of=${file}`, "bs=64k"],
      stderr: "null",
    }).output();
    return async () => {
      await Deno.remove(file);
      // A server that could not write its log has ended itself.
      await server?.restart();
    };
  },
  "kill -9": async ({ program }) => {
    await program.end("SIGKILL");
    return () => program.start();
  },
  "SIGTERM": ({ program }) => {
    // Behind a hanging exchange or server this takes as long as it takes; the end of the fault waits for it.
    const ended = program.end("SIGTERM");
    return async () => {
      await ended;
      program.start();
    };
  },
  "SIGSTOP": ({ program }) => {
    program.signal("SIGSTOP");
    return () => program.signal("SIGCONT");
  },
  "second daemon": ({ cwd, env, machineClock }) => {
    const second = start(["run"], { cwd, env: { ...env, ...machineClock.env } });
    return async () => {
      second.kill("SIGTERM");
      await second.ended;
    };
  },
  "machine clock jumps": async ({ machineClock }, random) => {
    await machineClock.set(random.pick([-5 * 3600, -90, -3, 3, 90, 5 * 3600]) * 1000);
    return () => machineClock.set(0);
  },
} as const satisfies Partial<Readonly<Record<FaultName, Begin>>>;

function admin({ admin }: Scene): Sql {
  if (admin === undefined) throw new Error("Cannot break a server: there is none");
  return admin;
}

/** Does something every so many milliseconds; it may fail. */
function repeated(everyMs: number, act: () => Promise<void>): End {
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      await act().catch(() => {});
      await systemClock.sleep(everyMs, { signal: stop.signal }).catch(() => {});
    }
  })();
  return async () => {
    stop.abort();
    await running;
  };
}

/** Changes the database for new connections, and makes all of them new ones. */
async function altered(scene: Scene, change: string, undo: string): Promise<End> {
  const alter = async (what: string): Promise<void> => {
    const sql = admin(scene);
    const [row] = await sql`select current_database() as name`;
    // The administrator's own connections obey as well.
    await sql.begin(async (tx) => {
      await tx.unsafe("set transaction read write");
      await tx.unsafe("set local statement_timeout = 0");
      await tx.unsafe(`alter database ${row?.["name"]} ${what}`);
    });
    await sql.unsafe(OTHER_CLIENTS).catch(() => {});
  };
  await persistently(() => alter(change));
  return () => persistently(() => alter(undo));
}

/** Holds a table against everybody. */
async function locked(scene: Scene, table: string): Promise<End> {
  const release = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const held = admin(scene).begin(async (tx) => {
    await tx.unsafe(`lock table ${table} in access exclusive mode`);
    taken.resolve();
    await release.promise;
  }).catch(() => taken.resolve());
  await taken.promise;
  return async () => {
    release.resolve();
    await held;
  };
}

/** Locks the ledger's rows first and the candles' table second, the other way round than a page does. */
function crossed(scene: Scene): End {
  return repeated(20, async () => {
    await admin(scene).begin(async (tx) => {
      await tx.unsafe("select 1 from checkpoints for update");
      await systemClock.sleep(30);
      await tx.unsafe("lock table ohlcv_1s, ohlcv_1m in access exclusive mode");
    });
  });
}

const TRIES = 40;

/** Another fault may be in the way. */
async function persistently(act: () => Promise<void>): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await act();
    } catch (error) {
      if (tries === TRIES) throw error;
      await systemClock.sleep(100);
    }
  }
}
