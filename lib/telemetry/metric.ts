/** The kinds of metrics, and what can be done with each: every label must be given. @module */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Makes a metric in a registry. */
export type Metric<T> = (registry: Registry) => T;

/** Every label of a metric must be given; prom-client itself would let one be forgotten. */
type Labels<Name extends string> = Readonly<Record<Name, string>>;

interface CounterMetric<Name extends string> {
  /** Adds `by`, or 1. */
  inc(labels: Labels<Name>, by?: number): void;
}

interface GaugeMetric<Name extends string> {
  set(labels: Labels<Name>, value: number): void;
  /** Takes back what was set for these labels: it is not known any more. */
  remove(labels: Labels<Name>): void;
}

interface HistogramMetric<Name extends string> {
  observe(labels: Labels<Name>, seconds: number): void;
}

/** What only grows. */
export function counter<Name extends string>(
  name: string,
  help: string,
  labelNames: readonly Name[],
): Metric<CounterMetric<Name>> {
  return (registry) => new Counter<Name>({ name, help, labelNames, registers: [registry] });
}

/** What goes up and down. Without labels it begins at 0. */
export function gauge<Name extends string>(
  name: string,
  help: string,
  labelNames: readonly Name[],
): Metric<GaugeMetric<Name>> {
  return (registry) => new Gauge<Name>({ name, help, labelNames, registers: [registry] });
}

/** How long things take. */
export function histogram<Name extends string>(
  name: string,
  help: string,
  { labels: labelNames, bucketsSeconds }: {
    readonly labels: readonly Name[];
    readonly bucketsSeconds: readonly number[];
  },
): Metric<HistogramMetric<Name>> {
  const buckets = [...bucketsSeconds];
  return (registry) =>
    new Histogram<Name>({ name, help, labelNames, buckets, registers: [registry] });
}

/** 1 for yes and 0 for no; before the first answer no value, or that of `atFirst`. */
export function flag(
  name: string,
  help: string,
  { atFirst }: { readonly atFirst?: boolean } = {},
): Metric<(isSo: boolean) => void> {
  return (registry) => {
    const made = gauge(name, help, [])(registry);
    const set = (isSo: boolean): void => made.set({}, isSo ? 1 : 0);
    if (atFirst === undefined) made.remove({});
    else set(atFirst);
    return set;
  };
}

/** Which of some states an exchange is in: 1 for that one, 0 for the others. */
export function exchangeState<const State extends string>(
  name: string,
  help: string,
  states: readonly State[],
): Metric<(exchange: string, state: State) => void> {
  return (registry) => {
    const made = gauge(name, help, ["exchange", "state"])(registry);
    return (exchange, state) => {
      for (const other of states) made.set({ exchange, state: other }, other === state ? 1 : 0);
    };
  };
}
