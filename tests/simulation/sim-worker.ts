import type { ModelConfig } from "@drover/checkpoint";
import { noTracer, silentLogger, type WorkerRole } from "@drover/core";
import { servedModelSeed } from "@drover/kv";
import { EndingSequence } from "@drover/process";
import { StoredSequences } from "@drover/sequences";
import { type SimNetwork, type SimProcess, SimServer } from "@drover/testkit";
import {
  type AttentionParts,
  AttentionRole,
  attentionParts,
  ExpertsRole,
  joinedWorker,
  joinOverGrpc,
  type Role,
  type RoleContext,
  SchedulerLink,
  type Worker,
} from "@drover/worker";
import { GEOMETRY, MODEL } from "./model.ts";
import { noMetrics } from "./no-metrics.ts";
import type { Seams } from "./seams.ts";
import { SimExperts } from "./sim-experts.ts";
import { SimRunner } from "./sim-runner.ts";
import { SimStorage } from "./sim-storage.ts";

export type SimWorkerOptions = Readonly<{
  roles: readonly WorkerRole[];
  schedulers: readonly string[];
  address: string;
  kvBytesMax: number;
  /** How many times as long as usual its steps take. */
  slowness: () => number;
  seams: Seams;
}>;

/** One life of a worker: real in all but its model, its card and its network. */
export class SimWorker {
  readonly process: SimProcess;
  readonly server: SimServer;
  /** Undefined without the role attention. */
  readonly parts: AttentionParts | undefined;
  readonly storage: SimStorage | undefined;
  readonly #worker: Worker;
  readonly #ending: EndingSequence;
  readonly #link: SchedulerLink;

  private constructor(made: Readonly<Made>) {
    this.process = made.process;
    this.server = made.server;
    this.parts = made.parts;
    this.storage = made.storage;
    this.#worker = made.worker;
    this.#ending = made.ending;
    this.#link = made.link;
  }

  static async start(network: SimNetwork, process: SimProcess, options: SimWorkerOptions): Promise<SimWorker> {
    const { seams, schedulers, roles: wanted, address } = options;
    const over = network.of(process);
    const ended = new AbortController();
    const ending = new EndingSequence({ drainDelay: 200, drainGrace: 3000, clock: process });
    const join = joinOverGrpc(over);
    const link = new SchedulerLink({
      addresses: schedulers,
      open: seams.join?.(join, process) ?? join,
      clock: process,
      logger: silentLogger,
      chance: () => process.chance(),
    });
    const context = contextOf(process, options, { over, ending, link, ended: ended.signal });
    const roles: Role[] = [];
    if (wanted.includes("experts")) roles.push(expertsRole(context, process));
    const storage = wanted.includes("attention") ? new SimStorage() : undefined;
    const parts = storage && (await partsOf(context, roles, storage, options));
    if (parts !== undefined) roles.push(new AttentionRole(context, parts));
    const server = new SimServer(network, process, address);
    for (const role of roles)
      for (const service of role.services) server.server.addService(...(seams.service?.(service, process) ?? service));
    const worker = joinedWorker({ context, roles, link, address, ended });
    return new SimWorker({ process, server, parts, storage, worker, ending, link });
  }

  /** Works until it has ended in order. */
  async run(): Promise<void> {
    await this.#worker.run();
    this.server.shutDown();
    this.#link[Symbol.dispose]();
  }

  /** It is asked to end, as by SIGTERM. */
  stop(): void {
    void this.#ending.ask();
  }
}

type Made = {
  process: SimProcess;
  server: SimServer;
  parts: AttentionParts | undefined;
  storage: SimStorage | undefined;
  worker: Worker;
  ending: EndingSequence;
  link: SchedulerLink;
};

type Around = Readonly<{
  over: RoleContext["network"];
  ending: EndingSequence;
  link: SchedulerLink;
  ended: AbortSignal;
}>;

function contextOf(
  process: SimProcess,
  { roles, schedulers, address, kvBytesMax }: SimWorkerOptions,
  { over, ending, link, ended }: Around,
): RoleContext {
  const config: Partial<ModelConfig> = { ...MODEL };
  const options = {
    roles,
    model: "nowhere",
    modelName: MODEL.name,
    scheduler: schedulers,
    workerId: process.name,
    advertise: address,
    adminAddress: address,
    prefixCache: "on",
    prefillChunk: 48,
    stepMs: 20,
    quantization: null,
    detachGrace: 8000,
    ending,
    progress: () => undefined,
    metrics: noMetrics,
    resources: new AsyncDisposableStack(),
    logger: silentLogger,
    tracer: noTracer,
  } as unknown as RoleContext["options"];
  return {
    options,
    incarnation: process.newId(),
    // No checkpoint is read: the executor and the experts are the test's.
    model: { config, fingerprint: MODEL.fingerprint } as unknown as RoleContext["model"],
    device: { kind: "cpu" },
    kv: { dtype: "f32", bytesMax: kvBytesMax },
    link,
    ended,
    clock: process,
    network: over,
  };
}

function expertsRole(context: RoleContext, process: SimProcess): ExpertsRole {
  const store = new SimExperts(process);
  return new ExpertsRole(context, { store, countMax: 0, card: undefined, bytesMax: 0, areWhole: false });
}

async function partsOf(
  context: RoleContext,
  before: readonly Role[],
  storage: SimStorage,
  { seams, slowness, kvBytesMax }: SimWorkerOptions,
): Promise<AttentionParts> {
  const experts = before.find((role) => role instanceof ExpertsRole)?.local;
  return attentionParts(context, { experts, features: undefined }, async (_context, { exchange, holders }) => {
    const sequences = new StoredSequences(GEOMETRY, storage, {
      cache: { bytesMax: kvBytesMax, prefixCache: true },
      hashSeed: servedModelSeed(MODEL.name, MODEL.fingerprint),
      stripes: { above: Number.POSITIVE_INFINITY, name: context.incarnation, holders },
    });
    const asked = seams.exchange?.(exchange) ?? exchange;
    const runner = new SimRunner({ storage, exchange: asked, clock: context.clock, slowness });
    return {
      runner: seams.runner?.(runner) ?? runner,
      sequences: seams.sequences?.(sequences) ?? sequences,
      geometry: GEOMETRY,
      stripeAbove: Number.POSITIVE_INFINITY,
    };
  });
}
