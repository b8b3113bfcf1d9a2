import { assert } from "@drover/core";
import { CudaRunner, CudaText, DECODE_ROWS_MAX, PRECISIONS, type Precision, type RemoteExperts } from "@drover/cuda";
import { servedModelSeed } from "@drover/kv";
import { StoredSequences } from "@drover/sequences";
import { cardSource } from "../../device/card-source.ts";
import type { WorkerDevice } from "../../device/worker-device.ts";
import type { RoleContext } from "../../role-context.ts";
import { type Executor, type ExecutorOptions, halfOf, type LocalExperts } from "./executor.ts";

/**
 * Computes on a card, with the KV there, and all experts or those that the map gives it: rows of others go to their holders. Errors: the checkpoint's; `overloaded` where the card is too small; `invalid_argument` for what a card
 * does not compute.
 */
export async function openCardExecutor(
  context: RoleContext,
  { cuda, precision, kernelFolder, stream, use }: Extract<WorkerDevice, { kind: "cuda" }>,
  { exchange, experts, rowsRouted, direct, holders }: ExecutorOptions,
): Promise<Executor> {
  const { options, incarnation, model, kv } = context;
  const { workerId, modelName, prefixCache, prefillChunk, progress, resources } = options;
  const { config, fingerprint } = model;
  const text = await CudaText.load(cuda, config, await cardSource(context), {
    precision,
    kv: cardDtype(kv),
    kvBytesMax: kv.bytesMax,
    rowsMax: prefillChunk + DECODE_ROWS_MAX,
    cacheFolder: kernelFolder,
    stream,
    ...(experts?.areWhole !== true && { remote: { ...remoteOf(experts, exchange, rowsRouted), direct } }),
    onLayer: (done, total) => progress(`layer ${done} of ${total}`),
  });
  use.add({ memory: text.memory, graphCounts: () => text.graphCounts });
  const runner = resources.use(new CudaRunner(text));
  const above = options.stripeAbove ?? halfOf(text.geometry, text.kvBytesMax, prefillChunk);
  const sequences = new StoredSequences(text.geometry, text.store, {
    cache: { bytesMax: text.kvBytesMax, prefixCache: prefixCache === "on" },
    hashSeed: servedModelSeed(modelName, fingerprint),
    stripes: { above, keeps: true, name: `${workerId}/${incarnation}`, holders },
  });
  return { runner, sequences, geometry: text.geometry, links: text.links, stripeAbove: above };
}

function cardDtype({ dtype }: RoleContext["kv"]): Precision {
  const known = PRECISIONS.find((each) => each === dtype);
  assert(known !== undefined, "the settings of a card are a card's");
  return known;
}

/** Where the steps' rows find the experts that are not on their card, or not yet. */
function remoteOf(
  experts: LocalExperts | undefined,
  exchange: ExecutorOptions["exchange"],
  rowsRouted: ExecutorOptions["rowsRouted"],
): RemoteExperts {
  return {
    exchange,
    held: experts?.card?.tables,
    bytesLeft: experts?.card === undefined ? 0 : experts.bytesMax,
    rowsHere: (layer, expert, rowCount) => {
      rowsRouted(layer, expert, rowCount);
      experts?.countRows(layer, expert, rowCount);
    },
  };
}
