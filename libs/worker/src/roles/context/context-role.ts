import type { WorkerStatus } from "@drover/fleet";
import { contextService, KeptSegments, type RpcService } from "@drover/rpc";
import type { WorkerOrder } from "@drover/wire";
import { KEPT_LEAVE_MS_MAX } from "../../limits.ts";
import type { Role, RoleIntroduction } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import { contextMetrics } from "./context-metrics.ts";
import { type ContextParts, type OpenedContext, openContext } from "./open-context.ts";

/** Starts the role `context`, which needs no weights, on the CPU or the worker's card. */
export async function startContext(context: RoleContext): Promise<ContextRole> {
  return new ContextRole(context, openContext(context));
}

/** Holds segments of long contexts for attention workers, and attends over them. */
export class ContextRole implements Role {
  readonly name = "context";
  readonly ready = Promise.resolve();
  readonly introduction: RoleIntroduction;
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  readonly #store: OpenedContext;
  readonly #kept = new KeptSegments();
  readonly #failed: Promise<never> | undefined;
  readonly #ended: AbortSignal;
  /** How many segments it only keeps, and since when they are so many. */
  #leaving = { count: 0, sinceMs: 0 };

  constructor({ options, ended, clock }: RoleContext, { store, failed }: ContextParts) {
    const { metrics, modelName, tracer } = options;
    this.#store = store;
    this.#failed = failed;
    this.#ended = ended;
    this.introduction = { kvDtype: store.dtype };
    const service = contextService(store, contextMetrics(metrics, modelName, store, this.#kept), tracer, this.#kept);
    this.services = [service];
    this.unfinished = {
      begin: () => {
        this.#kept.keepsOrphans = false;
        this.#leaving = { count: this.#kept.count, sinceMs: clock.monotonic() };
      },
      isBusy: () => this.#isBusy(clock.monotonic()),
    };
  }

  status(): Partial<WorkerStatus> {
    const { byteCount, bytesMax } = this.#store;
    const { byteCount: cached } = this.#kept;
    return { kvBytesUsed: byteCount, kvBytesMax: bytesMax, globalKv: { referenced: byteCount - cached, cached } };
  }

  facts() {
    const { dtype: kvDtype, byteCount, bytesMax, segmentCount } = this.#store;
    const { count: cachedSegmentCount, byteCount: cachedByteCount } = this.#kept;
    const held = { byteCount: byteCount - cachedByteCount, segmentCount: segmentCount - cachedSegmentCount };
    return { context: { kvDtype, bytesMax, ...held, cachedByteCount, cachedSegmentCount } };
  }

  unready(): string | null {
    return null;
  }

  /** Attention workers say what it holds, and the scheduler says to them that it is there, or drains. What is nobody's any more goes then. */
  obey(order: WorkerOrder): void {
    if (order.kind === "set_drain") this.#kept.keepsOrphans = !order.wanted;
  }

  /** Its services answer; there is no loop. Rejects when its card has failed. */
  async run(): Promise<void> {
    if (this.#failed === undefined || this.#ended.aborted) return;
    const ended = new Promise<void>((resolve) =>
      this.#ended.addEventListener("abort", () => resolve(), { once: true }),
    );
    await Promise.race([this.#failed, ended]);
  }

  /** Attention workers take away what they read, and move what it keeps for them; who does not hear of its end moves nothing. */
  #isBusy(nowMs: number): boolean {
    const { count } = this.#kept;
    if (this.#store.segmentCount > count) return true;
    if (count !== this.#leaving.count) this.#leaving = { count, sinceMs: nowMs };
    return count > 0 && nowMs - this.#leaving.sinceMs < KEPT_LEAVE_MS_MAX;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store[Symbol.dispose]();
  }
}
