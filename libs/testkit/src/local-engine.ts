import { setImmediate as nextTurn } from "node:timers/promises";
import { loadModelConfig, type ModelConfig, openCheckpoint, type Quantization } from "@drover/checkpoint";
import {
  type ContextHolder,
  DroverError,
  type ExpertExchange,
  type FeatureSource,
  greedyParams,
  type HostKvDtype,
  neverAborted,
  noMasks,
  type RequestEvent,
  requestId,
  routerId,
  type StepRunner,
  silentLogger,
  systemClock,
} from "@drover/core";
import { Engine, type GenerationTask } from "@drover/engine";
import { DistributedExchange, LocalPeer } from "@drover/exchange";
import { type KvGeometry, kvGeometry, servedModelSeed } from "@drover/kv";
import { ExpertSessions, ExtentStore, openWeights, TextModel } from "@drover/onnx";
import { StoredSequences } from "@drover/sequences";

export type MeasuredStep = { rowCount: number; totalMs: number; computeMs: number; exchangeMs: number };

/** The whole engine in this process: attention and every expert, one thread, no transport. */
export type LocalEngine = Readonly<{
  engine: Engine;
  steps: MeasuredStep[];
  /** Everything that the engine has sent, in order. */
  events: RequestEvent[];
  preemptions: () => number;
  vocabSize: number;
  geometry: KvGeometry;
  sequences: StoredSequences;
}>;

/** What computes an engine's steps, and the KV of its sequences. */
type LocalExecutor = Readonly<{ runner: StepRunner; sequences: StoredSequences; geometry: KvGeometry }>;

export type LocalEngineOptions = Readonly<{
  prefillRowsMax: number;
  /** Of each session. Default 1. */
  threads?: number;
  /** Default: as much as a step may take. */
  stepMs?: number;
  kvBytesMax?: number;
  /** Default f32. */
  kvDtype?: HostKvDtype;
  /** Default true. */
  prefixCache?: boolean;
  quantization?: Quantization | null;
  /** Sequences that may have more rows than `above` keep old ones with these; with `keeps` they stay there for sequences to come. */
  stripes?: Readonly<{ above: number; keeps?: boolean; holders: () => readonly ContextHolder[] }>;
  /** Runs the model's stages as if experts were elsewhere. */
  remoteExperts?: boolean;
  features?: FeatureSource;
  /** Default: ONNX Runtime, as the other settings say. */
  executor?: LocalExecutor;
  /** Stands between the engine and its experts, to lose rows. */
  wrapExchange?: (exchange: ExpertExchange) => ExpertExchange;
}>;

const NO_FEATURES: FeatureSource = {
  features: () => Promise.reject(new DroverError("unavailable", "this engine reads no images")),
};

/** Loads a checkpoint whole. */
export async function openLocalEngine(directory: string, options: LocalEngineOptions): Promise<LocalEngine> {
  const config = await loadModelConfig(directory);
  const { runner, sequences, geometry } = options.executor ?? (await openExecutor(directory, config, options));
  const quiet = () => undefined;
  const steps: MeasuredStep[] = [];
  const events: RequestEvent[] = [];
  let preemptionCount = 0;
  const engine = new Engine({
    sequences,
    runner,
    geometry,
    features: options.features ?? NO_FEATURES,
    masks: noMasks,
    stepMs: options.stepMs ?? Number.POSITIVE_INFINITY,
    prefillRowsMax: options.prefillRowsMax,
    detachGraceMs: 1e9,
    clock: systemClock,
    observer: {
      stepEnded: (facts) => steps.push({ ...facts }),
      tokensComputed: quiet,
      prefixFound: quiet,
      preempted: () => (preemptionCount += 1),
      parked: quiet,
    },
    breathe: async () => undefined,
  });
  engine.attach(routerId("bench"), { send: (sent) => events.push(...sent), replaced: quiet }, []);
  const { vocabSize } = config;
  return { engine, steps, events, preemptions: () => preemptionCount, vocabSize, geometry, sequences };
}

async function openExecutor(
  directory: string,
  config: ModelConfig,
  options: LocalEngineOptions,
): Promise<LocalExecutor> {
  const quantization = options.quantization ?? null;
  await using checkpoint = await openCheckpoint(directory);
  const { weights } = await openWeights(checkpoint, config, quantization, silentLogger, neverAborted);
  const experts = new ExpertSessions(config, weights, { threads: options.threads ?? 1 });
  for (const layer of config.moeLayers) for (let e = 0; e < config.expertCount; e++) await experts.load(layer, e);
  const exchange = localExchange(config, experts);
  const kvDtype = options.kvDtype ?? "f32";
  const geometry = kvGeometry(config, kvDtype);
  const storage = new ExtentStore(geometry, { ...config, kvDtype });
  const sequences = new StoredSequences(geometry, storage, {
    cache: { bytesMax: options.kvBytesMax ?? 2 ** 31, prefixCache: options.prefixCache ?? true },
    hashSeed: servedModelSeed("", ""),
    stripes: options.stripes && { name: "local", ...options.stripes },
  });
  const runner = await TextModel.load(config, weights, {
    threads: options.threads ?? 1,
    remoteExperts: options.remoteExperts ?? false,
    storage,
    exchange: options.wrapExchange?.(exchange) ?? exchange,
  });
  return { runner, sequences, geometry };
}

/** An exchange whose only peer is this process. */
function localExchange(config: ModelConfig, experts: ExpertSessions): DistributedExchange {
  const peer = new LocalPeer("local", experts);
  const quiet = () => undefined;
  const observer = { rowsRouted: quiet, rowsMissing: quiet };
  const exchange = new DistributedExchange(
    config.hiddenSize,
    () => peer,
    observer,
    async () => undefined,
    systemClock,
  );
  const everyone = Array.from({ length: config.expertCount }, () => ["local"]);
  exchange.update({
    epoch: 1n,
    expertCount: config.expertCount,
    layers: new Map(config.moeLayers.map((layer) => [layer, everyone])),
  });
  return exchange;
}

/** Greedy, no end token, `maxTokens` tokens. */
export function greedyTask(id: string, promptTokenIds: ArrayLike<number>, maxTokens: number): GenerationTask {
  return {
    requestId: requestId(id),
    routerId: routerId("bench"),
    attempt: 1,
    promptTokenIds: Uint32Array.from(promptTokenIds),
    images: [],
    blockHashes: new Uint8Array(),
    delivered: [{ tokenIds: [], finished: false }],
    deadlineMs: Number.MAX_SAFE_INTEGER,
    params: greedyParams(maxTokens),
  };
}

/** Runs steps until nothing is left; one entry for each step. */
export async function drain(local: LocalEngine): Promise<MeasuredStep[]> {
  local.steps.length = 0;
  // Who waits for another process needs the loop to turn.
  while (local.engine.load().pendingTokenCount > 0) if (!(await local.engine.step())) await nextTurn();
  local.engine.flush();
  return [...local.steps];
}
