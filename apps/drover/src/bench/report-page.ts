import { type Curve, plot } from "./curve-plot.ts";
import { levelName } from "./load-level.ts";
import { type LoadReport, type MeasuredLevel, reportNotes, reportRows } from "./load-report.ts";
import { type LoadSummary, middleOf } from "./load-summary.ts";
import { escaped } from "./markup.ts";
import { firstTokenMs } from "./service-level.ts";

const STYLE = `:root{color-scheme:light dark;--ink:light-dark(#1b1f24,#e8eaed);--faint:light-dark(#d5d9de,#3c4248);--page:light-dark(#fff,#15181b)}
body{margin:2rem auto;max-width:72rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page)}
table{border-collapse:collapse;display:block;overflow-x:auto}th,td{padding:.3rem .7rem;border-bottom:1px solid var(--faint);text-align:right}
th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}figure{display:inline-block;vertical-align:top;margin:1rem 1rem 0 0}svg text{fill:var(--ink);font-size:12px}`;

/** A page of its own, without anything from elsewhere: the table, and plots by level and over the requests. */
export function reportPage(report: LoadReport): string {
  const [heading = [], ...rows] = reportRows(report);
  const row = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Load of ${escaped(report.model)}</title>
<style>${STYLE}</style></head><body>
<h1>${escaped(report.model)} under load</h1>
<table><thead>${row("th", heading)}</thead><tbody>${rows.map((cells) => row("td", cells)).join("\n")}</tbody></table>
${reportNotes(report)
  .map((note) => `<p>${escaped(note)}</p>`)
  .join("\n")}
${plots(report).join("\n")}
</body></html>
`;
}

function plots({ servers, measured }: LoadReport): string[] {
  const of = (name: string) => measured.filter(({ server }) => server === name);
  const byLevel = (pick: (summary: LoadSummary) => number): Curve[] =>
    servers.map(({ name }) => ({
      name,
      points: of(name).map(({ rounds }, i) => ({ x: i, y: pick(middleOf(rounds)) })),
    }));
  const [first] = servers;
  const levels = first === undefined ? [] : of(first.name).map(({ level }) => levelName(level));
  const shares = (values: (level: MeasuredLevel) => number[]): Curve[] =>
    measured.map((level) => ({
      name: `${level.server}, ${levelName(level.level)}`,
      points: cumulative(values(level)),
    }));
  return [
    plot({
      title: "Tokens a second",
      curves: byLevel(({ outputTokensPerSecond }) => outputTokensPerSecond),
      ticks: levels,
    }),
    plot({ title: "Time to the first token, median, ms", curves: byLevel(({ ttft }) => ttft.p50), ticks: levels }),
    plot({ title: "Between pieces, 99%, ms", curves: byLevel(({ itl }) => itl.p99), ticks: levels }),
    plot({
      title: "Share of requests by time to the first token, ms",
      curves: shares(({ samples }) => samples.flatMap((sample) => firstTokenMs(sample) ?? [])),
    }),
    plot({
      title: "Share of requests by time in all, ms",
      curves: shares(({ samples }) =>
        samples.flatMap(({ error, beginMs, endMs }) => (error === undefined ? [endMs - beginMs] : [])),
      ),
    }),
  ];
}

const cumulative = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b).map((x, i) => ({ x, y: (i + 1) / values.length }));
