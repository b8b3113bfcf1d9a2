/** Everything that may vary between runs of the goldens; what must not is the answer. */
export const DIMENSIONS = {
  checkpoint: ["nano", "nano-fp8", "nano-ct-fp8", "scout"],
  expertWorkers: [1, 2, 3, 4, 8],
  prefillChunk: [16, 64, 256, 1000],
  attentionWorkers: [1, 2],
  contextWorkers: [0, 1, 2, 4],
  concurrency: [1, 32],
  queue: ["embedded", "redis"],
  prefixCache: ["on", "off"],
} as const;

export type Settings = { [K in keyof typeof DIMENSIONS]: (typeof DIMENSIONS)[K][number] };

/** Every combination. */
export function allSettings(): Settings[] {
  let rows: Record<string, unknown>[] = [{}];
  for (const [name, values] of Object.entries(DIMENSIONS))
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  return rows as Settings[];
}

function pairsOf(row: Settings): string[] {
  const entries = Object.entries(row);
  return entries.flatMap(([a, x], i) => entries.slice(i + 1).map(([b, y]) => `${a}=${x} ${b}=${y}`));
}

/** Of five numbers of expert workers, those that differ most: each costs clusters in every run of the tests. */
const PAIRED_EXPERT_WORKERS: readonly number[] = [1, 4, 8];

/** A small subset in which every pair of settings occurs: each row is the one that covers most of what is left. */
export function pairwiseSettings(): Settings[] {
  const all = allSettings()
    .filter(({ expertWorkers }) => PAIRED_EXPERT_WORKERS.includes(expertWorkers))
    .map((row) => ({ row, pairs: pairsOf(row) }));
  const left = new Set(all.flatMap(({ pairs }) => pairs));
  const chosen: Settings[] = [];
  const gain = (pairs: readonly string[]) => pairs.filter((pair) => left.has(pair)).length;
  while (left.size > 0) {
    const best = all.reduce((a, b) => (gain(b.pairs) > gain(a.pairs) ? b : a));
    chosen.push(best.row);
    for (const pair of best.pairs) left.delete(pair);
  }
  return chosen;
}
