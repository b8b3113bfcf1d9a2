import { readFileSync } from "node:fs";
import { join } from "node:path";

const PAGE = join(import.meta.dirname, "../../docs/metrics.md");
const LINE = /^\| `([\w:]+)` \| (\w+) \| ([^|]*) \|/gm;

/** Every metric that docs/metrics.md describes, as `name type label,label`. */
export function describedMetrics(): readonly string[] {
  return [...readFileSync(PAGE, "utf8").matchAll(LINE)].map(([, name = "", type = "", labels = ""]) =>
    metricLine(
      name,
      type,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label = ""]) => label),
    ),
  );
}

export const metricLine = (name: string, type: string, labels: readonly string[]): string =>
  `${name} ${type} ${[...labels].sort().join(",")}`.trim();
