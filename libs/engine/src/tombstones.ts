import { BoundedMap, type RequestId } from "@drover/core";
import { TOMBSTONES_MAX } from "./limits.ts";

/** Up to which attempt requests are over, cancelled or ended, so that a late word of an older one counts as that. The oldest are forgotten first. */
export class Tombstones {
  readonly #attempts = new BoundedMap<RequestId, number>({ entriesMax: TOMBSTONES_MAX });

  /** All attempts up to this one are over. One that comes late, after a newer one, takes nothing back. */
  add(id: RequestId, attempt: number): void {
    this.#attempts.set(id, Math.max(attempt, this.#attempts.get(id) ?? attempt));
  }

  has(id: RequestId, attempt: number): boolean {
    return (this.#attempts.get(id) ?? -1) >= attempt;
  }
}
