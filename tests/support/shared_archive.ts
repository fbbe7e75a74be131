/** Nodes with their leases on one server, each with a clock that only a test moves and a database that it may cut off. @module */
import type { LeaseChange } from "../../lib/archive/leases.ts";
import { egressOf } from "../../lib/config/egress_setting.ts";
import { LEASE_TIMES, type LeaseTimes } from "../../lib/node/lease_times.ts";
import { NodeLeases } from "../../lib/node/node_leases.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import type { NodeKind } from "../../lib/store/nodes.ts";
import { configureLogging, logger } from "../../lib/telemetry/log.ts";
import { configOf } from "./local_archive.ts";
import { ManualClock } from "./manual_clock.ts";
import { until } from "./until.ts";

interface SharingOptions {
  readonly exchanges?: readonly string[];
  readonly egress?: string;
  readonly kind?: NodeKind;
  readonly place?: string;
}

/** Long, so that a busy machine ends none by the database's clock. */
export const LEASE_MS = 60 * 60_000;

export class SharingNode {
  readonly clock = new ManualClock();
  readonly changes: LeaseChange[] = [];
  readonly lines: string[] = [];
  readonly leases: NodeLeases;
  readonly #archive: { config: ReturnType<typeof configOf> };
  readonly #options: SharingOptions;
  /** What its statements wait for. */
  #isAway = false;
  /** Whether nothing is answered any more, as behind a firewall that has forgotten the connection. */
  isSilent = false;
  /** What is waited for before what it has lost is released. */
  work: Promise<void> = Promise.resolve();

  constructor(database: Database, options: SharingOptions = {}) {
    this.#options = options;
    configureLogging({ level: "debug", format: "json", write: (line) => this.lines.push(line) });
    const cut: Database = {
      ...database,
      openOwn: undefined,
      run: (action, statements) =>
        this.isSilent
          ? new Promise(() => {})
          : this.#isAway
          ? Promise.reject(new StoreError("unavailable", "Cannot reach the server: cut off"))
          : database.run(action, statements),
    };
    const archive = {
      config: this.#configOf(),
      database: cut,
      clock: this.clock,
      log: logger("test"),
    };
    this.#archive = archive;
    const times: LeaseTimes = { ...LEASE_TIMES, leaseMs: LEASE_MS };
    this.leases = new NodeLeases({
      archive,
      kind: options.kind ?? "daemon",
      name: "test",
      place: options.place,
      version: "1",
      times,
      settingsOf: (config) => ({
        settingsHash: "",
        settings: {},
        egressOf: (exchange) => egressOf(config, exchange),
      }),
    });
    this.leases.onChange((change) => {
      this.changes.push(change);
      return change.cause === "handover" ? this.work : undefined;
    });
  }

  #configOf(exchanges = this.#options.exchanges ?? ["binance"]): ReturnType<typeof configOf> {
    return configOf({
      EXCHANGES: exchanges.join(","),
      EGRESS: this.#options.egress ?? crypto.randomUUID(),
    });
  }

  configure(exchanges: readonly string[]): void {
    this.#archive.config = this.#configOf(exchanges);
  }

  cut(isAway: boolean): void {
    this.#isAway = isAway;
  }

  /** Lets it call, again and again, until something is so. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    await until(what, async () => {
      await this.leases.follow();
      return isSo();
    }, { instead: () => this.changes });
  }

  /** The symbols of an exchange that it holds. */
  held(exchange: string, symbols: readonly string[]): readonly string[] {
    return symbols.filter((symbol) => this.leases.holds(exchange, symbol));
  }
}
