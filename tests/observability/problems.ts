import type { LiveSeries } from "./live-series.ts";
import type { Prometheus } from "./prometheus.ts";
import type { ShownQuery } from "./shown-queries.ts";

/** How far back a panel looks here: the load has run for that long. */
const SECONDS_SHOWN = 20;

/**
 * What is wrong with a query on a live run, as sentences: metrics and labels that nothing emits, no finite value over the last seconds, series
 * without a label that their name in the legend is made of.
 */
export async function problems(
  { where, expr, legend }: ShownQuery,
  live: LiveSeries,
  prometheus: Prometheus,
): Promise<readonly string[]> {
  const found = [...live.findings(expr)];
  const ranges = await prometheus.range(expr, SECONDS_SHOWN);
  const finite = ranges.filter(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));
  if (finite.length === 0) found.push(`no data for ${expr}`);
  else
    for (const label of legend)
      if (!finite.every(({ metric }) => label in metric)) found.push(`no label ${label} in what ${expr} gives`);
  return found.map((sentence) => `${where}: ${sentence}`);
}
