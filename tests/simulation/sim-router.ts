import type { PayloadStore, QueueProducer } from "@drover/core";
import { modelId, neverAborted, routerId, silentLogger, sleepUnlessAborted } from "@drover/core";
import { RemoteQueue } from "@drover/queue";
import { Admission, Deployment, routerSeries, type ServedModel, TenantUsage } from "@drover/router";
import { byteTokenizer, type SimNetwork, type SimProcess } from "@drover/testkit";
import { MODEL } from "./model.ts";
import { noMetrics } from "./no-metrics.ts";
import type { Seams } from "./seams.ts";
import { RedisLink, type RedisPlace, SimQueue } from "./sim-redis-link.ts";

export type SimRouterOptions = Readonly<{
  schedulers: readonly string[];
  address: string;
  seams: Seams;
  redis?: RedisPlace;
}>;

/** As the router does: how often deadlines and lost streams are looked for. */
const SWEEP_MS = 500;

/** One life of a router, behind its doors: a request comes in as a body that is parsed, and its answer as tokens. */
export class SimRouter {
  readonly process: SimProcess;
  readonly deployment: Deployment;
  readonly admission: Admission;
  readonly #address: string;

  constructor(network: SimNetwork, process: SimProcess, { schedulers, address, seams, redis }: SimRouterOptions) {
    this.process = process;
    this.#address = address;
    this.admission = new Admission({ requestsMax: 256, refusing: neverAborted, clock: process });
    const { queue: inner, trouble } =
      redis === undefined ? inScheduler(network, process, schedulers) : inRedis(network, process, redis);
    const queue = seams.producer?.(inner) ?? inner;
    const series = routerSeries(noMetrics);
    this.deployment = new Deployment(
      {
        model: servedModel(),
        queue,
        store: queue,
        queueInScheduler: redis === undefined,
        schedulers,
        queueTrouble: trouble,
      },
      {
        routerId: routerId(process.newId()),
        admission: this.admission,
        series,
        usage: new TenantUsage(series),
        clock: process,
        logger: silentLogger,
        tracer: undefined,
        refusing: neverAborted,
        onChange: () => this.deployment?.passWaiting(),
        network: network.of(process),
        newId: () => process.newId(),
      },
    );
  }

  async run(): Promise<void> {
    this.deployment.start(this.#address);
    for (;;) {
      this.deployment.sweep();
      this.deployment.passWaiting();
      await sleepUnlessAborted(this.process, SWEEP_MS, neverAborted);
    }
  }
}

type Adapter = Readonly<{ queue: QueueProducer & PayloadStore; trouble: () => string | null }>;

function inScheduler(network: SimNetwork, process: SimProcess, [scheduler = ""]: readonly string[]): Adapter {
  const client = network.of(process).dial(scheduler);
  return { queue: new RemoteQueue(() => client), trouble: () => null };
}

function inRedis(network: SimNetwork, process: SimProcess, place: RedisPlace): Adapter {
  const link = new RedisLink(network, process, place);
  const trouble = () => (link.isReady ? null : "the queue's Redis cannot be reached");
  return { queue: new SimQueue(link, process, place), trouble };
}

function servedModel(): ServedModel {
  const tokenizer = byteTokenizer();
  const noText = async () => Promise.reject(new Error("a simulated prompt is tokens"));
  return {
    modelId: modelId(MODEL.name),
    aliases: [],
    template: { templates: new Map(), variables: {} },
    config: { vocabSize: MODEL.vocabSize, maxPositionEmbeddings: 2000 },
    callStyle: "json",
    createdMs: 0,
    generation: {
      bosTokenId: undefined,
      eosTokenIds: [MODEL.eosTokenId],
      padTokenId: undefined,
      doSample: false,
      temperature: undefined,
      topP: undefined,
      topK: undefined,
      maxNewTokens: 50,
    },
    tokenizer,
    images: undefined,
    prompts: { encodeText: noText, encodeChat: noText, encodePacked: noText },
  };
}
