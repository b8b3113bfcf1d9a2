import { assert } from "@drover/core";
import { type Member, Membership, type MembershipOptions } from "./membership.ts";
import type { WorkerLink } from "./worker-link.ts";

/** The link of a worker to the scheduler that leads. It is there before the worker has anything to say, and stands from `join` on until it is disposed. */
export class SchedulerLink implements WorkerLink, Disposable {
  readonly #options: MembershipOptions;
  /** Undefined until the worker joins. */
  #membership: Membership | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Looks for the leader from now on, and joins it. Once. */
  join(member: Member): void {
    assert(this.#membership === undefined, "a worker joins once");
    this.#membership = new Membership(this.#options, member);
  }

  get isJoined(): boolean {
    return this.#membership?.isUp ?? false;
  }

  leaderlessMs(nowMs: number): number {
    return this.#membership?.leaderlessMs(nowMs) ?? Number.POSITIVE_INFINITY;
  }

  reportStatus(): void {
    this.#membership?.reportStatus();
  }

  noteNews(): void {
    this.#membership?.noteNews();
  }

  reportLoaded(): void {
    this.#membership?.reportLoaded();
  }

  leave(): void {
    this.#membership?.leave();
  }

  [Symbol.dispose](): void {
    this.#membership?.[Symbol.dispose]();
  }
}
