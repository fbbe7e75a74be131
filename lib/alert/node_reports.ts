/** What this process knows of the exchanges that it asks, kept for the node that judges; and what the others know. @module */
import type { Archive } from "../archive/archive.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import {
  type NodeExchange,
  readHolders,
  readNodeExchanges,
  writeNodeExchanges,
} from "../store/node_exchanges.ts";
import type { WatchedStreams } from "./conditions.ts";
import { asks, type ExchangeReport, ownReport, stateOf, storedReport } from "./exchange_report.ts";

/** What all nodes know. */
interface AllReports {
  readonly reports: readonly ExchangeReport[];
  /** Which node asks for which symbol, by exchange and symbol; empty where no leases are kept. */
  readonly holders: ReadonlyMap<string, string>;
}

export class NodeReports {
  readonly #archive: Archive;
  readonly #streams: WatchedStreams;
  /** Exchanges that were polled from a tick's beginning to its end since this node may ask them. */
  readonly #polled = new Set<string>();
  #writes = 0;
  /** How often each of the others had written, when it was last read. */
  #writesOfOthers: ReadonlyMap<string, number> = new Map();
  #onWrites: () => void = () => {};

  constructor(archive: Archive, streams: WatchedStreams) {
    this.#archive = archive;
    this.#streams = streams;
  }

  /** Calls back when it is read that another node has written candles that rollups lack. */
  onWrites(listener: () => void): void {
    this.#onWrites = listener;
  }

  /** Call when candles were written that rollups lack. */
  noteWritten(): void {
    this.#writes++;
  }

  /** Does one poll, and keeps what is known after it. */
  async during<T>(poll: () => Promise<T>): Promise<T> {
    const asked = this.#asked();
    try {
      return await poll();
    } finally {
      const still = this.#asked();
      for (const { id } of this.#archive.exchanges) {
        if (!still.has(id)) this.#polled.delete(id);
        else if (asked.has(id)) this.#polled.add(id);
      }
      await this.#keep();
    }
  }

  /** What this process and the other nodes know. @throws StoreError */
  async read(): Promise<AllReports> {
    const { clock, database, leases: { node } } = this.#archive;
    const own = this.#own();
    if (node === undefined) return { reports: own, holders: new Map() };
    const rows = await readNodeExchanges(database);
    this.#noteWrites(rows.filter((row) => row.node !== node));
    const others = rows.filter((row) => row.node !== node || !row.isAsking)
      .map((row) => storedReport(row, clock.now()));
    return { reports: [...own, ...others], holders: await readHolders(database) };
  }

  #noteWrites(rows: readonly NodeExchange[]): void {
    const writes = new Map(rows.map(({ node, state }) => [node, Number(state["writes"] ?? 0)]));
    const before = this.#writesOfOthers;
    this.#writesOfOthers = writes;
    const isMore = [...writes].some(([node, count]) => count > (before.get(node) ?? 0));
    if (isMore) this.#onWrites();
  }

  #asked(): ReadonlySet<string> {
    const { exchanges } = this.#archive;
    return new Set(exchanges.filter((one) => asks(this.#archive, one)).map(({ id }) => id));
  }

  #own(): readonly ExchangeReport[] {
    const { exchanges, leases: { node } } = this.#archive;
    return exchanges.filter((one) => asks(this.#archive, one)).map((one) =>
      ownReport(one, {
        streams: this.#streams,
        isKnown: node === undefined || this.#polled.has(one.id),
        node,
      })
    );
  }

  /** A failure stops no poll: what was kept before stays in force for some minutes. */
  async #keep(): Promise<void> {
    const { clock, database, exchanges, leases: { node }, log } = this.#archive;
    if (node === undefined) return;
    const nowMs = clock.now();
    const known = this.#own().map((report) => {
      const symbols = exchanges.find(({ id }) => id === report.id)?.series ?? [];
      const state = stateOf(report, {
        nowMs,
        symbols: symbols.map(({ symbol }) => symbol),
        writes: this.#writes,
      });
      return { exchange: report.id, egress: report.egress ?? "", state };
    });
    try {
      await writeNodeExchanges(database, node, known);
    } catch (error) {
      log[isServerAway(error) ? "debug" : "warn"]("what is known of exchanges was not kept", {
        error,
      });
    }
  }
}
