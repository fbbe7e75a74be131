/** The HTTP endpoints on TCP for everybody who may reach them, and on a unix socket for commands. @module */
import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Asked } from "./http_answer.ts";
import { hostRule } from "./host_names.ts";
import { ListenerSlots } from "./listener_slots.ts";
import { LiveFeed } from "./live_feed.ts";
import type { PageFile } from "./page_files.ts";
import { RELOAD_HEADER } from "./reload_answer.ts";
import { router } from "./router.ts";
import { type Answers, commandRoutes, visitorRoutes } from "./routes.ts";
import { StatusFeed } from "./status_feed.ts";
import { TcpServer } from "./tcp_server.ts";
import { errorText } from "../text/redact.ts";
import { fileReason } from "../text/system_words.ts";

export interface HttpServer {
  /** The address it listens on, `http://127.0.0.1:9464`. */
  readonly url: string;
  stop(): Promise<void>;
}

interface HttpOptions {
  readonly hostname: string;
  readonly port: number;
  /**
   * The token that requests must have, except for health, readiness and the page's files; undefined when none is
   * needed.
   */
  readonly token?: string | undefined;
  /**
   * The names under which it may be asked, beside those of loopback.
   *
   * @default on loopback without a token no others, else all
   */
  readonly allowedHosts?: readonly string[];
  readonly log: Logger;
  readonly clock: Clock;
  /** The files of the page. */
  readonly page: readonly PageFile[];
}

/**
 * Listens on TCP.
 *
 * @throws Error when the address and port cannot be used.
 */
export function serveHttp(answers: Answers, options: HttpOptions): HttpServer {
  const { hostname, port, token, allowedHosts = [], log, clock, page } = options;
  const { status, news, forming, followed } = answers;
  const slots = new ListenerSlots();
  const feed = new StatusFeed({ status, news, forming, slots, clock, log });
  const live = new LiveFeed({ archive: followed, forming, slots, clock, log });
  const routes = visitorRoutes(answers, {
    clock,
    feed,
    live,
    page,
    isGuarded: token !== undefined,
  });
  const acceptsHost = hostRule({ hostname, token, allowedHosts });
  const answer = router(routes, { token, acceptsHost, log });
  const server = listen(
    {
      where: `${hostname}:${port}`,
      remedy: "Stop what listens there, or set HTTP_HOST and HTTP_PORT to others",
    },
    () => new TcpServer({ hostname, port, clock, answer }),
  );
  const { address } = server;
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return {
    url: `http://${host}:${address.port}`,
    stop(): Promise<void> {
      feed.stop();
      live.stop();
      return server.stop();
    },
  };
}

/**
 * Listens on a unix socket that only this user can open. A socket of a killed process is replaced: the caller holds the
 * data directory, so no other process listens on it. The socket's directory must exist.
 */
export async function serveUnix(
  answers: Answers,
  options: { readonly path: string; readonly log: Logger; readonly clock: Clock },
): Promise<HttpServer> {
  const { path, log, clock } = options;
  await removeIfThere(path);
  const stopping = new AbortController();
  const routes = commandRoutes(answers, { clock, signal: stopping.signal });
  const answer = router(routes, { log });
  const server = listen(
    { where: `the unix socket ${path}`, remedy: "Set DATA_DIR to a shorter path" },
    () =>
      Deno.serve({ path, onListen: () => {} }, async (request) => {
        const { status, headers, body } = await answer(askedOf(request, stopping.signal));
        return new Response(request.method === "HEAD" ? null : body, { status, headers });
      }),
  );
  await Deno.chmod(path, 0o600);
  return {
    url: `unix:${path}`,
    async stop(): Promise<void> {
      // Streams end only when their readers have read everything, so they are aborted here.
      stopping.abort(new Error("the daemon is stopping"));
      await server.shutdown();
      await removeIfThere(path);
    },
  };
}

/** The request's own signal is not used: streams know when their readers go, and Deno would print a notice of it. */
function askedOf(request: Request, signal: AbortSignal): Asked {
  const { pathname, search } = new URL(request.url);
  return {
    method: request.method,
    path: pathname,
    query: search.slice(1),
    host: undefined,
    authorization: undefined,
    purpose: request.headers.get(RELOAD_HEADER) ?? undefined,
    lastEventId: undefined,
    peer: "",
    signal,
    json: () => request.json(),
  };
}

function listen<T>(
  { where, remedy }: { readonly where: string; readonly remedy: string },
  begin: () => T,
): T {
  try {
    return begin();
  } catch (error) {
    const text = fileReason(errorText(error));
    throw new Error(`Cannot listen (${text}) on ${where}. ${remedy}`, { cause: error });
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
