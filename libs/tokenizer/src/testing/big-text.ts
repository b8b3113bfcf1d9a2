/** The words and separators of the reference's large texts. */
export type BigTextRecipe = Readonly<{ words: readonly string[]; separators: readonly string[] }>;

/** At least `size` UTF-8 bytes of words by a linear congruential generator, as the reference data's recipe says. */
export function bigText(
  { words, separators }: BigTextRecipe,
  { size, seed }: Readonly<{ size: number; seed: number }>,
) {
  let state = seed >>> 0;
  const draw = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 16;
  };
  const parts: string[] = [];
  for (let bytes = 0; bytes < size; ) {
    const word = words[draw() % words.length] ?? "";
    const separator = separators[draw() % separators.length] ?? "";
    parts.push(word, separator);
    bytes += Buffer.byteLength(word) + Buffer.byteLength(separator);
  }
  return parts.join("");
}
