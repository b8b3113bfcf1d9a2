/**
 * PromQL and what its series are called. In it `$F` stands for the namespace that the dashboard shows, `$W` for that and the chosen workers,
 * `$R` for the window of a rate.
 */
export type Query = Readonly<{ expr: string; legend: string }>;

/** The variable with which a dashboard chooses its Prometheus. */
export const DATASOURCE = { type: "prometheus", uid: "$datasource" };

const NAMESPACE = 'cluster=~"$cluster",namespace=~"$namespace"';
const WORKERS = `${NAMESPACE},worker=~"$worker"`;

/** The expression as Grafana gets it, its variables still in it. */
export const expand = (expr: string): string =>
  expr.replaceAll("$F", NAMESPACE).replaceAll("$W", WORKERS).replaceAll("$R", "$__rate_interval");

/** A panel's query in Grafana's form; a table wants the newest values alone. */
export function target({ expr, legend }: Query, refId: string, format: "time_series" | "heatmap" | "table") {
  const instant = format === "table";
  const query = { expr: expand(expr), format, instant, range: !instant, refId, datasource: DATASOURCE };
  return legend === "" ? query : { ...query, legendFormat: legend };
}

/** p50 and p99 of a histogram, by the given labels. */
export function quantiles(histogram: string, filters: string, by: readonly string[] = []): readonly Query[] {
  const labels = [...by, "le"].join(", ");
  const suffix = by.map((label) => ` {{${label}}}`).join("");
  return (["0.5", "0.99"] as const).map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${labels}) (rate(${histogram}_bucket{${filters}}[$R])))`,
    legend: `p${quantile === "0.5" ? "50" : "99"}${suffix}`,
  }));
}
