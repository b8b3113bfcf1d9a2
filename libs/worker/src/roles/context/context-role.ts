import { assert, DroverError } from "@drover/core";
import type { WorkerStatus } from "@drover/fleet";
import { type KvGeometry, kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import { contextService, type RpcService } from "@drover/rpc";
import type { Role, RoleIntroduction } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import { hostKvDtype } from "../attention/host-executor.ts";
import { contextMetrics } from "./context-metrics.ts";

/** Starts the role `context`, which needs no weights. */
export async function startContext(context: RoleContext): Promise<ContextRole> {
  const { device, kv, model } = context;
  if (device.kind === "cuda") {
    const message = "--roles: the role context keeps rows in main memory, and has no device but cpu";
    throw new DroverError("invalid_argument", message, { field: "roles" });
  }
  return new ContextRole(context, kvGeometry(model.config, kv.dtype));
}

/** Holds segments of long contexts for attention workers, and attends over them. */
export class ContextRole implements Role {
  readonly name = "context";
  readonly ready = Promise.resolve();
  readonly introduction: RoleIntroduction;
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  readonly #store: ContextStore;

  constructor({ options, model, kv }: RoleContext, geometry: KvGeometry) {
    const { threads, metrics, modelName, tracer } = options;
    const { bytesMax } = kv;
    assert(bytesMax !== "auto", "main memory for KV has a size");
    const kvDtype = hostKvDtype(kv.dtype);
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
