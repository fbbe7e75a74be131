/** The HTTP endpoints: health, readiness, metrics, status, the page; and more of them on a unix socket. @module */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Checkup } from "../doctor/checkup.ts";
import type { Plan } from "../fetch/plan.ts";
import { BadQueryError, type CandlesDocument, type ExplainedDocument } from "./chart_answer.ts";
import type { ExportPage, ExportRequest } from "../transfer/candle_export.ts";
import { jsonLines } from "./json_lines.ts";
import { type PageFile, securityHeaders } from "./page_files.ts";
import type { QueryPage } from "../store/read_query.ts";
import { SchemaBehindError, type Status } from "./status.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import { StatusFeed } from "./status_feed.ts";
import type { StorageDocument } from "./storage_report.ts";
import { errorText } from "../text/redact.ts";

/** Yes, or no with the reasons. */
export interface Health {
  readonly ok: boolean;
  /** One sentence per reason; empty when `ok`. */
  readonly reasons: readonly string[];
}

/** The functions that answer the endpoints. */
export interface Answers {
  /** Whether the process makes progress. */
  readonly health: () => Health;
  /** Whether the process can work: database, migrations, at least one exchange. */
  readonly readiness: () => Promise<Health>;
  readonly metrics: Metrics;
  readonly status: () => Promise<Status>;
  /** @throws BadQueryError */
  readonly candles: (query: URLSearchParams) => Promise<CandlesDocument>;
  /** @throws BadQueryError */
  readonly explained: (query: URLSearchParams) => Promise<ExplainedDocument>;
  /** Only on the unix socket, because it sends requests to exchanges. */
  readonly plan: () => Promise<Plan>;
  /** Only on the unix socket, because it sends requests to exchanges. */
  readonly doctor: () => Promise<Checkup>;
  /** Only on the unix socket, for `titan10 gaps`. */
  readonly gaps: () => AsyncGenerator<unknown, void>;
  /** Only on the unix socket, for `titan10 status --storage`. */
  readonly storage: () => Promise<StorageDocument>;
  /** Only on the unix socket, for `titan10 export`. */
  readonly export: (request: ExportRequest) => AsyncGenerator<ExportPage, void>;
  /** Only on the unix socket, for `titan10 query`. */
  readonly query: (asked: QueryRequest, signal: AbortSignal) => AsyncGenerator<QueryPage, void>;
}

interface QueryRequest {
  readonly text: string;
  readonly timeoutMs: number;
}

export interface HttpServer {
  /** The address it listens on, `http://127.0.0.1:9464`. */
  readonly url: string;
  stop(): Promise<void>;
}

interface Route {
  readonly pattern: URLPattern;
  /** Whether it needs no token. Container probes have none. */
  readonly isOpen?: boolean;
  /** @default GET */
  readonly method?: "POST";
  readonly answer: (request: Request) => Promise<Response> | Response;
}

interface HttpOptions {
  readonly hostname: string;
  readonly port: number;
  /**
   * The token that requests must have, except for health, readiness and the page's files; undefined when none is
   * needed.
   */
  readonly token?: string | undefined;
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
  const { hostname, port, token, log, clock, page } = options;
  const feed = new StatusFeed({ status: answers.status, clock, log });
  const routes = [...publicRoutes(answers), ...pageRoutes(answers, { feed, page })];
  const handle = router(routes, { token, log });
  const server = listen(
    `${hostname}:${port}. Set HTTP_HOST and HTTP_PORT to others`,
    () => Deno.serve({ hostname, port, onListen: () => {} }, handle),
  );
  const host = server.addr.hostname.includes(":")
    ? `[${server.addr.hostname}]`
    : server.addr.hostname;
  return {
    url: `http://${host}:${server.addr.port}`,
    stop(): Promise<void> {
      feed.stop();
      return server.shutdown();
    },
  };
}

/**
 * Listens on a unix socket that only this user can open. A socket of a killed process is replaced: the caller holds the
 * data directory, so no other process listens on it. The socket's directory must exist.
 */
export async function serveUnix(
  answers: Answers,
  options: { readonly path: string; readonly log: Logger },
): Promise<HttpServer> {
  const { path, log } = options;
  await removeIfThere(path);
  const stopping = new AbortController();
  const routes: readonly Route[] = [
    ...publicRoutes(answers),
    { pattern: pathPattern("/plan"), answer: async () => Response.json(await answers.plan()) },
    { pattern: pathPattern("/doctor"), answer: async () => Response.json(await answers.doctor()) },
    {
      pattern: pathPattern("/storage"),
      answer: async () => Response.json(await answers.storage()),
    },
    streamed("/gaps", () => answers.gaps(), stopping),
    streamed("/export", (request) => answers.export(request as ExportRequest), stopping),
    streamed("/query", (asked, signal) => answers.query(asked as QueryRequest, signal), stopping),
  ];
  const server = listen(
    `the unix socket ${path}. Set DATA_DIR to a shorter path`,
    () => Deno.serve({ path, onListen: () => {} }, router(routes, { log })),
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

/** A route whose request is a JSON document and whose answer is a stream of JSON documents. */
function streamed(
  pathname: string,
  answer: (asked: unknown, signal: AbortSignal) => AsyncGenerator<unknown, void>,
  { signal }: AbortController,
): Route {
  return {
    pattern: pathPattern(pathname),
    method: "POST",
    answer: async (request) => {
      const asked = await request.json();
      return jsonLines((ending) => answer(asked, ending), { signal });
    },
  };
}

function asked({ url }: Request): URLSearchParams {
  return new URL(url).searchParams;
}

function listen<T>(where: string, begin: () => T): T {
  try {
    return begin();
  } catch (error) {
    const text = errorText(error);
    throw new Error(`Cannot listen (${text}) on ${where}`, { cause: error });
  }
}

function publicRoutes(answers: Answers): readonly Route[] {
  return [
    {
      pattern: pathPattern("/healthz"),
      isOpen: true,
      answer: () => healthResponse(answers.health()),
    },
    {
      pattern: pathPattern("/readyz"),
      isOpen: true,
      answer: async () => healthResponse(await answers.readiness()),
    },
    {
      pattern: pathPattern("/metrics"),
      answer: async () =>
        new Response(await answers.metrics.text(), {
          headers: { "content-type": answers.metrics.contentType },
        }),
    },
    { pattern: pathPattern("/status"), answer: async () => Response.json(await answers.status()) },
  ];
}

/**
 * The page and its data. The page's files need no token: they hold no data, and the page asks the user for the token.
 */
function pageRoutes(
  answers: Answers,
  { feed, page }: { readonly feed: StatusFeed; readonly page: readonly PageFile[] },
): readonly Route[] {
  return [
    {
      pattern: pathPattern("/candles"),
      answer: async (request) => Response.json(await answers.candles(asked(request))),
    },
    {
      pattern: pathPattern("/explained"),
      answer: async (request) => Response.json(await answers.explained(asked(request))),
    },
    {
      pattern: pathPattern("/events"),
      answer: () => {
        const stream = feed.listen();
        return stream === undefined
          ? Response.json({ error: "Too many listen already" }, { status: 503 })
          : new Response(stream, { headers: { "content-type": "text/event-stream" } });
      },
    },
    ...page.map(({ path, contentType, bytes }) => ({
      pattern: pathPattern(path),
      isOpen: true,
      answer: () =>
        new Response(bytes, {
          headers: { "content-type": contentType, ...securityHeaders(true) },
        }),
    })),
  ];
}

function pathPattern(pathname: string): URLPattern {
  return new URLPattern({ pathname });
}

function healthResponse(health: Health): Response {
  return Response.json(health, { status: health.ok ? 200 : 503 });
}

function router(
  routes: readonly Route[],
  { token, log }: Pick<HttpOptions, "token" | "log">,
): (request: Request) => Promise<Response> {
  const answerOf = async (request: Request): Promise<Response> => {
    // The host in the URL comes from the client, so the URL may be invalid.
    if (!URL.canParse(request.url)) return refusal(400, "The header Host holds no host");
    const route = routes.find(({ pattern }) => pattern.test(request.url));
    // Check the token first, so that clients without it do not learn which paths exist.
    if (token !== undefined && route?.isOpen !== true && !bringsToken(request, token)) {
      const error = "Bring the header Authorization: Bearer with the HTTP_TOKEN";
      return refusal(401, error, { "www-authenticate": 'Bearer realm="titan10"' });
    }
    if (route === undefined) {
      const paths = routes.map(({ pattern }) => pattern.pathname);
      return Response.json({ error: "Not found", paths }, { status: 404 });
    }
    const allowed = route.method === undefined ? ["GET", "HEAD"] : [route.method];
    if (!allowed.includes(request.method)) {
      return refusal(405, `Method ${request.method} is not allowed`, { allow: allowed.join(", ") });
    }
    try {
      const response = await route.answer(request);
      response.headers.set("cache-control", "no-store");
      if (request.method !== "HEAD") return response;
      await response.body?.cancel();
      return new Response(null, { status: response.status, headers: response.headers });
    } catch (error) {
      if (error instanceof BadQueryError) return refusal(error.status, error.message);
      const { pathname } = route.pattern;
      const isBehind = error instanceof SchemaBehindError;
      const why = isBehind ? error.message : isServerAway(error) ? AWAY : undefined;
      // That it is away was logged already.
      log[why === undefined ? "warn" : "debug"]("a request failed", { path: pathname, error });
      // The reason is only in the log, because it may name the database, which clients need not know.
      return refusal(503, `Cannot answer ${pathname}: ${why ?? "see the log"}`);
    }
  };
  return async (request) => {
    const response = await answerOf(request);
    for (const [name, value] of Object.entries(securityHeaders(false))) {
      if (!response.headers.has(name)) response.headers.set(name, value);
    }
    return response;
  };
}

const AWAY = "the database is away. It is tried again";

function refusal(
  status: number,
  error: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error }, { status, headers });
}

/** Compares digests, so that the time it takes does not depend on the token, not even on its length. */
function bringsToken(request: Request, token: string): boolean {
  const brought = /^bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  return timingSafeEqual(sha256(brought), sha256(token));
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
