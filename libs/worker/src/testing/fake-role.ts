import type { WorkerRole } from "@drover/core";
import type { WorkerStatus } from "@drover/fleet";
import type { WorkerOrder } from "@drover/wire";
import type { Role } from "../role.ts";

/** A role that does what a test says, and notes what happens to it in a list that several may share. */
export class FakeRole implements Role {
  readonly services = [];
  readonly introduction = {};
  readonly ready = Promise.resolve();
  readonly name: WorkerRole;
  readonly #events: string[];
  readonly #ended: AbortSignal;
  readonly #failure = Promise.withResolvers<never>();
  says: Partial<WorkerStatus> = {};
  busy = false;
  requestCount = 0;
  reason: string | null = null;

  constructor(name: WorkerRole, events: string[], ended: AbortSignal) {
    this.name = name;
    this.#events = events;
    this.#ended = ended;
    this.#failure.promise.catch(() => undefined);
  }

  readonly unfinished = {
    begin: () => this.#note("begins to drain"),
    isBusy: () => this.busy,
    handBack: () => {
      this.#note("hands back");
      return this.requestCount;
    },
  };

  status() {
    return this.says;
  }

  facts() {
    return { [this.name]: "here" };
  }

  unready(): string | null {
    return this.reason;
  }

  obey(order: WorkerOrder): void {
    this.#note(order.kind === "set_drain" ? `drain ${order.wanted}` : order.kind);
  }

  /** Its loop breaks. */
  fail(error: Error): void {
    this.#failure.reject(error);
  }

  async run(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#ended.addEventListener("abort", () => resolve()));
    await Promise.race([ended, this.#failure.promise]);
    this.#note("stops");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#note("is disposed");
  }

  #note(event: string): void {
    this.#events.push(`${this.name} ${event}`);
  }
}

/** A link that stands or not as a test says, and notes what is told over it. */
export class FakeLink {
  leaderlessSinceMs: number | undefined;
  isJoined = true;
  readonly #events: string[];

  constructor(events: string[]) {
    this.#events = events;
  }

  leaderlessMs(nowMs: number): number {
    return this.isJoined ? 0 : nowMs - (this.leaderlessSinceMs ?? Number.NEGATIVE_INFINITY);
  }

  reportStatus(): void {
    this.#events.push("status");
  }

  noteNews(): void {
    this.#events.push("news");
  }

  reportLoaded(): void {
    this.#events.push("loaded");
  }

  leave(): void {
    this.#events.push("leaves");
  }
}
