/**
 * A text's ids behind the token that comes before it, where there is one; a text in which names of special tokens are these tokens may begin with it itself.
 * Copies them: of a long text on the thread that has encoded it.
 */
export function withFirst(
  ids: Uint32Array,
  { first, isMarked = false }: Readonly<{ first?: number | undefined; isMarked?: boolean }>,
): Uint32Array {
  if (first === undefined || (isMarked && ids[0] === first)) return ids;
  const all = new Uint32Array(ids.length + 1);
  all[0] = first;
  all.set(ids, 1);
  return all;
}
