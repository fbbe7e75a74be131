/** The endpoints: what is answered on TCP, and what only on the unix socket. @module */
import type { Clock } from "../clock.ts";
import type { Checkup } from "../doctor/checkup.ts";
import type { Plan } from "../fetch/plan.ts";
import type { FormingCandle } from "../live/forming.ts";
import type { Series } from "../market/series.ts";
import type { ReportRequest, ReportStep } from "../report/document.ts";
import { SharedRun } from "../policy/shared_run.ts";
import type { QueryPage } from "../store/read_query.ts";
import { isLoopback } from "../text/loopback.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { AskedExport } from "../transfer/asked_export.ts";
import { type Answer, type Asked, jsonAnswer, refusal } from "./http_answer.ts";
import { type CandleFile, fileRoutes } from "./candle_files.ts";
import { type CandlesDocument, type ExplainedDocument, Query } from "./chart_answer.ts";
import { DatabaseAnswers } from "./database_answers.ts";
import { jsonLines } from "./json_lines.ts";
import type { FollowedArchive, LiveFeed } from "./live_feed.ts";
import { type PageFile, securityHeaders } from "./page_files.ts";
import { RELOAD_HEADER, RELOAD_HEADER_VALUE, type ReloadAnswer } from "./reload_answer.ts";
import type { EventsDocument, News } from "./news.ts";
import type { Status } from "./status.ts";
import type { StatusFeed } from "./status_feed.ts";
import type { StorageDocument } from "./storage_report.ts";

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
  /** Whether the process can work: database, migrations, at least one exchange. From memory, as `health` is. */
  readonly readiness: () => Health;
  readonly metrics: Metrics;
  /** What of the status must be seen at once. Like the next four, ends when the signal aborts: nobody waits for it any more. */
  readonly news: (signal: AbortSignal) => Promise<News>;
  readonly status: (signal: AbortSignal) => Promise<Status>;
  /** The candle of a series that forms, as its stream has told; from memory. */
  readonly forming: (series: Series) => FormingCandle | undefined;
  /** For `/live`. */
  readonly followed: FollowedArchive;
  /** @throws BadQueryError */
  readonly events: (query: URLSearchParams, signal: AbortSignal) => Promise<EventsDocument>;
  /** @throws BadQueryError */
  readonly candles: (query: URLSearchParams, signal: AbortSignal) => Promise<CandlesDocument>;
  /** @throws BadQueryError */
  readonly explained: (query: URLSearchParams, signal: AbortSignal) => Promise<ExplainedDocument>;
  /** For `/candles.csv` and `/candles.parquet`. @throws BadQueryError */
  readonly file: (query: URLSearchParams, signal: AbortSignal) => Promise<CandleFile>;
  /** Reads the settings again. Never throws. */
  readonly reload: () => Promise<ReloadAnswer>;
  /** Only on the unix socket, because it sends requests to exchanges. */
  readonly plan: (query: URLSearchParams) => Promise<Plan>;
  /** Only on the unix socket, because it sends requests to exchanges. */
  readonly doctor: () => Promise<Checkup>;
  /** Only on the unix socket, for `titan10 gaps`. */
  readonly gaps: (asked: { readonly what?: "funding" }) => AsyncGenerator<unknown, void>;
  /** Only on the unix socket, for `titan10 status --storage`. */
  readonly storage: () => Promise<StorageDocument>;
  /** Only on the unix socket, for `titan10 export`. */
  readonly export: (asked: AskedExport) => AsyncGenerator<unknown, void>;
  /** Only on the unix socket, for `titan10 report`. */
  readonly report: (
    request: ReportRequest,
    signal: AbortSignal,
  ) => AsyncGenerator<ReportStep, void>;
  /** Only on the unix socket, for `titan10 forget --delete`. */
  readonly forget: (asked: ForgetRequest) => Promise<ForgetAnswer>;
  /** Only on the unix socket, for `titan10 query`. */
  readonly query: (asked: QueryRequest, signal: AbortSignal) => AsyncGenerator<QueryPage, void>;
}

interface QueryRequest {
  readonly text: string;
  readonly timeoutMs: number;
}

export interface ForgetRequest {
  readonly exchange: string;
  readonly symbol: string;
}

/** How many candles were deleted, or why none were. */
export type ForgetAnswer = { readonly deleted: number } | { readonly refused: string };

export interface Route {
  /** Compared with what was sent, byte by byte. */
  readonly path: string;
  /** Whether it needs no token. Container probes have none. */
  readonly isOpen?: boolean;
  /** @default GET */
  readonly method?: "POST";
  readonly answer: (asked: Asked) => Promise<Answer> | Answer;
}

/**
 * What is answered on TCP: also the page and its data. The page's files need no token: they hold no data, and the page asks
 * the user for the token.
 */
export function visitorRoutes(
  answers: Answers,
  { clock, feed, live, page, isGuarded }: {
    readonly clock: Clock;
    /** Whether requests must bring a token. */
    readonly isGuarded: boolean;
    readonly feed: StatusFeed;
    readonly live: LiveFeed;
    readonly page: readonly PageFile[];
  },
): readonly Route[] {
  const database = new DatabaseAnswers(clock);
  const read = (
    path: string,
    document: (query: URLSearchParams, signal: AbortSignal) => Promise<unknown>,
  ): Route => ({
    path,
    answer: async (asked) =>
      jsonAnswer(
        await database.readFor(asked, (signal) => document(queryOf(asked), signal)),
      ),
  });
  return [
    ...publicRoutes(answers, database),
    read("/candles", answers.candles),
    read("/explained", answers.explained),
    ...fileRoutes(answers.file, database),
    read("/eventlog", answers.events),
    reloadRoute(answers, ({ peer }) => isGuarded || isLoopback(peer) || peer === LOOPBACK_NETWORK),
    {
      path: "/events",
      answer: (asked) => {
        const query = new Query(queryOf(asked), ["exchange", "symbol", "timeframe"]);
        return eventsAnswer(
          feed.listen(asked.peer, asked.query === "" ? undefined : query.series()),
        );
      },
    },
    {
      path: "/live",
      answer: async (asked) => {
        const id = asked.lastEventId;
        const followed = await database.readFor(
          asked,
          (signal) => answers.followed.find(queryOf(asked), { id, signal }),
        );
        // Nobody would read the stream, nor end it.
        asked.signal.throwIfAborted();
        return eventsAnswer(live.listen(asked.peer, followed));
      },
    },
    ...page.map(({ path, contentType, bytes: body }) => ({
      path,
      isOpen: true,
      answer: (): Answer => ({
        status: 200,
        headers: { "content-type": contentType, ...securityHeaders(true) },
        body,
      }),
    })),
  ];
}

function queryOf({ query }: Asked): URLSearchParams {
  return new URLSearchParams(query);
}

function eventsAnswer(body: ReadableStream<Uint8Array> | undefined): Answer {
  return body === undefined
    ? refusal(503, "Too many listen already", { "retry-after": "10" })
    : { status: 200, headers: { "content-type": "text/event-stream" }, body };
}

/** What commands ask for. The streams end when the signal aborts. */
export function commandRoutes(
  answers: Answers,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): readonly Route[] {
  const document = (path: string, read: () => Promise<unknown>): Route => ({
    path,
    answer: async () => jsonAnswer(await read()),
  });
  /** The request is a JSON document, the answer a stream of them. */
  const streamed = (
    path: string,
    answer: (asked: unknown, signal: AbortSignal) => AsyncGenerator<unknown, void>,
  ): Route => ({
    path,
    method: "POST",
    answer: async ({ json }) => {
      const asked = await json?.();
      return jsonLines((ending) => answer(asked, ending), { signal });
    },
  });
  return [
    ...publicRoutes(answers, new DatabaseAnswers(clock)),
    reloadRoute(answers, () => true),
    {
      path: "/plan",
      answer: async ({ query }) => jsonAnswer(await answers.plan(new URLSearchParams(query))),
    },
    {
      path: "/eventlog",
      answer: async ({ query }) =>
        jsonAnswer(await answers.events(new URLSearchParams(query), signal)),
    },
    document("/doctor", answers.doctor),
    document("/storage", answers.storage),
    {
      path: "/forget",
      method: "POST",
      answer: async ({ json }) => jsonAnswer(await answers.forget(await json?.() as ForgetRequest)),
    },
    streamed("/gaps", (asked) => answers.gaps(asked as { readonly what?: "funding" })),
    streamed("/export", (asked) => answers.export(asked as AskedExport)),
    streamed("/report", (asked, signal) => answers.report(asked as ReportRequest, signal)),
    streamed("/query", (asked, signal) => answers.query(asked as QueryRequest, signal)),
  ];
}

/** Health, readiness, metrics and status. */
function publicRoutes(answers: Answers, database: DatabaseAnswers): readonly Route[] {
  const metrics = async (): Promise<Answer> => ({
    status: 200,
    headers: { "content-type": answers.metrics.contentType },
    body: new TextEncoder().encode(await answers.metrics.text()),
  });
  return [
    { path: "/healthz", isOpen: true, answer: () => healthAnswer(answers.health()) },
    { path: "/readyz", isOpen: true, answer: () => healthAnswer(answers.readiness()) },
    { path: "/metrics", answer: shared(metrics) },
    { path: "/status", answer: shared((signal) => database.json(answers.status, signal)) },
  ];
}

/** As `TcpServer` names those who ask on `::1`. */
const LOOPBACK_NETWORK = "0:0:0:0";

/** The request must show that no web page has made it, and come from who may change what the daemon does. */
function reloadRoute(answers: Answers, isAllowed: (asked: Asked) => boolean): Route {
  return {
    path: "/reload",
    method: "POST",
    answer: async (asked) => {
      if (asked.purpose !== RELOAD_HEADER_VALUE) {
        return refusal(403, `Send the header ${RELOAD_HEADER}: ${RELOAD_HEADER_VALUE}`);
      }
      if (!isAllowed(asked)) {
        return refusal(403, "Ask on the daemon's machine, or set HTTP_TOKEN and bring it");
      }
      const answer = await answers.reload();
      return jsonAnswer(answer, { status: answer.ok ? 200 : 422 });
    },
  };
}

/** All who ask at the same moment get one answer. Nobody's going ends it for the others; when all have gone, it ends. */
function shared(answer: (signal: AbortSignal) => Promise<Answer>): Route["answer"] {
  const run = new SharedRun<Answer>();
  return ({ signal }) => run.join(answer, { signal });
}

function healthAnswer(health: Health): Answer {
  return jsonAnswer(health, { status: health.ok ? 200 : 503 });
}
