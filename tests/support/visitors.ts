/**
 * A crowd of visitors as a program of its own: it asks over and over, as fast as it can, and takes whatever comes.
 *
 *     deno run --allow-net tests/support/visitors.ts http://127.0.0.1:9464 '[{"path":"/readyz","requests":1000}]' http1 3
 *
 * Prints what it was answered: `{"sent":1000,"answered":{"200":998}}`.
 * @module
 */

export interface Crowd {
  readonly path: string;
  readonly requests: number;
}

export interface CrowdReport {
  sent: number;
  /** By status. */
  readonly answered: Record<string, number>;
}

/** Each asks as fast as it is answered, or may ask. */
const CONNECTIONS = 100;

/** Sent without waiting for answers: one after the other over HTTP/1.1, as streams of HTTP/2. */
const AT_ONCE = { http1: 16, http2: 200 } as const;

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

  #count(status: string, count = 1): void {
    this.report.answered[status] = (this.report.answered[status] ?? 0) + count;
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
    const { hostname, port, host } = this.#url;
    const block = headerBlock(this.#path, host);
    while (!this.#isOver) {
      try {
        using connection = await Deno.connect({ hostname, port: Number(port) });
        const timer = setTimeout(() => connection.close(), Math.max(0, this.#endMs - Date.now()));
        try {
          await this.#converseInStreams(connection, block);
        } finally {
          clearTimeout(timer);
        }
      } catch {
        // Refused or cut off: another connection.
      }
    }
  }

  async #converseInStreams(connection: Deno.Conn, block: readonly number[]): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    const settings = frame({ type: 4, flags: 0, stream: 0, body: [] });
    await writeAll(connection, [...new TextEncoder().encode(PREFACE), ...settings]);
    for (let stream = 1; !this.#isOver;) {
      const count = this.#take(AT_ONCE.http2);
      const frames: number[] = [];
      for (let at = 0; at < count; at++, stream += 2) {
        frames.push(...frame({ type: 1, flags: END_STREAM | END_HEADERS, stream, body: block }));
      }
      await writeAll(connection, frames);
      for (let left = count; left > 0;) {
        const bytes = await connection.read(buffer);
        if (bytes === null) return;
        const answers = occurrences(buffer.subarray(0, bytes), STATUS_200);
        if (answers > 0) this.#count("200", answers);
        left -= answers;
      }
    }
  }
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const [END_STREAM, END_HEADERS] = [1, 4];

/** What `:status 200` is indexed as. No other byte of the answers is so large, all but a few of their lengths. */
const STATUS_200 = 0x88;

/** RFC 9113, 4.1. */
function frame(
  { type, flags, stream, body }: {
    readonly type: number;
    readonly flags: number;
    readonly stream: number;
    readonly body: readonly number[];
  },
): readonly number[] {
  const [size, id] = [body.length, stream];
  return [size >> 16, size >> 8 & 255, size & 255, type, flags]
    .concat([id >> 24, id >> 16 & 255, id >> 8 & 255, id & 255], body);
}

/** RFC 7541: GET and http as they are indexed, the path and the host as texts. */
function headerBlock(path: string, host: string): readonly number[] {
  return [0x82, 0x86, 0x04, ...text(path), 0x01, ...text(host)];
}

function text(value: string): readonly number[] {
  const bytes = [...new TextEncoder().encode(value)];
  const rest = bytes.length - 127;
  const length = rest < 0 ? [bytes.length] : [127, rest & 127 | (rest > 127 ? 128 : 0)];
  return [...length, ...(rest > 127 ? [rest >> 7] : []), ...bytes];
}

function occurrences(bytes: Uint8Array, wanted: number): number {
  return bytes.reduce((count, byte) => byte === wanted ? count + 1 : count, 0);
}

async function writeAll(connection: Deno.Conn, bytes: readonly number[]): Promise<void> {
  const all = Uint8Array.from(bytes);
  for (let sent = 0; sent < all.length;) sent += await connection.write(all.subarray(sent));
}

if (import.meta.main) {
  const [url = "", crowds = "[]", protocol = "http1", seconds = "1"] = Deno.args;
  const endMs = Date.now() + Number(seconds) * 1000;
  const total: CrowdReport = { sent: 0, answered: {} };
  await Promise.all((JSON.parse(crowds) as Crowd[]).map(async (crowd) => {
    const visitors = new Visitors(url, crowd, endMs);
    await Promise.all(
      Array.from(
        { length: CONNECTIONS },
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
