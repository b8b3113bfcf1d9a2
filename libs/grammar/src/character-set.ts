/** The last code point. */
export const POINT_MAX = 0x10ffff;

/** Code points from `first` to `last`, both included. */
export type PointRange = readonly [first: number, last: number];

/**
 * Code points, as ascending ranges that do not touch. `partial`: beyond ASCII there may be more that belong to it, which is known of sets by
 * Unicode property; whoever writes such texts writes fewer, and never a wrong one.
 */
export type CharacterSet = Readonly<{ ranges: readonly PointRange[]; partial: boolean }>;

/** A set of ranges in any order. */
export function characterSet(ranges: readonly PointRange[], partial = false): CharacterSet {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ranges].sort(([a], [b]) => a - b)) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else if (first <= last) merged.push([first, last]);
  }
  return { ranges: merged, partial };
}

/** The set of a string's characters. */
export const charactersOf = (text: string): CharacterSet => characterSet(Array.from(text, (c) => pointRange(c)));

const pointRange = (character: string): PointRange => {
  const point = character.codePointAt(0) ?? 0;
  return [point, point];
};

/** Every code point. */
export const ANY_CHARACTER: CharacterSet = characterSet([[0, POINT_MAX]]);

/** All others; beyond ASCII none of a partial set's, since they are not known. */
export function complement({ ranges, partial }: CharacterSet): CharacterSet {
  const others: PointRange[] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) others.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= POINT_MAX) others.push([next, POINT_MAX]);
  const set = characterSet(others, partial);
  return partial ? intersection(set, ASCII) : set;
}

export const union = (sets: readonly CharacterSet[]): CharacterSet =>
  characterSet(
    sets.flatMap(({ ranges }) => ranges),
    sets.some(({ partial }) => partial),
  );

export function intersection(one: CharacterSet, other: CharacterSet): CharacterSet {
  const both: PointRange[] = [];
  for (const [a, b] of one.ranges)
    for (const [c, d] of other.ranges)
      if (Math.max(a, c) <= Math.min(b, d)) both.push([Math.max(a, c), Math.min(b, d)]);
  return characterSet(both, one.partial || other.partial);
}

export const without = (set: CharacterSet, removed: CharacterSet): CharacterSet =>
  intersection(set, complement(removed));

const ASCII: CharacterSet = characterSet([[0, 0x7f]]);
