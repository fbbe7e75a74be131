/** A webhook that keeps what it is told, for the length of one test. @module */

export interface TestWebhook {
  /** With a password, and tokens in path and query, as real ones have. */
  readonly url: string;
  /** The bodies of all POSTs, oldest first. */
  readonly posts: readonly Readonly<Record<string, unknown>>[];
  /** Statuses of the next answers; afterwards 200. `hang` never answers. */
  answer(...answers: readonly (number | "hang")[]): void;
  /** Resolves when so many POSTs have come. */
  reached(posts: number): Promise<void>;
  close(): Promise<void>;
}

/** What no log, error, metric or table may show. */
export const WEBHOOK_SECRETS = ["tok3n-in-path", "tok3n-in-query", "passw0rd"] as const;

const [IN_PATH, IN_QUERY, PASSWORD] = WEBHOOK_SECRETS;

export function startWebhook(): TestWebhook {
  const posts: Readonly<Record<string, unknown>>[] = [];
  const answers: (number | "hang")[] = [];
  const waiting: { readonly posts: number; readonly resolve: () => void }[] = [];
  const closing = new AbortController();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answerOne);
  const origin = `http://titan:${PASSWORD}@127.0.0.1:${server.addr.port}`;

  async function answerOne(request: Request): Promise<Response> {
    const { method, headers, url } = request;
    const text = await request.text();
    if (method !== "POST" || headers.get("content-type") !== "application/json") {
      return new Response(null, { status: 418 });
    }
    const { pathname, search } = new URL(url);
    const authorization = headers.get("authorization");
    posts.push({ ...JSON.parse(text), target: pathname + search, authorization });
    for (const one of waiting.filter((one) => posts.length >= one.posts)) one.resolve();
    const answer = answers.shift() ?? 200;
    if (answer === "hang") {
      await new Promise<void>((resolve) =>
        closing.signal.addEventListener("abort", () => resolve(), { once: true })
      );
    }
    const status = answer === "hang" ? 200 : answer;
    return new Response("what a webhook says", { status, headers: { location: "/elsewhere" } });
  }

  return {
    url: `${origin}/${IN_PATH}?${IN_QUERY}`,
    posts,
    answer: (...next) => void answers.push(...next),
    reached: (count) =>
      new Promise((resolve) => {
        if (posts.length >= count) resolve();
        else waiting.push({ posts: count, resolve });
      }),
    async close(): Promise<void> {
      closing.abort();
      await server.shutdown();
    },
  };
}
