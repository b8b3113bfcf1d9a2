import { assert } from "./assert.ts";

/** A list of exactly `Length` elements, none of which can be missing; any list where the length is no literal. */
export type TupleOf<Element, Length extends number, Made extends readonly Element[] = []> = number extends Length
  ? readonly Element[]
  : Made["length"] extends Length
    ? Made
    : TupleOf<Element, Length, readonly [...Made, Element]>;

/** The list as a tuple, so that its elements can be named without defaults. A bug when it has another length. */
export function tupleOf<Element, Length extends number>(
  list: readonly Element[],
  length: Length,
): TupleOf<Element, Length> {
  assert(list.length === length, "a list has the length that its reader names");
  return list as TupleOf<Element, Length>;
}
