import { read } from "./promql.ts";

type LabelSet = Readonly<Record<string, string>>;

/** The series that a live run emits: each metric's labels, and their values. */
export class LiveSeries {
  readonly #labels = new Map<string, Map<string, Set<string>>>();

  /** `series`: label sets, the metric's name as `__name__` among them. */
  constructor(series: readonly LabelSet[]) {
    for (const { __name__: metric = "", ...labels } of series) {
      const known = this.#labels.get(metric) ?? new Map<string, Set<string>>();
      this.#labels.set(metric, known);
      for (const [label, value] of Object.entries(labels)) {
        const values = known.get(label) ?? new Set();
        known.set(label, values.add(value));
      }
    }
  }

  /** The labels that any series of the metric has. */
  labels(metric: string): readonly string[] {
    return [...(this.#labels.get(metric)?.keys() ?? [])];
  }

  values(metric: string, label: string): readonly string[] {
    return [...(this.#labels.get(metric)?.get(label) ?? [])].sort();
  }

  /** What the expression names and the live run does not have, as sentences: metrics, labels, and values of labels. */
  findings(expression: string): readonly string[] {
    const { selectors, groupings } = read(expression);
    const found: string[] = [];
    for (const { metric, matchers } of selectors) {
      if (!this.#labels.has(metric)) {
        found.push(`no process emits ${metric}`);
        continue;
      }
      for (const { label, operator, value } of matchers) {
        const values = this.values(metric, label);
        if (values.length === 0) found.push(`${metric} has no label ${label}`);
        else
          for (const one of literals(operator, value))
            if (!values.includes(one)) found.push(`${metric} never has ${label}="${one}"`);
      }
    }
    for (const { labels, metrics } of groupings) {
      for (const label of labels) {
        // A metric that is missing altogether has been said already.
        const known = metrics.filter((metric) => this.#labels.has(metric));
        if (known.length > 0 && known.every((metric) => this.values(metric, label).length === 0))
          found.push(`none of ${known.join(", ")} has the label ${label}`);
      }
    }
    return found;
  }
}

/** The values that a matcher spells out; a pattern or an absence spells out none. */
function literals(operator: string, value: string): readonly string[] {
  if (operator === "=") return [value];
  if (operator !== "=~") return [];
  return value.split("|").filter((one) => /^[\w.-]+$/.test(one));
}
