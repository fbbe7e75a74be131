/** The conditions of exchanges and of their polled series, by what all the nodes know that ask them. @module */
import { type AlertKind, type Condition, subjectName } from "../market/alert.ts";
import { seriesName } from "../market/series.ts";
import type { CoverageEnd } from "../store/coverage_ends.ts";
import {
  breakerConditions,
  deniedConditions,
  skippedConditions,
  staleConditions,
  streamConditions,
} from "./conditions.ts";
import type { ExchangeReport } from "./exchange_report.ts";

type ExchangeAlert = Extract<
  AlertKind,
  "breaker_open" | "access_denied" | "stream_down" | "polls_skipped"
>;

const OF_ONE: Readonly<
  Record<ExchangeAlert, (report: ExchangeReport, nowMs: number) => readonly Condition[]>
> = {
  breaker_open: (report, nowMs) => breakerConditions([report], nowMs),
  access_denied: (report, nowMs) => deniedConditions([report], nowMs),
  stream_down: (report, nowMs) =>
    streamConditions([report], { streams: { state: () => report.stream }, nowMs }),
  polls_skipped: (report, nowMs) => skippedConditions([report], nowMs),
};

/**
 * What holds of exchanges, at most one condition of each kind for an exchange: the worst that a node knows of it. What is
 * known of an egress is not known any more when its node is gone, until the next one has asked: until then a running alert
 * goes on, so that none ends or begins because a node came or went.
 */
export function exchangeConditions(
  reports: readonly ExchangeReport[],
  { exchanges, nowMs }: { readonly exchanges: readonly string[]; readonly nowMs: number },
): Readonly<Record<ExchangeAlert, readonly Condition[]>> {
  const byExchange = Map.groupBy(reports, ({ id }) => id);
  const all = (alert: ExchangeAlert): readonly Condition[] =>
    exchanges.flatMap((id) =>
      worstOf(id, byExchange.get(id) ?? [], (report) => OF_ONE[alert](report, nowMs))
    );
  return {
    breaker_open: all("breaker_open"),
    access_denied: all("access_denied"),
    stream_down: all("stream_down"),
    polls_skipped: all("polls_skipped"),
  };
}

function worstOf(
  exchange: string,
  reports: readonly ExchangeReport[],
  find: (report: ExchangeReport) => readonly Condition[],
): readonly Condition[] {
  const known = reports.filter(({ isKnown }) => isKnown);
  const isReplaced = (egress: string | undefined): boolean =>
    known.some((one) => one.egress === egress);
  const isAllKnown = known.length > 0 &&
    reports.every((one) => one.isKnown || isReplaced(one.egress));
  const found = known.flatMap((report) =>
    find(report).map((condition) => ({ condition, egress: report.egress }))
  );
  const [worst] = found.map(({ condition }) => condition).toSorted(byWeight);
  if (worst === undefined) {
    const unknown = { exchange, value: 0, threshold: 0, summary: "", mayBegin: false };
    return isAllKnown ? [] : [unknown];
  }
  const egresses = new Set(known.map(({ egress }) => egress));
  if (egresses.size < 2) return [worst];
  const begun = found.filter(({ condition }) => isBeginning(condition) === isBeginning(worst));
  const names = [...new Set(begun.map(({ egress }) => egress))].join(", ");
  const end = /[.!?]$/.test(worst.summary) ? "" : ".";
  return [{ ...worst, summary: `${worst.summary}${end} Egress: ${names} (of ${egresses.size})` }];
}

function isBeginning({ mayBegin = true }: Condition): boolean {
  return mayBegin;
}

function byWeight(one: Condition, other: Condition): number {
  return Number(isBeginning(other)) - Number(isBeginning(one)) || other.value - one.value;
}

/**
 * The stale series of all nodes: what is wrong with an exchange at one node says nothing of series that another one polls.
 *
 * @param options.holders which node asks for which symbol, by exchange and symbol; empty where no leases are kept.
 */
export function staleOfAll(
  ends: readonly CoverageEnd[],
  { reports, holders, nowMs }: {
    readonly reports: readonly ExchangeReport[];
    readonly holders: ReadonlyMap<string, string>;
    readonly nowMs: number;
  },
): readonly Condition[] {
  const isTroubled = ({ breakers: { troubled } }: ExchangeReport): boolean => troubled.length > 0;
  const troubledFirst = reports.toSorted((one, other) =>
    Number(isTroubled(other)) - Number(isTroubled(one))
  );
  const byHolder = Map.groupBy(
    ends,
    ({ series: { exchange, symbol } }) => holders.get(subjectName({ exchange, symbol })),
  );
  const found = new Map(
    [...byHolder].flatMap(([node, own]) => {
      // Of a series that nobody asks for just now, any trouble may be the cause.
      const exchanges = node === undefined
        ? troubledFirst
        : reports.filter((report) => report.node === node);
      const isStreamed = (id: string): boolean =>
        exchanges.some((report) => report.id === id && report.stream.kind !== "off");
      return staleConditions(own, { exchanges, nowMs, isStreamed })
        .map((condition) => [subjectName(condition), condition] as const);
    }),
  );
  // In the order of the series, whoever asks for them.
  return ends.flatMap(({ series }) => found.get(seriesName(series)) ?? []);
}
