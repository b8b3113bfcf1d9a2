import { BoundedMap, type RequestId } from "@drover/core";
import { TOMBSTONES_MAX } from "./limits.ts";

/** Which attempts were cancelled, so that a late placement of theirs is refused. The oldest are forgotten first. */
export class Tombstones {
  readonly #attempts = new BoundedMap<RequestId, number>({ entriesMax: TOMBSTONES_MAX });

  add(id: RequestId, attempt: number): void {
    this.#attempts.set(id, attempt);
  }

  has(id: RequestId, attempt: number): boolean {
    return (this.#attempts.get(id) ?? -1) >= attempt;
  }
}
