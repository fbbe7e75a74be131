/** Visitors that are too many, too slow, or gone: what each may take, and that it is given back. @module */
import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { setImmediate as turn } from "node:timers/promises";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { logger } from "../../lib/telemetry/log.ts";
import { serveHttp } from "../../lib/serve/http_server.ts";
import type { Answers } from "../../lib/serve/routes.ts";
import { CONNECTIONS_PER_PEER_MAX } from "../../lib/serve/tcp_server.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { ExportPage } from "../../lib/transfer/candle_export.ts";
import { ManualClock } from "../support/manual_clock.ts";

const EXPLAINED = "/explained?x";

interface Scene {
  readonly clock: ManualClock;
  readonly url: string;
  /** Asks for `/explained` that have begun, and wait for the test. */
  readonly asks: { readonly answer: () => void }[];
  statuses: number;
  connect(): Promise<Deno.TcpConn>;
}

const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };

/** Candles without an end, more than the buffers of a connection hold. */
async function* endless(): AsyncGenerator<ExportPage, void> {
  const rows = Array.from({ length: 10_000 }, () => [0, "1", "1", "1", "1", "1", "1"] as const);
  for (;;) {
    yield { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m", rows };
  }
}

async function withServer(use: (scene: Scene) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const asks: Scene["asks"] = [];
  const counts = { statuses: 0 };
  const refuse = (): never => assert.fail("not asked for here");
  const answers: Answers = {
    health: () => ({ ok: true, reasons: [] }),
    readiness: () => ({ ok: true, reasons: [] }),
    metrics: createMetrics(),
    status: async () => {
      counts.statuses++;
      await turn();
      return {} as Awaited<ReturnType<Answers["status"]>>;
    },
    news: refuse,
    followed: {
      ...{ find: refuse, changes: refuse, present: refuse, marks: refuse },
      onWritten: refuse,
    },
    forming: () => undefined,
    events: refuse,
    // More than the buffers of a connection hold.
    candles: () => Promise.resolve({ large: "x".repeat(32_000_000) } as never),
    explained: () =>
      new Promise((resolve) => asks.push({ answer: () => resolve({ spans: [] } as never) })),
    file: () => Promise.resolve({ series: SERIES, isMarked: false, pages: endless() }),
    reload: refuse,
    forget: refuse,
    plan: refuse,
    doctor: refuse,
    gaps: refuse,
    storage: refuse,
    report: refuse,
    export: refuse,
    query: refuse,
  };
  const server = serveHttp(answers, {
    hostname: "127.0.0.1",
    port: 0,
    clock,
    log: logger("test"),
    page: [],
  });
  const { hostname, port } = new URL(server.url);
  const connections: Deno.TcpConn[] = [];
  try {
    await use({
      clock,
      url: server.url,
      asks,
      get statuses() {
        return counts.statuses;
      },
      async connect(): Promise<Deno.TcpConn> {
        const connection = await Deno.connect({ hostname, port: Number(port) });
        connections.push(connection);
        return connection;
      },
    });
  } finally {
    for (const { answer } of asks) answer();
    for (const connection of connections) close(connection);
    await server.stop();
  }
}

async function send(connection: Deno.Conn, text: string): Promise<void> {
  await connection.write(new TextEncoder().encode(text));
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

/** What comes next, at most a few kilobytes; empty when the connection has ended. */
async function next(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(8192);
  try {
    return new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
  } catch {
    return "";
  }
}

async function rest(connection: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(1_000_000);
  let bytes = 0;
  try {
    for (let read; (read = await connection.read(buffer)) !== null;) bytes += read;
  } catch {
    // Cut off.
  }
  return bytes;
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // The test has closed it.
  }
}

/** What was sent or closed before has arrived when later requests were answered. */
async function arrived(other: Deno.Conn): Promise<void> {
  for (let times = 0; times < 3; times++) {
    await send(other, get("/healthz"));
    assert.match(await next(other), /^HTTP\/1\.1 200 /);
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

Deno.test("a head that trickles in is cut off in time, however often a byte comes", () =>
  withServer(async ({ clock, connect }) => {
    const slow = await connect();
    await send(slow, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    for (let second = 0; second < 8; second++) {
      await send(slow, `X-${second}: 1\r\n`);
      await clock.advance(1_000);
    }
    const other = await connect();
    await send(other, get("/healthz"));
    assert.match(await next(other), /^HTTP\/1\.1 200 /);
    await clock.advance(4_000);
    assert.equal(await next(slow), "");
  }));

Deno.test("the buffers of a visitor are given back when it goes, not when garbage is collected", () =>
  withServer(async ({ connect }) => {
    const [other, buffer] = [await connect(), new Uint8Array(8192)];
    await arrived(other);
    const bytesBefore = Deno.memoryUsage().external;
    const visitors = 500;
    for (let visitor = 0; visitor < visitors; visitor++) {
      const connection = await connect();
      await send(connection, get("/healthz"));
      await connection.read(buffer);
      connection.close();
    }
    await arrived(other);
    const bytes = (Deno.memoryUsage().external - bytesBefore) / visitors;
    assert(bytes < 4_096, `${Math.round(bytes)} bytes a visitor`);
  }));

Deno.test("a connection that asks for nothing ends, and one that asks now and then does not", () =>
  withServer(async ({ clock, connect }) => {
    const [silent, regular] = [await connect(), await connect()];
    for (let minute = 0; minute < 3; minute++) {
      await send(regular, get("/healthz"));
      assert.match(await next(regular), /^HTTP\/1\.1 200 /);
      await clock.advance(60_000);
    }
    assert.equal(await next(silent), "");
    await clock.advance(20_000);
    assert.equal(await next(regular), "");
  }));

Deno.test("a visitor that reads nothing of a large answer is cut off", () =>
  withServer(async ({ clock, connect }) => {
    const deaf = await connect();
    await send(deaf, get("/candles"));
    assert.match(await next(deaf), /^HTTP\/1\.1 200 /);
    await clock.advance(60 * 60_000);
    const bytes = await rest(deaf);
    assert(bytes < 32_000_000, `${bytes} bytes came`);
  }));

Deno.test("requests that follow without a pause are answered in order", () =>
  withServer(async ({ connect }) => {
    const connection = await connect();
    await send(connection, get("/healthz") + get("/nowhere") + get("/status") + get("/readyz"));
    let text = "";
    while ((text.match(/HTTP\/1\.1/g) ?? []).length < 4) text += await next(connection);
    assert.deepEqual([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), [
      "200",
      "404",
      "200",
      "200",
    ]);
  }));

Deno.test("idle connections of an address make room for its next one, and busy ones do not", () =>
  withServer(async ({ asks, connect }) => {
    const idle = await connect();
    const busy = [];
    for (let at = 1; at < CONNECTIONS_PER_PEER_MAX; at++) {
      const connection = await connect();
      await send(connection, get(EXPLAINED));
      busy.push(connection);
    }
    await until(() => asks.length > 0);
    const one = await connect();
    assert.equal(await next(idle), "", "it was idle for longest");
    await send(one, get(EXPLAINED));
    // The queue of the database is full by now: its refusals have ended, and their connections are idle.
    const refused = await next(one);
    assert.match(refused, /^HTTP\/1\.1 503 [^]*retry-after: 5/);
  }));

Deno.test("HTTP/2 is not spoken: no visitor asks for hundreds of things over one connection", () =>
  withServer(async ({ url }) => {
    const session = connectHttp2(url);
    const failed = new Promise<void>((resolve) => session.on("error", () => resolve()));
    const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
    const stream = session.request({ ":path": "/healthz" });
    stream.on("response", () => assert.fail("it was answered"));
    stream.on("error", () => {});
    await Promise.race([failed, closed]);
    session.destroy();
  }));

Deno.test("all who ask for the status at one moment share one reading of it", () =>
  withServer(async (scene) => {
    const visitors = await Promise.all(Array.from({ length: 50 }, () => scene.connect()));
    await Promise.all(visitors.map((visitor) => send(visitor, get("/status"))));
    for (const visitor of visitors) assert.match(await next(visitor), /^HTTP\/1\.1 200 /);
    assert(scene.statuses < 25, `it was read ${scene.statuses} times`);
  }));

Deno.test("few are answered from the database at once, and what a visitor asked that has gone is never begun", () =>
  withServer(async ({ asks, connect }) => {
    const visitors = [];
    for (let at = 0; at < 6; at++) {
      const visitor = await connect();
      await send(visitor, get(EXPLAINED));
      await until(() => asks.length === Math.min(at + 1, 4));
      visitors.push(visitor);
    }
    const other = await connect();
    await arrived(other);
    close(visitors[4]!);
    await arrived(other);
    asks[0]!.answer();
    assert.match(await next(visitors[0]!), /^HTTP\/1\.1 200 /);
    await until(() => asks.length === 5);
    asks[4]!.answer();
    // The sixth is answered in the place of the fifth, which was not asked for.
    assert.match(await next(visitors[5]!), /^HTTP\/1\.1 200 /);
    for (const { answer } of asks) answer();
    assert.match(await next(visitors[1]!), /^HTTP\/1\.1 200 /);
    assert.equal(asks.length, 5);
  }));

Deno.test("more than may wait for the database are refused at once, and who waits too long is, too", () =>
  withServer(async ({ clock, asks, connect }) => {
    const visitors = await Promise.all(Array.from({ length: 90 }, () => connect()));
    await Promise.all(visitors.map((visitor) => send(visitor, get(EXPLAINED))));
    const answers = visitors.map((visitor) => next(visitor));
    const first = await Promise.race(answers);
    assert.match(first, /^HTTP\/1\.1 503 [^]*retry-after: 5[^]*too many ask/);
    // This address may have half of the 4 that are answered and the 64 that wait.
    let refused = 0;
    for (const answer of answers) void answer.then(() => refused++);
    await until(() => refused >= 90 - 34);
    await arrived(await connect());
    assert.deepEqual([refused, asks.length], [90 - 34, 4]);
    await clock.advance(30_000);
    const texts = await Promise.all(answers);
    for (const text of texts) assert.match(text, /^HTTP\/1\.1 503 [^]*retry-after: 5/);
    const late = texts.filter((text) =>
      text.includes("/explained: the database is busy. Ask again")
    );
    assert.equal(late.length, 34);
    assert.equal(asks.length, 4, "what nobody waits for any more was begun");
  }));

Deno.test("a few files are read at once, and who leaves makes room", () =>
  withServer(async ({ connect }) => {
    const readers = await Promise.all(Array.from({ length: 4 }, connect));
    for (const reader of readers) {
      await send(reader, get("/candles.csv?x"));
      assert.match(await next(reader), /^HTTP\/1\.1 200 /);
    }
    const other = await connect();
    let answer = "";
    for (let asked = 0; !answer.startsWith("HTTP/1.1 200 "); asked++) {
      await send(other, get("/candles.csv?x"));
      answer = await next(other);
      if (asked === 0) assert.match(answer, /^HTTP\/1\.1 503 .*retry-after: 10\r\n/s);
      if (asked === 0) close(readers[0]!);
    }
  }));
