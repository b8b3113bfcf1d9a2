import { constraintFault } from "./constraint-fault.ts";

/** Work that one constraint may take of its router: every part of it spends, and what is over budget is refused. */
export class Budget {
  #left: number;

  constructor(left: number) {
    this.#left = left;
  }

  /** Errors: `invalid_argument`, naming the place, once nothing is left. */
  spend(amount: number, place: string): void {
    this.#left -= amount;
    if (this.#left < 0) throw constraintFault(place, "is too large to be enforced");
  }
}
