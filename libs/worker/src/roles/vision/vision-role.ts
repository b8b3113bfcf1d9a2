import { hasVisionTensors, loadVisionConfig, type VisionConfig } from "@drover/checkpoint";
import { DroverError } from "@drover/core";
import type { RpcService } from "@drover/rpc";
import type { Role } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import { FeatureCache } from "./feature-cache.ts";
import { type OpenedVision, openVision } from "./open-vision.ts";
import { checkVisionCache } from "./vision-cache.ts";
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
  checkVisionCache(options.visionCache, config);
  const metrics = visionMetrics(options.metrics, options.modelName);
  const encoder = await openVision(context, config, metrics.encoded);
  const role = new VisionRole(context, config, encoder);
  metrics.watch(() => role.facts().vision);
  return role;
}

/** Encodes images on the worker's card or a thread of its own, keeps their features, and gives them to attention workers. */
export class VisionRole implements Role {
  readonly name = "vision";
  readonly ready = Promise.resolve();
  readonly introduction = {};
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  /** The features of images, which a role of this process may read. */
  readonly features: FeatureCache;
  readonly #encoder: OpenedVision;
  readonly #ended: AbortSignal;

  constructor({ options, ended }: RoleContext, config: VisionConfig, encoder: OpenedVision) {
    const { visionCache, ending, tracer } = options;
    this.features = new FeatureCache(visionCache);
    this.#encoder = encoder;
    this.#ended = ended;
    const service = visionService({
      encoder,
      cache: this.features,
      imageSize: config.imageSize,
      rowsPerTile: config.rowsPerTile,
      hiddenSize: config.textHiddenSize,
      accepting: () => !ending.refusing.aborted,
      tracer,
    });
    this.services = [service];
    this.unfinished = { isBusy: () => encoder.load > 0 };
  }

  status() {
    return {};
  }

  facts() {
    const { facts, bytesMax } = this.features;
    return { vision: { ...facts, bytesMax, waitingCount: this.#encoder.load } };
  }

  unready(): string | null {
    return null;
  }

  obey(): void {
    // The scheduler says where images go; a worker has nothing to do for it.
  }

  /** Its services answer; there is no loop. Rejects when its card has failed. */
  async run(): Promise<void> {
    const { failed } = this.#encoder;
    if (failed === undefined || this.#ended.aborted) return;
    const ended = new Promise<void>((resolve) =>
      this.#ended.addEventListener("abort", () => resolve(), { once: true }),
    );
    await Promise.race([failed, ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#encoder[Symbol.asyncDispose]();
  }
}
