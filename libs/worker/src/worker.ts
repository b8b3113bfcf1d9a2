import { type Clock, DroverError, type Logger } from "@drover/core";
import { type ExpertRows, type ExpertSet, NO_STATUS, type WorkerStatus } from "@drover/fleet";
import type { Ending } from "@drover/process";
import type { WorkerOrder } from "@drover/wire";
import { LEADERLESS_MS_MAX } from "./limits.ts";
import type { WorkerLink } from "./link/worker-link.ts";
import type { Role, RoleIntroduction } from "./role.ts";
import { finished } from "./unfinished-work.ts";

export type WorkerParts = Readonly<{
  /** Of what several say the later one's counts; of reasons why they cannot work, the earlier one's. */
  roles: readonly Role[];
  link: WorkerLink;
  ending: Ending;
  /** Aborted when nothing is left to do for anybody. */
  ended: AbortController;
  clock: Clock;
  logger: Logger;
  /** What its card's memory is used for now; undefined without one. */
  card: () => WorkerStatus["card"];
}>;

/** One worker, which is all that its roles are: what it says is what they say, what it hears they hear, and it ends when they have finished. */
export class Worker {
  readonly #parts: WorkerParts;
  /** An operator wants this life of the worker to drain. It is remembered here, so that it outlives a scheduler. */
  #isDrainWanted = false;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** It takes nothing new, or soon will not: it was asked to end, or an operator has asked it to drain. */
  get draining(): boolean {
    return this.#parts.ending.asked.aborted || this.#isDrainWanted;
  }

  /** Resolves when every role can do its work for the first time. */
  get ready(): Promise<void> {
    return Promise.all(this.#parts.roles.map((role) => role.ready)).then(() => undefined);
  }

  get introduction(): RoleIntroduction {
    return Object.assign({}, ...this.#parts.roles.map((role) => role.introduction));
  }

  status(): WorkerStatus {
    const { roles, clock, card } = this.#parts;
    const own = { draining: this.draining, sentAtMs: clock.now(), card: card() };
    return Object.assign({}, NO_STATUS, ...roles.map((role) => role.status()), own);
  }

  /** What `/debug/worker` shows. */
  facts(): Readonly<Record<string, unknown>> {
    const { roles } = this.#parts;
    const shown = roles.map((role) => role.facts());
    return Object.assign({ roles: roles.map(({ name }) => name), draining: this.draining }, ...shown);
  }

  /** The experts of all roles that hold some. */
  loaded(): ExpertSet {
    return new Map(this.#parts.roles.flatMap((role) => [...(role.loaded?.() ?? [])]));
  }

  /** Rows that its requests were routed to each expert; empty of a worker without requests. */
  expertRows(): ExpertRows {
    return new Map(this.#parts.roles.flatMap((role) => [...(role.expertRows?.() ?? [])]));
  }

  /** Why it is not ready, in a sentence; null when it is. Nothing here waits for another worker's readiness, only for its work. */
  unready(): string | null {
    const { roles, link, clock } = this.#parts;
    const leaderlessMs = link.leaderlessMs(clock.monotonic());
    if (leaderlessMs === Number.POSITIVE_INFINITY) return "no scheduler has taken it among its workers yet";
    if (leaderlessMs > LEADERLESS_MS_MAX) return "no scheduler has it among its workers any more";
    if (this.#isDrainWanted) return "it was asked to drain";
    return roles.map((role) => role.unready()).find((reason) => reason !== null) ?? null;
  }

  /** Takes an order of the scheduler: each role does what is its part of it. */
  obey(order: WorkerOrder): void {
    const { roles, link, logger } = this.#parts;
    // Said of a drain that was taken back meanwhile: it would hold for the next one.
    if (order.kind === "drain_state" && !this.draining) return;
    if (order.kind !== "set_drain") {
      for (const role of roles) role.obey(order);
      return;
    }
    if (order.wanted === this.#isDrainWanted) return;
    this.#isDrainWanted = order.wanted;
    logger.info(order.wanted ? "worker.drain_asked" : "worker.drain_undone");
    for (const role of roles) role.obey(order);
    link.reportStatus();
  }

  /**
   * Works until it was asked to end and every role has finished, or the time for that is over: then hands back what is left. Rejects when a
   * role cannot go on.
   */
  async run(): Promise<void> {
    const { roles, link, ending, ended, clock, logger } = this.#parts;
    ending.asked.addEventListener("abort", () => link.reportStatus(), { once: true });
    const parts = roles.map((role) => role.unfinished);
    const over = finished(ending, parts, clock);
    const working = Promise.all(roles.map((role) => role.run()));
    const haveFinished = await Promise.race([over, working.then(() => over)]);
    const handedBack = parts.reduce((sum, part) => sum + (part.handBack?.() ?? 0), 0);
    logger.info("worker.drained", { finished: haveFinished, handedBack });
    ended.abort(new DroverError("unavailable", "the worker has ended"));
    await working;
    link.leave();
  }
}
