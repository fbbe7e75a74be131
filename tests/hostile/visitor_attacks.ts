/** What hostile visitors do to the daemon's HTTP server. Each ends when `ending` aborts. @module */
import { connect as connectHttp2 } from "node:http2";
import type { Random } from "../faults/random.ts";

export interface Visit {
  /** Where the daemon listens. */
  readonly url: URL;
  readonly random: Random;
  readonly ending: AbortSignal;
  /** Counts a status, or an error by its name. */
  readonly count: (what: string | number) => void;
}

export interface VisitorAttack {
  readonly name: string;
  readonly visit: (visit: Visit) => Promise<void>;
}

const encoder = new TextEncoder();

/** Asks again and again, so many at once. */
async function flood(
  { url, ending, count }: Visit,
  atOnce: number,
  path: () => string,
): Promise<void> {
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (!ending.aborted) {
      try {
        const response = await fetch(new URL(path(), url), { signal: ending });
        await response.bytes();
        count(response.status);
      } catch (error) {
        count(nameOf(error));
        if (!ending.aborted) await pause(ending, 5);
      }
    }
  }));
}

/** Opens so many connections of its own, and does with each what it likes. */
async function connections(
  { url, ending, count }: Visit,
  many: number,
  use: (conn: Deno.Conn) => Promise<void>,
): Promise<void> {
  await Promise.all(Array.from({ length: many }, async () => {
    let conn: Deno.Conn | undefined;
    try {
      const opened = conn = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
      ending.addEventListener("abort", () => closeQuietly(opened));
      await use(opened);
    } catch (error) {
      count(nameOf(error));
    } finally {
      if (conn !== undefined) closeQuietly(conn);
    }
  }));
}

const PATHS = ["/readyz", "/healthz", "/metrics", "/status", "/", "/candles", "/explained"];

function searchOf(random: Random): string {
  const query = new URLSearchParams({
    exchange: random.pick(["binance", "kraken", "nobody", "<b>", "x".repeat(5_000)]),
    symbol: random.pick(["QAZ/USDT", "QBZ/USDT", "' or 1=1 --", "__proto__"]),
    timeframe: random.pick(["1s", "1m", "1d", "1y", "-1m"]),
    since: random.pick(["2017-01-01", "0", "now", "9e99", new Date().toISOString()]),
    until: random.pick(["2030-01-01", "0", "", new Date().toISOString()]),
  });
  return `?${query}`;
}

export const VISITOR_ATTACKS: readonly VisitorAttack[] = [
  { name: "flood of readiness", visit: (visit) => flood(visit, 64, () => "/readyz") },
  {
    name: "flood of pages",
    visit: (visit) => flood(visit, 64, () => visit.random.pick(PATHS) + searchOf(visit.random)),
  },
  {
    name: "flood of explanations",
    visit: (visit) => flood(visit, 64, () => `/explained${searchOf(visit.random)}`),
  },
  { name: "flood of status", visit: (visit) => flood(visit, 32, () => "/status") },
  { name: "flood of metrics", visit: (visit) => flood(visit, 32, () => "/metrics") },
  {
    name: "answers that nobody waits for",
    visit: async (visit) => {
      while (!visit.ending.aborted) {
        await connections(visit, 20, async (conn) => {
          const path = visit.random.pick(PATHS) + searchOf(visit.random);
          await conn.write(request(path));
        });
      }
    },
  },
  {
    name: "headers that come slowly",
    visit: (visit) =>
      connections(visit, 200, async (conn) => {
        await conn.write(encoder.encode("GET /status HTTP/1.1\r\nhost: localhost\r\n"));
        while (!visit.ending.aborted) {
          await conn.write(encoder.encode("x: y\r\n"));
          await pause(visit.ending, 100);
        }
      }),
  },
  {
    name: "connections without a word",
    visit: (visit) =>
      connections(visit, 600, async () => {
        await pause(visit.ending, 60_000);
      }),
  },
  {
    name: "answers that nobody reads",
    visit: (visit) =>
      connections(visit, 50, async (conn) => {
        while (!visit.ending.aborted) await conn.write(request("/status"));
      }),
  },
  {
    name: "events for many",
    visit: (visit) =>
      connections(visit, 200, async (conn) => {
        await conn.write(request("/events"));
        const buffer = new Uint8Array(4_096);
        while (!visit.ending.aborted && await conn.read(buffer) !== null) continue;
      }),
  },
  {
    name: "odd requests",
    visit: (visit) =>
      connections(visit, 20, async (conn) => {
        const { random } = visit;
        await conn.write(encoder.encode(random.pick([
          "GET http://evil.example/status HTTP/1.1\r\nhost: evil.example\r\n\r\n",
          "GET //status HTTP/1.1\r\nhost: localhost\r\n\r\n",
          "GET /../status HTTP/1.1\r\nhost: localhost\r\n\r\n",
          "GET /%2e%2e/%73tatus HTTP/1.1\r\nhost: localhost\r\n\r\n",
          "GET /status HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
          "GET /status HTTP/1.1\r\n\r\n",
          "GET /status HTTP/1.0\r\n\r\n",
          "OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
          "CONNECT localhost:22 HTTP/1.1\r\nhost: localhost\r\n\r\n",
          "POST /status HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
          `POST /query HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999999999999\r\n\r\n{`,
          `GET /${"a".repeat(random.whole(1, 200_000))} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
          `GET /status HTTP/1.1\r\nhost: localhost\r\n${
            "x: y\r\n".repeat(random.whole(1, 20_000))
          }\r\n`,
          `GET /status HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(1_000_000)}\r\n\r\n`,
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
          "\r\n\r\n\r\n",
        ])));
        const buffer = new Uint8Array(65_536);
        const read = await conn.read(buffer);
        const status = /^HTTP\/1.1 (\d+)/.exec(
          new TextDecoder().decode(buffer.subarray(0, read ?? 0)),
        );
        visit.count(status?.[1] ?? "no answer");
      }),
  },
  {
    name: "many requests in one connection",
    visit: (visit) =>
      connections(visit, 8, async (conn) => {
        const many = encoder.encode("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(500));
        const reading = (async () => {
          const buffer = new Uint8Array(65_536);
          while (await conn.read(buffer) !== null) continue;
        })();
        const writing = (async () => {
          while (!visit.ending.aborted) await conn.write(many);
        })();
        await Promise.all([reading, writing]);
      }),
  },
  { name: "many streams of HTTP/2", visit: streams },
];

/** Streams that are opened and reset at once, and streams that are only opened, where HTTP/2 is spoken at all. */
async function streams({ url, random, ending, count }: Visit): Promise<void> {
  const session = connectHttp2(url);
  const ended = new Promise<void>((resolve) => session.once("close", () => resolve()));
  session.on("error", (error) => count(nameOf(error)));
  ending.addEventListener("abort", () => session.destroy());
  while (!ending.aborted && !session.destroyed) {
    for (let i = 0; i < 100 && !session.destroyed; i++) {
      const stream = session.request({ ":path": random.pick(PATHS) });
      stream.on("error", () => {});
      stream.on("response", (headers) => count(headers[":status"] ?? "no status"));
      if (random.next() < 0.5) stream.close(8);
      else stream.resume();
    }
    await pause(ending, 10);
  }
  session.destroy();
  await Promise.race([ended, pause(AbortSignal.timeout(1_000), 1_000)]);
}

function request(path: string): Uint8Array {
  return encoder.encode(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
}

async function pause(signal: AbortSignal, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It is closed already.
  }
}
