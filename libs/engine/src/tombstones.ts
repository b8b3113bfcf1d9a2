import type { RequestId } from "@drover/core";
import { ENGINE_LIMITS } from "./limits.ts";

/** Which attempts were cancelled, so that a late placement of theirs is refused. The oldest are forgotten first. */
export class Tombstones {
  readonly #attempts = new Map<RequestId, number>();

  add(id: RequestId, attempt: number): void {
    this.#attempts.set(id, attempt);
    if (this.#attempts.size <= ENGINE_LIMITS.tombstonesMax) return;
    const oldest = this.#attempts.keys().next().value;
    if (oldest !== undefined) this.#attempts.delete(oldest);
  }

  has(id: RequestId, attempt: number): boolean {
    return (this.#attempts.get(id) ?? -1) >= attempt;
  }
}
