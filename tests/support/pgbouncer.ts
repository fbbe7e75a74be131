/** PgBouncer in transaction mode before a server, where it is installed. @module */
import { serverUser } from "./postgres_server.ts";

export interface Pgbouncer {
  readonly port: number;
  stop(): Promise<void>;
}

const READY_TRIES = 50;

/**
 * Starts one that passes every database of a server on; undefined when it is not installed.
 *
 * @param options.ignores names start-up parameters that are dropped without a word. @default none: they are refused
 */
export async function startPgbouncer(
  serverUrl: string,
  { ignores = [] }: { readonly ignores?: readonly string[] } = {},
): Promise<Pgbouncer | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "titan10-pgbouncer-" });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await Deno.writeTextFile(
    `${folder}/pgbouncer.ini`,
    [
      "[databases]",
      `* = host=127.0.0.1 port=${new URL(serverUrl).port} user=postgres`,
      "[pgbouncer]",
      "listen_addr=127.0.0.1",
      `listen_port=${port}`,
      "auth_type=any",
      "pool_mode=transaction",
      "default_pool_size=3",
      "unix_socket_dir=",
      `ignore_startup_parameters=${ignores.join(",")}`,
      "",
    ].join("\n"),
  );
  const user = await serverUser(folder);
  if (user !== undefined) await Deno.chown(folder, user.uid, user.gid);
  await Deno.chmod(folder, 0o755);
  const program = ["pgbouncer", "--quiet", `${folder}/pgbouncer.ini`];
  const [command = "", ...args] = user === undefined
    ? program
    : ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", ...program];
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  let hasEnded = false;
  const ended = child.status.then(() => hasEnded = true);
  const stop = async (): Promise<void> => {
    if (!hasEnded) child.kill("SIGKILL");
    await ended;
    await Deno.remove(folder, { recursive: true });
  };
  for (let tries = 0; tries < READY_TRIES && !hasEnded; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return { port, stop };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await stop();
  return undefined;
}
