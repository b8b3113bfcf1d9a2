import { setImmediate as nextTurn } from "node:timers/promises";
import type { RowLinks } from "@drover/core";
import { Engine } from "@drover/engine";
import { DistributedExchange } from "@drover/exchange";
import type { WorkerStatus } from "@drover/fleet";
import { GrammarMasks } from "@drover/masks";
import { ContextStreamHolder, ExpertStreamPeer } from "@drover/rpc";
import type { RoleContext } from "../../role-context.ts";
import type { FeatureCache } from "../vision/feature-cache.ts";
import { tellTokenBytes } from "./attention-load.ts";
import { ContextPeers } from "./context-peers.ts";
import { type EngineMetrics, engineMetrics } from "./engine-metrics.ts";
import { exchangeMetrics, watchSlowness } from "./exchange-metrics.ts";
import type { Executor, ExecutorOptions, LocalExperts } from "./executor.ts";
import { ExpertHeat } from "./expert-heat.ts";
import { ExpertPeers } from "./expert-peers.ts";
import { RemoteFeatures } from "./feature-remote.ts";
import { MapFollower } from "./map-follower.ts";
import { openExecutor } from "./open-executor.ts";

/** What other roles of the same process do for it without a network. */
export type LocalParts = Readonly<{ experts: LocalExperts | undefined; features: FeatureCache | undefined }>;

/** What the role attention is made of. */
export type AttentionParts = Disposable &
  Readonly<{
    executor: Executor;
    engine: Engine;
    exchange: DistributedExchange;
    maps: MapFollower;
    contextPeers: ContextPeers;
    heat: ExpertHeat;
    /** Prompt tokens that requests have brought, and found cached. */
    counts: EngineMetrics["counts"];
    /** Frames of rows to other workers' experts. */
    sent: () => WorkerStatus["frames"];
    /** A sequence that may get longer has its old rows with context workers. */
    stripeAbove: number;
  }>;

/** Makes what computes steps, given where experts' rows go: loads the model's text weights. Errors: the checkpoint's. */
type OpenExecutor = (context: RoleContext, options: ExecutorOptions) => Promise<Executor>;

/** Makes the role's parts around its executor, which is the device's unless given. Errors: the checkpoint's. */
export async function attentionParts(
  context: RoleContext,
  local: LocalParts,
  open: OpenExecutor = openExecutor,
): Promise<AttentionParts> {
  const { options, model, clock, network } = context;
  const { metrics, modelName, logger } = options;
  const { hiddenSize, vocabSize } = model.config;
  using held = new DisposableStack();
  const contextPeers = held.use(
    new ContextPeers((id, address) => new ContextStreamHolder(id, address, clock, logger, network)),
  );
  const heat = new ExpertHeat();
  const { routing, meter, sent } = exchangeMetrics(metrics, modelName, heat);
  // Peers are called before there is a device that speaks with theirs.
  const links = Promise.withResolvers<RowLinks | undefined>();
  const peers = held.use(
    new ExpertPeers(
      (id, address) => new ExpertStreamPeer(id, address, clock, logger, meter, network, links.promise),
      local.experts?.peer,
    ),
  );
  const exchange = new DistributedExchange(hiddenSize, (id) => peers.get(id), routing, nextTurn, clock);
  watchSlowness(metrics, modelName, () => exchange.pacesOfPeers());
  const executor = await open(context, {
    exchange,
    experts: local.experts,
    rowsRouted: routing.rowsRouted,
    direct: {
      map: () => exchange.map,
      rowsAway: routing.rowsRouted,
      sent: (workerId, callCount) => meter.sent?.(workerId, "card_memory", callCount),
    },
    holders: () => contextPeers.holders,
  });
  const { runner, sequences, geometry, stripeAbove } = executor;
  links.resolve(executor.links);
  tellTokenBytes(metrics, modelName, geometry, context.kv.dtype);
  const features = held.use(
    new RemoteFeatures({ clock, hiddenSize, ...(local.features && { local: local.features }) }),
  );
  const { observer, counts } = engineMetrics(metrics, modelName, logger);
  const engine = new Engine({
    runner,
    sequences,
    geometry,
    features,
    masks: options.resources.use(new GrammarMasks({ modelDirectory: options.model, vocabSize })),
    stepMs: options.stepMs,
    prefillRowsMax: options.prefillChunk,
    detachGraceMs: options.detachGrace,
    clock,
    observer,
    breathe: () => new Promise((done) => setImmediate(done)),
  });
  const maps = new MapFollower({ peers, exchange, clock });
  const kept = held.move();
  const release = () => kept.dispose();
  return { executor, engine, exchange, maps, contextPeers, heat, counts, sent, stripeAbove, [Symbol.dispose]: release };
}
