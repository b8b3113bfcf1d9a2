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

/** The workers that hold all of these experts of a layer, and whether nobody else holds any of them. */
export function commonHolders(
  map: HolderMap,
  layer: number,
  experts: Int32Array,
): Readonly<{ holders: readonly string[]; isAlone: boolean }> {
  const layerHolders = map.layers.get(layer);
  let common: readonly string[] = layerHolders?.[experts[0] ?? -1] ?? [];
  let isAlone = common.length === 1;
  for (const expert of experts) {
    const holders = layerHolders?.[expert] ?? [];
    if (holders.length > 1) isAlone = false;
    if (holders.length === 1 && holders[0] === common[0] && common.length === 1) continue;
    common = common.filter((id) => holders.includes(id));
    if (common.length === 0) break;
  }
  return { holders: common, isAlone };
}
