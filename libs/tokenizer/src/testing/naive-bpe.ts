/** BPE as it is defined: join the leftmost pair of the least rank, until there is none. Quadratic. */
export function naiveBpe(symbols: readonly string[], rankOf: (left: string, right: string) => number | undefined) {
  const parts = [...symbols];
  for (;;) {
    let least = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = rankOf(parts[i] ?? "", parts[i + 1] ?? "") ?? Number.POSITIVE_INFINITY;
      if (rank < least) {
        least = rank;
        at = i;
      }
    }
    if (at < 0) return parts;
    parts.splice(at, 2, `${parts[at]}${parts[at + 1]}`);
  }
}
