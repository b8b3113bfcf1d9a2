/** What a split pattern asks about a character, as bits. */
export const CLASS = {
  /** `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]` */
  upper: 1,
  /** `[\p{Ll}\p{Lm}\p{Lo}\p{M}]` */
  lower: 2,
  /** `\p{N}` */
  number: 4,
  /** White_Space, line ends included */
  space: 8,
  /** `[\r\n]` */
  lineEnd: 16,
  /** `\p{M}`, which is no letter */
  mark: 32,
} as const;

const PATTERNS: readonly (readonly [RegExp, number])[] = [
  [/[\p{Lu}\p{Lt}]/gu, CLASS.upper],
  [/\p{Ll}/gu, CLASS.lower],
  [/[\p{Lm}\p{Lo}]/gu, CLASS.upper | CLASS.lower],
  [/\p{M}/gu, CLASS.upper | CLASS.lower | CLASS.mark],
  [/\p{N}/gu, CLASS.number],
  [/[^\P{White_Space}\r\n]/gu, CLASS.space],
  [/[\r\n]/gu, CLASS.space | CLASS.lineEnd],
];

/** Classes by code point. The planes above the first are looked up 256 characters at a time, when the first of them is asked for. */
const classes = new Uint8Array(0x110000);
const isKnown = new Uint8Array(0x1100);

function learn(page: number): void {
  const points = Array.from({ length: 256 }, (_, i) => (page << 8) + i).filter((point) => point >> 11 !== 27);
  const text = String.fromCodePoint(...points);
  for (const [pattern, bits] of PATTERNS) {
    for (const [character] of text.matchAll(pattern)) classes[character.codePointAt(0) ?? 0] = bits;
  }
  isKnown[page] = 1;
}

/** The class bits of a code point. */
export function classOf(point: number): number {
  if (isKnown[point >> 8] === 0) learn(point >> 8);
  return classes[point] ?? 0;
}
