/** The kinds of metrics. Their types require every label. @module */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Makes a metric in a registry. */
export type Metric<T> = (registry: Registry) => T;

/** All labels of a metric. prom-client itself would allow missing ones. */
type Labels<Name extends string> = Readonly<Record<Name, string>>;

interface CounterMetric<Name extends string> {
  /** Adds `by`, or 1. */
  inc(labels: Labels<Name>, by?: number): void;
}

interface GaugeMetric<Name extends string> {
  set(labels: Labels<Name>, value: number): void;
  /** Removes the value of these labels, because it is no longer known. */
  remove(labels: Labels<Name>): void;
  /** Removes all values. */
  clear(): void;
}

interface HistogramMetric<Name extends string> {
  observe(labels: Labels<Name>, seconds: number): void;
}

/** A value that only grows. */
export function counter<Name extends string>(
  name: string,
  help: string,
  labelNames: readonly Name[],
): Metric<CounterMetric<Name>> {
  return (registry) => new Counter<Name>({ name, help, labelNames, registers: [registry] });
}

/** A value that goes up and down. Without labels it begins at 0. */
export function gauge<Name extends string>(
  name: string,
  help: string,
  labelNames: readonly Name[],
): Metric<GaugeMetric<Name>> {
  return (registry) => {
    const made = new Gauge<Name>({ name, help, labelNames, registers: [registry] });
    return {
      set: (labels, value) => made.set(labels, value),
      remove: (labels) => made.remove(labels),
      clear: () => made.reset(),
    };
  };
}

/** How long something takes. */
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

/** 1 for yes and 0 for no. Before the first value there is none, or that of `atFirst`. */
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

/** 1 for yes and 0 for no, asked at each look at the metrics. Before it is given what to ask there is no value. */
export function askedFlag(
  name: string,
  help: string,
): Metric<(ask: () => boolean) => void> {
  return (registry) => {
    let asked: (() => boolean) | undefined;
    const made = new Gauge({
      ...{ name, help, registers: [registry] },
      collect(): void {
        if (asked === undefined) this.remove();
        else this.set(asked() ? 1 : 0);
      },
    });
    made.remove();
    return (ask) => {
      asked = ask;
    };
  };
}

/** The state of an exchange: 1 for the current state, 0 for all others. */
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

/** Removes the values of all metrics that have this label with this value. */
export async function forgetLabel(
  registry: Registry,
  label: Readonly<Record<string, string>>,
): Promise<void> {
  const [[name, value] = ["", ""]] = Object.entries(label);
  for (const metric of registry.getMetricsAsArray() as unknown as readonly Labelled[]) {
    const { values } = await metric.get();
    for (const { labels } of values) {
      if (labels[name] !== value) continue;
      // A histogram has values for each bucket, which is no label of its own.
      const { le: _le, ...own } = labels;
      metric.remove(own);
    }
  }
}

/** A metric of prom-client, of whichever kind. */
interface Labelled {
  get(): Promise<
    { readonly values: readonly { readonly labels: Readonly<Record<string, string>> }[] }
  >;
  remove(labels: Readonly<Record<string, string>>): void;
}
