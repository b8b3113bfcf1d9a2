import type { Member } from "@drover/fleet";
import { DRAIN_WISHES_MAX } from "../limits.ts";

type Wish = Readonly<{ incarnation: string; wanted: boolean }>;

/**
 * What operators want of workers: each wish is for one life of a worker, and holds for as long as this leadership. An order may be lost with the stream
 * that it is on, and a status may be older than the order, so what was wished is compared with every status and said again until they agree.
 * Of more than DRAIN_WISHES_MAX the oldest is forgotten.
 */
export class DrainWishes {
  readonly #wishes = new Map<string, Wish>();

  /** Remembers what is wanted of this life of the worker. Returns whether it has to be told: the last wish was another one, or its status disagrees. */
  want({ profile, status }: Member, wanted: boolean): boolean {
    const { workerId, incarnation } = profile;
    const last = this.#of(workerId, incarnation);
    this.#wishes.delete(workerId);
    this.#wishes.set(workerId, { incarnation, wanted });
    const [oldest] = this.#wishes.keys();
    if (oldest !== undefined && this.#wishes.size > DRAIN_WISHES_MAX) this.#wishes.delete(oldest);
    return last !== wanted || (status?.draining ?? false) !== wanted;
  }

  /** What the worker has to be told again; undefined where its status agrees with what is wanted, and where nothing is. */
  unmet({ profile, status }: Member): boolean | undefined {
    const wanted = this.#of(profile.workerId, profile.incarnation);
    return status === undefined || status.draining === wanted ? undefined : wanted;
  }

  #of(workerId: string, incarnation: string): boolean | undefined {
    const wish = this.#wishes.get(workerId);
    return wish?.incarnation === incarnation ? wish.wanted : undefined;
  }
}
