import { hasVisionTensors, loadVisionConfig, type VisionConfig } from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import { VisionThread } from "@drover/onnx";
import type { RpcService } from "@drover/rpc";
import type { Role } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import { FeatureCache } from "./feature-cache.ts";
import { visionMetrics } from "./vision-metrics.ts";
import { visionService } from "./vision-service.ts";

/** Starts the role `vision`: loads the encoder and has it run once. Errors: `invalid_argument` naming a model that has none; the checkpoint's. */
export async function startVision(context: RoleContext): Promise<VisionRole> {
  const { options, model } = context;
  const { directory } = model.checkpoint;
  const config = await loadVisionConfig(directory);
  if (config === undefined || !hasVisionTensors(model.checkpoint)) {
    const message = `--roles: ${options.modelName} in ${directory} has no vision encoder, so that no worker can have the role vision`;
    throw new DroverError("invalid_argument", message, { field: "roles" });
  }
  const { logger, visionThreads: threads } = options;
  const metrics = visionMetrics(options.metrics, options.modelName);
  const thread = await VisionThread.start({ directory, config, threads, logger, onEncoded: metrics.encoded });
  const role = new VisionRole(context, config, thread);
  metrics.watch(() => role.facts().vision);
  return role;
}

/** Encodes images on a thread of its own, keeps their features, and gives them to attention workers. */
export class VisionRole implements Role {
  readonly name = "vision";
  readonly ready = Promise.resolve();
  readonly introduction = {};
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  /** The features of images, which a role of this process may read. */
  readonly features: FeatureCache;
  readonly #thread: VisionThread;

  constructor({ options }: RoleContext, config: VisionConfig, thread: VisionThread) {
    const { visionCache, ending, tracer } = options;
    this.features = new FeatureCache(visionCache);
    this.#thread = thread;
    const service = visionService({
      encoder: thread,
      cache: this.features,
      imageSize: config.imageSize,
      rowsPerTile: config.rowsPerTile,
      hiddenSize: config.textHiddenSize,
      accepting: () => !ending.refusing.aborted,
      tracer,
    });
    this.services = [service];
    this.unfinished = { isBusy: () => thread.load > 0 };
  }

  status() {
    return {};
  }

  facts() {
    const { facts, bytesMax } = this.features;
    return { vision: { ...facts, bytesMax, waitingCount: this.#thread.load } };
  }

  unready(): string | null {
    return null;
  }

  obey(): void {
    // The scheduler says where images go; a worker has nothing to do for it.
  }

  async run(): Promise<void> {
    // Its services answer; there is no loop.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}
