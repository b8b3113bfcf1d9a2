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

/** The settings in the order of {@link DIMENSIONS}. */
type Row = readonly [
  Settings["checkpoint"],
  Settings["expertWorkers"],
  Settings["prefillChunk"],
  Settings["attentionWorkers"],
  Settings["contextWorkers"],
  Settings["concurrency"],
  Settings["queue"],
  Settings["prefixCache"],
];

/**
 * Every pair of settings, in as few clusters as there are pairs of a checkpoint and a chunk. Of five numbers of expert workers those
 * that differ most. Found by simulated annealing, which also kept clusters with many workers, and requests one after the other, few.
 */
const PAIRED: readonly Row[] = [
  ["nano", 4, 16, 2, 0, 32, "redis", "on"],
  ["nano", 1, 64, 2, 1, 1, "redis", "on"],
  ["nano", 8, 256, 2, 2, 32, "redis", "off"],
  ["nano", 1, 1000, 1, 4, 32, "embedded", "on"],
  ["nano-fp8", 1, 16, 1, 1, 32, "embedded", "on"],
  ["nano-fp8", 8, 64, 2, 0, 32, "embedded", "off"],
  ["nano-fp8", 1, 256, 1, 4, 32, "redis", "on"],
  ["nano-fp8", 4, 1000, 1, 2, 1, "embedded", "on"],
  ["nano-ct-fp8", 1, 16, 1, 2, 32, "embedded", "on"],
  ["nano-ct-fp8", 4, 64, 2, 4, 32, "redis", "on"],
  ["nano-ct-fp8", 1, 256, 1, 0, 1, "embedded", "off"],
  ["nano-ct-fp8", 8, 1000, 1, 1, 32, "embedded", "on"],
  ["scout", 8, 16, 1, 4, 1, "embedded", "off"],
  ["scout", 1, 64, 1, 2, 32, "embedded", "on"],
  ["scout", 4, 256, 1, 1, 32, "embedded", "off"],
  ["scout", 1, 1000, 2, 0, 32, "redis", "off"],
];

/**
 * As few as there are checkpoints, for every run of the tests: every value of each setting, and every pair of settings that have two values, but for
 * `concurrency`, whose 1 takes longest.
 */
const TESTED: readonly Row[] = [
  ["nano", 8, 64, 2, 0, 32, "embedded", "off"],
  ["nano-fp8", 1, 16, 1, 4, 32, "embedded", "on"],
  ["nano-ct-fp8", 4, 1000, 1, 2, 32, "redis", "off"],
  ["scout", 1, 256, 2, 1, 1, "redis", "on"],
];

/** A small subset in which every pair of settings occurs: `npm run goldens -- pairs`. */
export const pairwiseSettings = (): Settings[] => PAIRED.map(settingsOf);

/** What every run of the tests has: each costs a cluster. */
export const testedSettings = (): Settings[] => TESTED.map(settingsOf);

function settingsOf([
  checkpoint,
  expertWorkers,
  prefillChunk,
  attentionWorkers,
  contextWorkers,
  ...rest
]: Row): Settings {
  const [concurrency, queue, prefixCache] = rest;
  return {
    ...{ checkpoint, expertWorkers, prefillChunk, attentionWorkers, contextWorkers },
    ...{ concurrency, queue, prefixCache },
  };
}
