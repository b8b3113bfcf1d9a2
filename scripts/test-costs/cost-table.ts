/** What a process of the tests had used when it ended a spec, CPU seconds since its start: by itself, and by processes that it had started and waited for. */
export type CostLine = Readonly<{ pid: number; spec: string; own: number; children: number }>;

type Cost = Readonly<{ spec: string; own: number; children: number }>;

/** A table of what each spec has cost, the dearest first, for `count` of them and the sum of the others; Markdown. */
export function costTable(lines: readonly CostLine[], count: number): string {
  const costs = costsOf(lines).sort((a, b) => b.own + b.children - a.own - a.children);
  const others = costs.slice(count);
  const rows = [...costs.slice(0, count)];
  if (others.length > 0) rows.push(sumOf(`${others.length} others`, others));
  rows.push(sumOf(`all ${costs.length}`, costs));
  return [
    "| spec | CPU, s | of that processes it starts |",
    "|---|---:|---:|",
    ...rows.map(({ spec, own, children }) => `| ${spec} | ${(own + children).toFixed(1)} | ${children.toFixed(1)} |`),
  ].join("\n");
}

/** A process that runs several specs has used for each what it had used at its end and not at the one's before. */
function costsOf(lines: readonly CostLine[]): Cost[] {
  const before = new Map<number, CostLine>();
  return lines.map((line) => {
    const { own, children } = before.get(line.pid) ?? { own: 0, children: 0 };
    before.set(line.pid, line);
    return { spec: line.spec, own: line.own - own, children: line.children - children };
  });
}

function sumOf(spec: string, costs: readonly Cost[]): Cost {
  return costs.reduce((sum, { own, children }) => ({ spec, own: sum.own + own, children: sum.children + children }), {
    spec,
    own: 0,
    children: 0,
  });
}
