/** What one node knows of an exchange that it asks: what alerts about exchanges are judged by. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { SkippedPolls } from "../archive/skipped_polls.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import type { NodeExchange } from "../store/node_exchanges.ts";
import { storableText } from "../store/parameters.ts";
import type { WatchedExchange, WatchedStreams } from "./conditions.ts";

type StreamReport = ReturnType<WatchedStreams["state"]>;

/** Times in milliseconds, by the clock of whoever judges. */
export interface ExchangeReport extends WatchedExchange {
  readonly work: { readonly skippedPolls: Pick<SkippedPolls, "since"> };
  /** Undefined where no leases are kept. */
  readonly node: string | undefined;
  /** Undefined where there is only this one. */
  readonly egress: string | undefined;
  /** False if the node has not polled it yet since it may, or has ceased to ask it just now. */
  readonly isKnown: boolean;
  readonly stream: StreamReport;
}

/** As it is stored: without functions, and with durations in place of times. */
interface ReportState {
  readonly isKnown: boolean;
  readonly troubled: readonly { readonly kind?: SymbolKind | undefined; readonly forMs: number }[];
  readonly denial: { readonly forMs: number; readonly why: string } | "unknown" | null;
  readonly deniedKinds: readonly SymbolKind[];
  readonly skippedForMs: number | "unknown" | null;
  readonly settleMs: number;
  readonly stream: {
    readonly kind: "off" | "up" | "down";
    readonly unsteadyForMs: number | null;
    readonly isOpened: boolean;
    readonly lastEnd: { readonly reason: string; readonly why: string } | null;
  };
  /** How often candles were written in this process that rollups lack. */
  readonly writes: number;
}

/** A symbol of each kind, where no series of it is known yet. */
const SYMBOL_OF: Readonly<Record<SymbolKind, string>> = {
  spot: "BASE/QUOTE",
  linear: "BASE/QUOTE:QUOTE",
  inverse: "BASE/QUOTE:BASE",
};

/**
 * Whether this process asks an exchange: it may, and its markets are not known yet, or it holds some of their symbols, or there
 * are none that another node could hold.
 */
export function asks({ leases }: Pick<Archive, "leases">, exchange: ArchivedExchange): boolean {
  if (!leases.mayAsk(exchange.id)) return false;
  const series = exchange.markets.value?.series ?? [];
  return series.length === 0 || series.some(({ symbol }) => leases.holds(exchange.id, symbol));
}

/** What this process knows of an exchange. */
export function ownReport(
  exchange: ArchivedExchange,
  { streams, isKnown, node }: {
    readonly streams: WatchedStreams;
    readonly isKnown: boolean;
    readonly node: string | undefined;
  },
): ExchangeReport {
  return {
    ...{ node, egress: node === undefined ? undefined : exchange.egress, isKnown },
    id: exchange.id,
    breakers: exchange.breakers,
    denial: exchange.denial,
    isDenied: (symbol) => exchange.isDenied(symbol),
    settleMs: exchange.settleMs,
    work: exchange.work,
    stream: streams.state(exchange.id),
  };
}

const WHY_CHARACTERS_MAX = 500;

function told(why: string): string {
  return storableText(why, WHY_CHARACTERS_MAX);
}

/** What is stored of it. */
export function stateOf(
  { breakers, denial, isDenied, isKnown, settleMs, stream, work }: ExchangeReport,
  { nowMs, symbols, writes }: {
    readonly nowMs: number;
    readonly symbols: readonly string[];
    readonly writes: number;
  },
): ReportState {
  const kinds = Object.keys(SYMBOL_OF) as readonly SymbolKind[];
  const sample = (kind: SymbolKind): string =>
    symbols.find((symbol) => kindOf(symbol) === kind) ?? SYMBOL_OF[kind];
  const skippedSince = work.skippedPolls.since(nowMs);
  const ago = (ms: number): number => Math.max(0, nowMs - ms);
  return {
    isKnown,
    troubled: breakers.troubled.map(({ kind, sinceMs }) => ({ kind, forMs: ago(sinceMs) })),
    denial: typeof denial === "object"
      ? { forMs: ago(denial.sinceMs), why: told(denial.why) }
      : denial ?? null,
    deniedKinds: kinds.filter((kind) => isDenied(sample(kind))),
    skippedForMs: typeof skippedSince === "number" ? ago(skippedSince) : skippedSince ?? null,
    settleMs,
    stream: stream.kind === "off"
      ? { kind: "off", unsteadyForMs: null, isOpened: false, lastEnd: null }
      : {
        kind: stream.kind,
        unsteadyForMs: stream.unsteadySinceMs === undefined ? null : ago(stream.unsteadySinceMs),
        isOpened: stream.sinceMs !== undefined,
        lastEnd: stream.lastEnd === undefined
          ? null
          : { reason: stream.lastEnd.reason, why: told(stream.lastEnd.why) },
      },
    writes,
  };
}

/**
 * What another node has stored, as it was then: how long something lasts is known only up to the report. The state may be
 * that of another version, which lacks what it does not know.
 */
export function storedReport(row: NodeExchange, nowMs: number): ExchangeReport {
  const state = row.state as Partial<ReportState>;
  const { troubled = [], denial = null, deniedKinds = [], skippedForMs = null, stream } = state;
  const since = (forMs: number): number => nowMs - forMs;
  const unsteadyForMs = stream?.unsteadyForMs ?? null;
  return {
    node: row.node,
    egress: row.egress,
    isKnown: row.isAsking && state.isKnown === true,
    id: row.exchange,
    breakers: {
      troubled: troubled.map(({ kind, forMs }) => ({
        ...{ kind, sinceMs: since(forMs), untilMs: nowMs },
      })),
    },
    denial: typeof denial === "object" && denial !== null
      ? { sinceMs: since(denial.forMs) - row.ageMs, why: denial.why }
      : denial ?? undefined,
    isDenied: (symbol) => deniedKinds.includes(kindOf(symbol)),
    settleMs: state.settleMs ?? 0,
    work: {
      skippedPolls: {
        since: () =>
          typeof skippedForMs === "number" ? since(skippedForMs) : skippedForMs ?? undefined,
      },
    },
    stream: stream === undefined || stream.kind === "off" ? { kind: "off" } : {
      kind: stream.kind,
      unsteadySinceMs: unsteadyForMs === null ? undefined : since(unsteadyForMs),
      sinceMs: stream.isOpened ? since(0) : undefined,
      lastEnd: stream.lastEnd ?? undefined,
    },
  };
}
