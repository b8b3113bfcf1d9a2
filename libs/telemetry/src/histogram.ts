import { assert } from "@drover/core";

type Labels<L extends string> = Readonly<Record<L, string>>;

export type HistogramOptions<L extends string> = Readonly<{
  name: string;
  help: string;
  labelNames: readonly L[];
  /** Upper bounds, ascending; what is above the last one is counted in `+Inf` alone. */
  bounds: readonly number[];
}>;

/** One line of a histogram, as prom-client's registry writes it: `sharedLabels` behind `labels` and the process's own. */
type Line = Readonly<{
  metricName: string;
  labels: Readonly<{ le?: number | "+Inf" }>;
  sharedLabels: Readonly<Record<string, string>>;
  value: number;
}>;

/**
 * A histogram of prom-client's registry that costs next to nothing to add to: who observes often takes its series once. prom-client's own looks the
 * labels up by a text that it makes of them each time, which takes longer than a token's whole way through a router may.
 */
export class Histogram<L extends string> {
  readonly name: string;
  readonly #help: string;
  readonly #labelNames: readonly L[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, HistogramSeries>();

  constructor({ name, help, labelNames, bounds }: HistogramOptions<L>) {
    this.name = name;
    this.#help = help;
    this.#labelNames = labelNames;
    this.#bounds = bounds;
    if (labelNames.length === 0) this.of({} as Labels<L>);
  }

  /** The series of these labels, which is there from now on. */
  of(labels: Labels<L>): HistogramSeries {
    const key = this.#labelNames.map((name) => labels[name]).join("\0");
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const made = new HistogramSeries({ ...labels }, this.#bounds);
    this.#series.set(key, made);
    return made;
  }

  observe(labels: Labels<L>, value: number): void {
    this.of(labels).observe(value);
  }

  /** For the registry. */
  async get() {
    const values = [...this.#series.values()].flatMap((series) => series.lines(this.name));
    return { name: this.name, help: this.#help, type: "histogram", values, aggregator: "sum" };
  }
}

/** The observations of one set of labels. */
export class HistogramSeries {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #bounds: readonly number[];
  /** Of each bound, those that are not above it and above the one before. */
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    assert(Number.isFinite(value), "what is observed is a number");
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    if (at < bounds.length) this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count += 1;
    this.#sum += value;
  }

  lines(name: string): readonly Line[] {
    const sharedLabels = this.#labels;
    let sum = 0;
    const buckets = this.#bounds.map((le, at) => {
      sum += this.#counts[at] as number;
      return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: sum };
    });
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: "+Inf" as const }, sharedLabels, value: this.#count },
      { metricName: `${name}_sum`, labels: {}, sharedLabels, value: this.#sum },
      { metricName: `${name}_count`, labels: {}, sharedLabels, value: this.#count },
    ];
  }
}
