import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { checkModel, loadModelConfig, openCheckpoint } from "@drover/checkpoint";
import { DroverError, sleepUnlessAborted, systemClock } from "@drover/core";
import { Engine } from "@drover/engine";
import { DistributedExchange, LocalPeer } from "@drover/exchange";
import { kvGeometry, servedModelSeed } from "@drover/kv";
import { ExtentStore, openWeights, TextModel } from "@drover/onnx";
import type { StartedProcess } from "@drover/process";
import {
  AttentionWorker,
  ContextWorker,
  ExpertWorker,
  JoinHelloSchema,
  LayerExpertsSchema,
  VisionWorker,
  WorkerStatusSchema,
} from "@drover/proto";
import { ContextStreamHolder, createServer, ExpertStreamPeer, listen, serviceDefinition, shutDown } from "@drover/rpc";
import { StoredSequences } from "@drover/sequences";
import { type DrainingPart, drained } from "./drain.ts";
import { kvFacts, tellTokenBytes } from "./kv-facts.ts";
import { SchedulerLink } from "./link/scheduler-link.ts";
import { OperatorDrain } from "./operator-drain.ts";
import { unreadyReason } from "./readiness.ts";
import { attentionService } from "./roles/attention/attention-service.ts";
import { ContextPeers } from "./roles/attention/context-peers.ts";
import { ExpertHeat } from "./roles/attention/expert-heat.ts";
import { ExpertPeers } from "./roles/attention/expert-peers.ts";
import { RemoteFeatures } from "./roles/attention/feature-remote.ts";
import { MapFollower } from "./roles/attention/map-follower.ts";
import { predictedLoad } from "./roles/attention/worker-load.ts";
import { startContext, stripeAbove } from "./roles/context/context-role.ts";
import { ExpertLoader } from "./roles/experts/expert-loader.ts";
import { startExperts } from "./roles/experts/experts-role.ts";
import { startVision } from "./roles/vision/vision-role.ts";
import { hottestExperts, prefixCounts, WIRE_ROLE } from "./status-facts.ts";
import { workerMetrics } from "./worker-metrics.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** Once nothing is left to do, what was written last has so long to leave. */
const SHUTDOWN_MS_MAX = 1000;

/** Wires one worker: loads what its roles need, serves its peers, joins the scheduler, and runs until it is asked to end. */
export async function startWorker(options: WorkerOptions): Promise<StartedProcess> {
  const { logger, workerId, ending, metrics, resources } = options;
  const isAttention = options.roles.includes("attention");
  const isExperts = options.roles.includes("experts");
  const incarnation = randomUUID();
  const ready = Promise.withResolvers<void>();
  await checkModel(options.model);
  const config = await loadModelConfig(options.model);
  const checkpoint = resources.use(await openCheckpoint(options.model));
  const { weights, fingerprint } = await openWeights(checkpoint, config, options.quantization, logger, ending.asked);
  const session = { threads: options.threads };
  const observed = workerMetrics(metrics, options.modelName);
  const hasRole = metrics.gauge("drover_worker_role", "1 for each role of the worker", ["role"]);
  for (const role of options.roles) hasRole.set({ role }, 1);

  const stripesAbove = stripeAbove(config, options);
  const contextPeers = resources.use(
    new ContextPeers((id, address) => new ContextStreamHolder(id, address, systemClock, logger)),
  );
  const expertsRole = isExperts ? await startExperts(config, weights, options, metrics) : undefined;
  const experts = expertsRole?.sessions;
  const counted = expertsRole?.counted;
  const peers = resources.use(
    new ExpertPeers(
      (id, address) => new ExpertStreamPeer(id, address, systemClock, logger, observed.meter),
      counted && new LocalPeer(workerId, counted),
    ),
  );
  const heat = new ExpertHeat();
  const exchange = new DistributedExchange(config.hiddenSize, (id) => peers.get(id), {
    ...observed.routing,
    rowsRouted: (layer, expert, rowCount) => {
      observed.routing.rowsRouted(layer, expert, rowCount);
      heat.rowsRouted(layer, expert, rowCount);
    },
  });
  const geometry = kvGeometry(config, options.kvDtype);
  const storage = new ExtentStore(geometry, { ...config, kvDtype: options.kvDtype });
  const sequences = isAttention
    ? new StoredSequences(geometry, storage, {
        cache: { bytesMax: options.kvMemory, prefixCache: options.prefixCache === "on" },
        hashSeed: servedModelSeed(options.modelName, fingerprint),
        stripes: {
          above: stripesAbove,
          name: `${workerId}/${incarnation}`,
          holders: () => contextPeers.holders,
        },
      })
    : undefined;
  const model = isAttention
    ? await TextModel.load(config, weights, {
        ...session,
        remoteExperts: !isExperts,
        storage,
        exchange,
        onLayer: (done, total) => options.progress(`layer ${done} of ${total}`),
      })
    : undefined;
  if (isAttention) tellTokenBytes(metrics, options.modelName, geometry, options.kvDtype);
  const vision = options.roles.includes("vision")
    ? await startVision({
        checkpoint,
        modelName: options.modelName,
        cacheBytesMax: options.visionCache,
        threads: options.visionThreads,
        accepting: () => !ending.refusing.aborted,
        metrics,
        logger,
        tracer: options.tracer,
      })
    : undefined;
  if (vision !== undefined) resources.use(vision);
  const context = options.roles.includes("context") ? startContext(config, options, metrics) : undefined;
  if (context !== undefined) resources.use(context);
  let address = "";
  const features = resources.use(
    new RemoteFeatures({
      clock: systemClock,
      hiddenSize: config.hiddenSize,
      ...(vision && { local: { address: () => address, cache: vision.cache } }),
    }),
  );
  const engine =
    model === undefined || sequences === undefined
      ? undefined
      : new Engine({
          sequences,
          runner: model,
          geometry,
          features,
          stepMs: options.stepMs,
          prefillRowsMax: options.prefillChunk,
          detachGraceMs: options.detachGrace,
          clock: systemClock,
          observer: observed.engine,
          breathe: () => new Promise((done) => setImmediate(done)),
        });
  const load = () => ({
    ...(engine?.load() ?? { runningCount: 0, waitingCount: 0, pendingTokenCount: 0, tokenCountToStore: 0 }),
    kvBytesUsed: sequences?.kvBytesUsed ?? 0,
    kvBytesMax: sequences?.kvBytesMax ?? 0,
    kvUse: sequences?.kvUse,
    stripedCount: sequences?.stripedCount ?? 0,
    kvDtype: isAttention ? options.kvDtype : undefined,
  });
  if (isAttention) observed.watch(load);

  /** Aborts when nothing is left to do for anybody. */
  const ended = new AbortController();
  let leaderEpoch = 0n;
  const maps = new MapFollower({ peers, exchange, clock: systemClock });
  const operatorDrain = new OperatorDrain({
    logger,
    onChange: (wanted) => {
      // What it has not begun is served sooner elsewhere.
      if (wanted) engine?.handBack("waiting");
      else expertsRole?.release.forget();
      link.reportStatus();
    },
  });
  const draining = () => ending.asked.aborted || operatorDrain.wanted;
  const isUsable = () => engine === undefined || exchange.usable;
  const server = createServer();
  if (engine !== undefined) {
    const service = attentionService({
      engine,
      workerId,
      incarnation,
      modelId: options.modelName,
      vocabSize: config.vocabSize,
      leaderEpoch: () => leaderEpoch,
      accepting: () => !ending.refusing.aborted,
      ended: ended.signal,
      logger,
      tracer: options.tracer,
    });
    server.addService(serviceDefinition(AttentionWorker), service);
  }
  if (expertsRole !== undefined) server.addService(serviceDefinition(ExpertWorker), expertsRole.service);
  if (context !== undefined) server.addService(serviceDefinition(ContextWorker), context.service);
  if (vision !== undefined) server.addService(serviceDefinition(VisionWorker), vision.service);
  const port = await listen(server, `${options.listen}:${options.grpcPort}`);
  const loadedExperts = () => (experts?.loaded() ?? []).map((one) => create(LayerExpertsSchema, one));
  const facts = () => ({
    workerId,
    incarnation,
    roles: options.roles,
    draining: draining(),
    load: load(),
    experts: experts?.loaded() ?? [],
    vision: vision?.facts(),
    context: context?.facts(),
  });
  address = `${options.advertise}:${port}`;

  const link = resources.use(
    new SchedulerLink({
      clock: systemClock,
      addresses: options.scheduler,
      logger,
      hello: create(JoinHelloSchema, {
        workerId,
        incarnation,
        modelId: options.modelName,
        modelFingerprint: fingerprint,
        roles: options.roles.map((role) => WIRE_ROLE[role]),
        address,
        adminAddress: options.adminAddress,
        moeLayers: [...config.moeLayers],
        expertCount: config.expertCount,
        expertCountMax: expertsRole?.countMax ?? 0,
        chunkTokens: config.chunkSize,
        kvDtype: isAttention || context !== undefined ? options.kvDtype : "",
      }),
      status: () => {
        const now = load();
        return create(WorkerStatusSchema, {
          ready: isUsable(),
          draining: draining(),
          ...(sequences ? kvFacts(sequences, options.prefillChunk, stripesAbove) : context?.kvFacts()),
          prefix: prefixCounts(observed.prefix),
          runningCount: now.runningCount,
          waitingCount: now.waitingCount,
          waitingTokenCount: BigInt(now.tokenCountToStore),
          contextTokensMax: BigInt(engine?.contextTokensMax ?? 0),
          progress: BigInt(engine?.stepCount ?? 0),
          sentAtMs: BigInt(systemClock.now()),
          ...(engine && predictedLoad(engine)),
          expertRowCount: BigInt(counted?.rowCount ?? 0),
          hottest: hottestExperts(heat),
        });
      },
      ...(sequences && { cache: sequences.cache }),
      loaded: loadedExperts,
      onSetExperts: (wish) => loader?.set(wish),
      onMap: (map) => void maps.follow(map, ended.signal).then(reportWhenUsable),
      onSetDrain: (wanted) => operatorDrain.set(wanted),
      onDrainState: (state) => expertsRole?.release.note(state),
      onContextWorkers: (workers) => contextPeers.update(workers),
      onLeader: (epoch) => {
        if (epoch !== leaderEpoch) exchange.reset();
        leaderEpoch = epoch;
      },
    }),
  );
  const loader = experts === undefined ? undefined : new ExpertLoader(experts, () => link.reportLoaded(), logger);
  /** Connections come up a moment after the map: placement should know as soon as they do, not at the next heartbeat. */
  const reportWhenUsable = async () => {
    for (let tries = 0; tries < 100 && !exchange.usable && !ended.signal.aborted; tries++) {
      await sleepUnlessAborted(systemClock, 20, ended.signal);
    }
    link.reportStatus();
    if (exchange.usable) ready.resolve();
  };
  if (engine === undefined) ready.resolve();
  ending.asked.addEventListener("abort", () => link.reportStatus(), { once: true });
  const isDecoding = () => {
    const { runningCount, waitingCount } = load();
    return runningCount + waitingCount > 0;
  };
  const parts: DrainingPart[] = [
    { begin: () => engine?.handBack("waiting"), isBusy: isDecoding },
    { isBusy: () => (vision?.facts().waitingCount ?? 0) > 0 },
    { isBusy: () => expertsRole?.release.isNeeded(systemClock.monotonic(), link.leaderlessMs(0) === 0) ?? false },
    { isBusy: () => (context?.facts().segmentCount ?? 0) > 0 },
  ];
  const running = engine?.run(ended.signal);
  const finish = async () => {
    const finished = await Promise.race([drained(ending, parts, systemClock), ...(running ? [running] : [])]);
    const handedBack = engine?.handBack("all") ?? 0;
    logger.info("worker.drained", { finished: finished === true, handedBack });
    ended.abort(new DroverError("unavailable", "the worker has ended"));
    await running;
    loader?.[Symbol.dispose]();
    link.leave();
    await shutDown(server, SHUTDOWN_MS_MAX);
  };
  return {
    addresses: { grpc: address },
    ready: ready.promise,
    unready: () =>
      unreadyReason({
        drainWanted: operatorDrain.wanted,
        leaderlessMs: link.leaderlessMs(systemClock.monotonic()),
        attention: engine && { usable: exchange.usable, calibrated: engine.calibrated },
        experts: loader && { settled: loader.settled },
      }),
    finished: finish,
    routes: { "/debug/worker": facts },
  };
}
