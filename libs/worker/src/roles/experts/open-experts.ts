import { CardExperts, KV_AUTO_SPARED } from "@drover/cuda";
import { ExpertSessions, expertBytes } from "@drover/onnx";
import { cardSource } from "../../device/card-source.ts";
import type { WorkerDevice } from "../../device/worker-device.ts";
import type { RoleContext } from "../../role-context.ts";
import type { HeldExperts } from "./counted-experts.ts";
import type { ExpertStore } from "./expert-loader.ts";
import { expertCountMax } from "./expert-memory.ts";
import { WholeExperts } from "./whole-experts.ts";

/** Where a worker's experts are computed. */
export type OpenedExperts = Readonly<{
  store: ExpertStore & HeldExperts;
  /** Experts of all layers together that there is memory for; 0: no limit. */
  countMax: number;
  /** The same on a card that holds what the map gives it; undefined elsewhere. */
  card: CardExperts | undefined;
  /** Bytes that they may take on the card. */
  bytesMax: number;
  /** Whether the device has all of them, whatever the map says. */
  areWhole: boolean;
}>;

/**
 * Opens what a worker's device computes experts with, none of them loaded yet. A card whose worker has the role attention too holds all experts, unless it was said
 * how much memory they may take. Errors: the checkpoint's; `invalid_argument` for what a card does not compute, and for memory that holds no expert; `overloaded` where it is full.
 */
export async function openExperts(context: RoleContext): Promise<OpenedExperts> {
  const { device, model, options } = context;
  const { config, weights } = model;
  const { expertMemory, threads, roles } = options;
  if (device.kind === "cpu") {
    const store = new ExpertSessions(config, weights, { threads });
    const countMax = expertMemory === undefined ? 0 : expertCountMax(expertMemory, await expertBytes(config, weights));
    return { store, countMax, card: undefined, bytesMax: 0, areWhole: false };
  }
  if (roles.includes("attention") && expertMemory === undefined)
    return { store: new WholeExperts(config.hiddenSize), countMax: 0, card: undefined, bytesMax: 0, areWhole: true };
  return openCardExperts(context, device);
}

async function openCardExperts(
  context: RoleContext,
  { cuda, precision, kernelFolder, use }: Extract<WorkerDevice, { kind: "cuda" }>,
): Promise<OpenedExperts> {
  const { options, model } = context;
  const source = await cardSource(context);
  const opened = await CardExperts.open(cuda, model.config, source, { precision, cacheFolder: kernelFolder });
  const card = options.resources.use(opened);
  use.add(card);
  const { freeBytes } = cuda.device;
  const bytesMax = options.expertMemory ?? freeBytes * (1 - KV_AUTO_SPARED.share) - KV_AUTO_SPARED.bytes;
  // 0 on the wire is no limit: a full card, of which nobody has said what it should hold, is taken to hold one.
  const countMax =
    options.expertMemory === undefined
      ? Math.max(1, Math.floor(bytesMax / Math.max(1, card.expertBytes)))
      : expertCountMax(options.expertMemory, card.expertBytes);
  return { store: card, countMax, card, bytesMax, areWhole: false };
}
