import { assert, DroverError } from "@drover/core";
import { CudaRunner, CudaText, DECODE_ROWS_MAX, PRECISIONS, type Precision } from "@drover/cuda";
import { servedModelSeed } from "@drover/kv";
import { StoredSequences } from "@drover/sequences";
import { cardSource } from "../../device/card-source.ts";
import type { WorkerDevice } from "../../device/worker-device.ts";
import type { RoleContext } from "../../role-context.ts";
import type { Executor, ExecutorOptions } from "./executor.ts";

/**
 * Computes on a card, with all experts and the KV there. Errors: the checkpoint's; `overloaded` where the card is too small; `invalid_argument` for what a card
 * does not compute.
 */
export async function openCardExecutor(
  context: RoleContext,
  { cuda, precision, kernelFolder }: Extract<WorkerDevice, { kind: "cuda" }>,
  { remoteExperts }: ExecutorOptions,
): Promise<Executor> {
  const { options, model, kv } = context;
  const { modelName, prefixCache, prefillChunk, progress, resources } = options;
  const { config, fingerprint } = model;
  refuseOthers(options, remoteExperts);
  const text = await CudaText.load(cuda, config, await cardSource(context), {
    precision,
    kv: cardDtype(kv),
    kvBytesMax: kv.bytesMax,
    rowsMax: prefillChunk + DECODE_ROWS_MAX,
    cacheFolder: kernelFolder,
    onLayer: (done, total) => progress(`layer ${done} of ${total}`),
  });
  const runner = resources.use(new CudaRunner(text));
  const sequences = new StoredSequences(text.geometry, text.store, {
    cache: { bytesMax: text.kvBytesMax, prefixCache: prefixCache === "on" },
    hashSeed: servedModelSeed(modelName, fingerprint),
    stripes: undefined,
  });
  return { runner, sequences, geometry: text.geometry, stripeAbove: Number.POSITIVE_INFINITY };
}

function cardDtype({ dtype }: RoleContext["kv"]): Precision {
  const known = PRECISIONS.find((each) => each === dtype);
  assert(known !== undefined, "the settings of a card are a card's");
  return known;
}

/** What CPUs compute and cards do not. */
function refuseOthers({ stripeAbove }: RoleContext["options"], remoteExperts: boolean): void {
  if (remoteExperts)
    refuse("roles", "on a card the role attention takes the role experts with it (up --expert-workers 0)");
  if (stripeAbove !== undefined) refuse("stripe-above", "a card's old rows do not go to context workers");
}

function refuse(flag: string, sentence: string): never {
  throw new DroverError("invalid_argument", `--${flag}: ${sentence}`, { field: flag.replaceAll("-", "_") });
}
