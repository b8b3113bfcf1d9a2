import type { WorkerId } from "@drover/core";
import type { ExpertRows, Member } from "@drover/fleet";

/** What workers have told of their experts' rows. They tell what they have counted since they started; what is new since the last time is the heat. */
export class HeatReports {
  readonly #told = new Map<WorkerId, Readonly<{ incarnation: string; rows: ExpertRows }>>();

  /** The rows that are new; the worker's first ones may be of any age, and are none. */
  news({ profile: { workerId, incarnation } }: Member, rows: ExpertRows): ExpertRows {
    const before = this.#told.get(workerId);
    this.#told.set(workerId, { incarnation, rows });
    if (before?.incarnation !== incarnation) return new Map();
    const since = (layer: number, expert: number) => before.rows.get(layer)?.[expert];
    return new Map(
      [...rows].map(([layer, counts]) => [
        layer,
        counts.map((count, expert) => Math.max(0, count - (since(layer, expert) ?? 0))),
      ]),
    );
  }

  forget(worker: WorkerId): void {
    this.#told.delete(worker);
  }
}
