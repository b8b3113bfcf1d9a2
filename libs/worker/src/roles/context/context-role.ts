import type { WorkerStatus } from "@drover/fleet";
import { contextService, type RpcService } from "@drover/rpc";
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
  readonly #failed: Promise<never> | undefined;
  readonly #ended: AbortSignal;

  constructor({ options, ended }: RoleContext, { store, failed }: ContextParts) {
    const { metrics, modelName, tracer } = options;
    this.#store = store;
    this.#failed = failed;
    this.#ended = ended;
    this.introduction = { kvDtype: store.dtype };
    const service = contextService(store, contextMetrics(metrics, modelName, store), tracer);
    this.services = [service];
    this.unfinished = { isBusy: () => store.segmentCount > 0 };
  }

  status(): Partial<WorkerStatus> {
    const { byteCount, bytesMax } = this.#store;
    return { kvBytesUsed: byteCount, kvBytesMax: bytesMax, globalKv: { referenced: byteCount, cached: 0 } };
  }

  facts() {
    const { dtype: kvDtype, byteCount, bytesMax, segmentCount } = this.#store;
    return { context: { kvDtype, byteCount, bytesMax, segmentCount } };
  }

  unready(): string | null {
    return null;
  }

  obey(): void {
    // Attention workers say what it holds; the scheduler only says to them that it is there.
  }

  /** Its services answer; there is no loop. Rejects when its card has failed. */
  async run(): Promise<void> {
    if (this.#failed === undefined || this.#ended.aborted) return;
    const ended = new Promise<void>((resolve) =>
      this.#ended.addEventListener("abort", () => resolve(), { once: true }),
    );
    await Promise.race([this.#failed, ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store[Symbol.dispose]();
  }
}
