/** `titan10 healthcheck`: asks the daemon of this machine how it is, for Docker and the like. @module */
import { type Flags, readSettings } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";

const TIMEOUT_MS = 5_000;

/** Ends with 0 when `/healthz` answers 200. */
export async function healthcheck(shell: Shell, flags: Flags): Promise<ExitCode> {
  const { httpHost, httpPort } = await readSettings(shell, flags);
  const url = `http://${reachable(httpHost)}:${httpPort}/healthz`;
  const enough = new AbortController();
  try {
    const response = await Promise.race([
      fetch(url, { signal: enough.signal }),
      shell.clock.sleep(TIMEOUT_MS, { signal: enough.signal }).then(() => {
        throw new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
      }),
    ]);
    const body = await response.text();
    if (flags["json"] === true) shell.print(body);
    if (response.ok) return EXIT.done;
    shell.tell(`unhealthy: ${url} answered ${response.status}: ${body}`);
  } catch (error) {
    shell.tell(`unhealthy: ${url}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    enough.abort();
  }
  return EXIT.failed;
}

/** A daemon that listens everywhere is asked on loopback. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::" || host === "[::]") return "[::1]";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
