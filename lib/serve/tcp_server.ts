/**
 * Accepts the connections of visitors, and bounds them. `Deno.serve` bounds neither connections nor their time, and takes
 * thousands of requests at once over one connection of HTTP/2.
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Answer, Asked } from "./http_answer.ts";
import { type ConnectionHost, VisitorConnection } from "./visitor_connection.ts";

/** Of all visitors. Each takes about 30 kB, and one request at a time. */
const CONNECTIONS_MAX = 256;

/**
 * Of one address: half of them, so that no address keeps out the others. Behind a proxy all visitors have its address, and
 * need more than a browser does.
 */
export const CONNECTIONS_PER_PEER_MAX = CONNECTIONS_MAX / 2;

/** Answers that were made and wait for their readers. The largest is the status of thousands of series, some megabytes. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;

/** Health, and every refusal: they are answered all the same. */
const SMALL_BYTES = 4 * 1024;

/** How often connections are looked through for those whose time is over. */
const SWEEP_MS = 1_000;

/** Until then, answers under way may end when the server is stopped. */
const STOP_MS = 3_000;

/** When a connection cannot be accepted, for example because too many files are open. */
const PAUSE_MS = 100;

interface TcpServerOptions {
  readonly hostname: string;
  readonly port: number;
  readonly clock: Clock;
  readonly answer: (asked: Asked) => Answer | Promise<Answer>;
}

/** Listens from the start. @throws Error when the address and port cannot be used. */
export class TcpServer implements ConnectionHost {
  readonly answer: (asked: Asked) => Answer | Promise<Answer>;
  readonly #clock: Clock;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Map<VisitorConnection, Promise<void>>();
  readonly #peers = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #accepting: Promise<void>;
  readonly #sweeping: Promise<void>;
  #seconds = 0;
  #number = 0;
  #unreadBytes = 0;
  #dateMs = NaN;
  #date = "";

  constructor({ hostname, port, clock, answer }: TcpServerOptions) {
    this.answer = answer;
    this.#clock = clock;
    this.#listener = Deno.listen({ hostname, port });
    this.#accepting = this.#accept();
    this.#sweeping = this.#sweep();
  }

  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  get seconds(): number {
    return this.#seconds;
  }

  get date(): string {
    const nowMs = Math.floor(this.#clock.now() / 1000) * 1000;
    if (nowMs !== this.#dateMs) {
      this.#dateMs = nowMs;
      this.#date = new Date(nowMs).toUTCString();
    }
    return this.#date;
  }

  next(): number {
    return this.#number++;
  }

  hasRoom(bytes: number): boolean {
    const isLarge = bytes > SMALL_BYTES && this.#unreadBytes > 0;
    return !isLarge || this.#unreadBytes + bytes <= UNREAD_BYTES_MAX;
  }

  hold(bytes: number): void {
    this.#unreadBytes += bytes;
  }

  /** Ends after the answers that are under way, but soon. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#listener.close();
    for (const connection of this.#connections.keys()) connection.stop();
    const enough = new AbortController();
    const ended = Promise.all(this.#connections.values());
    await Promise.race([ended, this.#clock.sleep(STOP_MS, enough).catch(() => {})]);
    enough.abort();
    for (const connection of this.#connections.keys()) connection.close();
    await Promise.all([ended, this.#accepting, this.#sweeping]);
  }

  async #accept(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        this.#admit(await this.#listener.accept());
      } catch {
        await this.#clock.sleep(PAUSE_MS, { signal }).catch(() => {});
      }
    }
  }

  #admit(accepted: Deno.TcpConn): void {
    const peer = peerOf(accepted.remoteAddr.hostname);
    const ofPeer = this.#peers.get(peer) ?? 0;
    const isTooMany = ofPeer >= CONNECTIONS_PER_PEER_MAX && !this.#makeRoom(peer) ||
      this.#connections.size >= CONNECTIONS_MAX && !this.#makeRoom();
    if (isTooMany) return accepted.close();
    try {
      accepted.setNoDelay(true);
    } catch {
      // It has gone already.
      return accepted.close();
    }
    const connection = new VisitorConnection(accepted, peer, this);
    this.#peers.set(peer, (this.#peers.get(peer) ?? 0) + 1);
    this.#connections.set(connection, connection.serve().finally(() => this.#forget(connection)));
  }

  /** Closes the connection on which a request was waited for longest. False when each has a request under way. */
  #makeRoom(peer?: string): boolean {
    let longest: VisitorConnection | undefined;
    for (const connection of this.#connections.keys()) {
      if (connection.waitsSince === undefined) continue;
      if (peer !== undefined && connection.peer !== peer) continue;
      if (longest === undefined || connection.waitsSince < longest.waitsSince!) {
        longest = connection;
      }
    }
    if (longest === undefined) return false;
    longest.close();
    this.#forget(longest);
    return true;
  }

  #forget(connection: VisitorConnection): void {
    if (!this.#connections.delete(connection)) return;
    const ofPeer = this.#peers.get(connection.peer)! - 1;
    if (ofPeer === 0) this.#peers.delete(connection.peer);
    else this.#peers.set(connection.peer, ofPeer);
  }

  async #sweep(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#clock.sleep(SWEEP_MS, { signal }).catch(() => {});
      this.#seconds++;
      for (const connection of this.#connections.keys()) if (connection.isLate) connection.close();
    }
  }
}

/** An address of IPv4, or the half of an address of IPv6 that tells the networks of visitors apart. */
function peerOf(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  const [before = "", after = ""] = address.split("::");
  const first = before.split(":").filter((group) => group !== "");
  const last = after.split(":").filter((group) => group !== "");
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => "0");
  return [...first, ...zeros, ...last].slice(0, 4).join(":");
}
