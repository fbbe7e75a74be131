/** What can be done with a metric, each label given. @module */

/** Every label of a metric must be given; prom-client itself would let one be forgotten. */
type Labels<Name extends string> = Readonly<Record<Name, string>>;

export interface CounterMetric<Name extends string> {
  /** Adds `by`, or 1. */
  inc(labels: Labels<Name>, by?: number): void;
}

export interface GaugeMetric<Name extends string> {
  set(labels: Labels<Name>, value: number): void;
  /** Takes back what was set for these labels: it is not known any more. */
  remove(labels: Labels<Name>): void;
}

export interface HistogramMetric<Name extends string> {
  observe(labels: Labels<Name>, seconds: number): void;
}
