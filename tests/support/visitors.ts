/**
 * A crowd of visitors as a program of its own: it asks over and over, as fast as it can, and takes whatever comes.
 *
 *     deno run --allow-net tests/support/visitors.ts http://127.0.0.1:9464 '[{"path":"/readyz","requests":1000}]' http1 3
 *
 * Prints what it was answered: `{"sent":1000,"answered":{"200":998}}`.
 * @module
 */
import { connect } from "node:http2";

export interface Crowd {
  readonly path: string;
  readonly requests: number;
}

export interface CrowdReport {
  sent: number;
  /** By status. */
  readonly answered: Record<string, number>;
}

/** Each asks as fast as it is answered, so that the number of requests is what matters. */
const CONNECTIONS = 100;

/** Sent without waiting for answers, over HTTP/1.1 and as streams of HTTP/2. */
const AT_ONCE = { http1: 16, http2: 500 } as const;

/** A crowd in another process, so that the loop of the test is not what slows it down. */
export async function sendCrowd(
  url: string,
  { crowds, protocol, seconds }: {
    readonly crowds: readonly Crowd[];
    readonly protocol: keyof typeof AT_ONCE;
    readonly seconds: number;
  },
): Promise<CrowdReport> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-config", "--allow-net", import.meta.filename!],
      ...[url, JSON.stringify(crowds), protocol, String(seconds)],
    ],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`the crowd ended with ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

class Visitors {
  readonly report: CrowdReport = { sent: 0, answered: {} };
  readonly #url: URL;
  readonly #path: string;
  readonly #endMs: number;
  #left: number;

  constructor(url: string, { path, requests }: Crowd, endMs: number) {
    this.#url = new URL(url);
    this.#path = path;
    this.#left = requests;
    this.#endMs = endMs;
  }

  get #isOver(): boolean {
    return this.#left <= 0 || Date.now() >= this.#endMs;
  }

  #take(most: number): number {
    const count = Math.min(most, this.#left);
    this.#left -= count;
    this.report.sent += count;
    return count;
  }

  #count(status: string | number): void {
    this.report.answered[status] = (this.report.answered[status] ?? 0) + 1;
  }

  async http1(): Promise<void> {
    const { hostname, port, host } = this.#url;
    const request = `GET ${this.#path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    while (!this.#isOver) {
      try {
        using connection = await Deno.connect({ hostname, port: Number(port) });
        const timer = setTimeout(() => connection.close(), Math.max(0, this.#endMs - Date.now()));
        try {
          await this.#converse(connection, request);
        } finally {
          clearTimeout(timer);
        }
      } catch {
        // Refused or cut off: another connection.
      }
    }
  }

  async #converse(connection: Deno.Conn, request: string): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    while (!this.#isOver) {
      const count = this.#take(AT_ONCE.http1);
      await connection.write(new TextEncoder().encode(request.repeat(count)));
      for (let answers = 0; answers < count;) {
        const bytes = await connection.read(buffer);
        if (bytes === null) return;
        const text = new TextDecoder("latin1").decode(buffer.subarray(0, bytes));
        for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3})/g)) {
          answers++;
          this.#count(status!);
        }
      }
    }
  }

  async http2(): Promise<void> {
    while (!this.#isOver) {
      const session = connect(this.#url.href);
      const ended = new Promise<void>((resolve) => {
        session.on("close", resolve);
        session.on("error", () => resolve());
      });
      for (let open = this.#take(AT_ONCE.http2); open > 0; open--) {
        const stream = session.request({ ":path": this.#path });
        stream.on("response", (headers) => this.#count(headers[":status"] ?? 0));
        stream.on("error", () => {});
        stream.resume();
        stream.end();
      }
      const late = new Promise((resolve) => setTimeout(resolve, 500));
      await Promise.race([ended, late]);
      session.destroy();
    }
  }
}

if (import.meta.main) {
  const [url = "", crowds = "[]", protocol = "http1", seconds = "1"] = Deno.args;
  const endMs = Date.now() + Number(seconds) * 1000;
  const total: CrowdReport = { sent: 0, answered: {} };
  await Promise.all((JSON.parse(crowds) as Crowd[]).map(async (crowd) => {
    const visitors = new Visitors(url, crowd, endMs);
    const connections = protocol === "http2" ? 4 : CONNECTIONS;
    await Promise.all(
      Array.from(
        { length: connections },
        () => protocol === "http2" ? visitors.http2() : visitors.http1(),
      ),
    );
    total.sent += visitors.report.sent;
    for (const [status, count] of Object.entries(visitors.report.answered)) {
      total.answered[status] = (total.answered[status] ?? 0) + count;
    }
  }));
  console.log(JSON.stringify(total));
  Deno.exit();
}
