/** `titan10 healthcheck`: checks the daemon on this machine, for Docker and other supervisors. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { type Flags, readSettings } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { errorText } from "../text/redact.ts";
import { networkReason } from "../text/system_words.ts";

const TIMEOUT_MS = 5_000;

/** Exits with 0 when `/healthz` answers 200. */
export async function healthcheck(shell: Shell, flags: Flags): Promise<ExitCode> {
  const health = await askHealth(await readSettings(shell, flags), shell.clock);
  if (flags["json"] === true && health.body !== undefined) shell.print(health.body);
  if (health.ok) return EXIT.done;
  shell.tell(`unhealthy: ${health.why}`);
  return EXIT.failed;
}

/** The health of a daemon. */
interface DaemonHealth {
  readonly ok: boolean;
  /** The body of its answer; undefined if it did not answer. */
  readonly body: string | undefined;
  /** Why it is unhealthy; empty when it is healthy. */
  readonly why: string;
}

/** Asks the daemon on this machine for its health. */
export async function askHealth(
  { httpHost, httpPort }: Pick<Config, "httpHost" | "httpPort">,
  clock: Clock,
): Promise<DaemonHealth> {
  const url = `http://${reachable(httpHost)}:${httpPort}/healthz`;
  const enough = new AbortController();
  try {
    const response = await Promise.race([
      fetch(url, { signal: enough.signal }),
      clock.sleep(TIMEOUT_MS, { signal: enough.signal }).then(() => {
        throw new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
      }),
    ]);
    const body = await response.text();
    const why = response.ok ? "" : `${url} answered ${response.status}: ${body}`;
    return { ok: response.ok, body, why };
  } catch (error) {
    return { ok: false, body: undefined, why: silence(url, error) };
  } finally {
    enough.abort();
  }
}

/** Why there was no answer, and what to do. */
function silence(url: string, error: unknown): string {
  const { host } = new URL(url);
  const reason = error instanceof Error ? networkReason(error) : errorText(error);
  return /connection refused/i.test(reason)
    ? `nothing listens at ${host}. Start titan10 run, or set HTTP_HOST and HTTP_PORT to its address`
    : `${host} does not answer: ${errorText(reason)}`;
}

/** If the daemon listens on all addresses, it is asked on loopback. */
export function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::" || host === "[::]") return "[::1]";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
