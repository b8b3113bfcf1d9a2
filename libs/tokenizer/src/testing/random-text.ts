/** Characters of every kind that a split pattern tells apart, and what is next to them. */
const ALPHABET = [
  ..."aZéßſKǅʰªªנש中あ字ไ",
  ..."019²Ⅷ٣",
  ..." \t\n\r\u000b\u0085\u00a0\u2028\u3000\ufeff",
  ..."'’!/.-_<|>{}",
  ..."\u0301\u0903\u20dd\ufe0f🙂👩🏽‍🚀𝐀𝟘𐐀𐐨",
  "'s",
  "'S",
  "'ſ",
  "'ll",
  "'Re",
  "  ",
  "\r\n",
];

/** Texts of such characters; lone surrogates too where `malformed`. */
export function randomTexts(count: number, { malformed = false, seed = 1 } = {}): string[] {
  let state = seed;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  const character = (): string => {
    const kind = draw(20);
    if (kind === 0) return String.fromCodePoint(draw(0x10fff) * 16 + draw(16)).toWellFormed();
    if (kind === 1 && malformed) return String.fromCharCode(0xd800 + draw(0x800));
    return ALPHABET[draw(ALPHABET.length)] ?? "";
  };
  return Array.from({ length: count }, () => Array.from({ length: draw(40) }, character).join(""));
}
