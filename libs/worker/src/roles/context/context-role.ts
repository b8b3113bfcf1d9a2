import type { WorkerStatus } from "@drover/fleet";
import { type KvGeometry, kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import { contextService, type RpcService } from "@drover/rpc";
import type { Role, RoleIntroduction } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import { contextMetrics } from "./context-metrics.ts";

/** Starts the role `context`, which needs no weights. */
export async function startContext(context: RoleContext): Promise<ContextRole> {
  return new ContextRole(context, kvGeometry(context.model.config, context.options.kvDtype));
}

/** Holds segments of long contexts for attention workers, and attends over them. */
export class ContextRole implements Role {
  readonly name = "context";
  readonly ready = Promise.resolve();
  readonly introduction: RoleIntroduction;
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  readonly #store: ContextStore;

  constructor({ options, model }: RoleContext, geometry: KvGeometry) {
    const { threads, kvMemory: bytesMax, kvDtype, metrics, modelName, tracer } = options;
    const store = new ContextStore(model.config, geometry, { threads, bytesMax, kvDtype });
    this.#store = store;
    this.introduction = { kvDtype };
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

  async run(): Promise<void> {
    // Its services answer; there is no loop.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store[Symbol.dispose]();
  }
}
