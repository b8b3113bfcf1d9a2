/** Who holds which expert: for each layer and expert, workers in order of preference. */
export type HolderMap = Readonly<{
  epoch: bigint;
  expertCount: number;
  /** layer -> expert -> worker ids; an empty list: nobody holds it now. */
  layers: ReadonlyMap<number, ReadonlyArray<readonly string[]>>;
}>;

/** Nobody holds anything: what a worker knows before its first map. */
export const EMPTY_MAP: HolderMap = { epoch: 0n, expertCount: 0, layers: new Map() };

/** Every expert has a holder that is connected. */
export function isReachable(map: HolderMap, isConnected: (workerId: string) => boolean): boolean {
  const reachable = new Set<string>();
  for (const experts of map.layers.values()) {
    for (const holders of experts) {
      const holder = holders.find((id) => reachable.has(id) || isConnected(id));
      if (holder === undefined) return false;
      reachable.add(holder);
    }
  }
  return map.layers.size > 0;
}

/** The worker that holds all of these experts of a layer, where nobody else holds any of them. */
export function onlyHolder(map: HolderMap, layer: number, experts: Int32Array): string | undefined {
  const holders = map.layers.get(layer);
  let only: string | undefined;
  for (const expert of experts) {
    const [holder, ...others] = holders?.[expert] ?? [];
    if (holder === undefined || others.length > 0 || (only !== undefined && holder !== only)) return undefined;
    only = holder;
  }
  return only;
}
