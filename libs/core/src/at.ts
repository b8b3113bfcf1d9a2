import { assert } from "./assert.ts";

/** The element at `index`, which has to be there: for an index that the caller has made itself. A bug when it is outside of the list. */
export function at<T>(list: Readonly<{ length: number; [index: number]: T }>, index: number): T {
  assert(index >= 0 && index < list.length, "an index lies within its list");
  return list[index] as T;
}
