import { assertNever, sleepUnlessAborted } from "@drover/core";
import type { ExpertMap, ExpertRows, WorkerStatus } from "@drover/fleet";
import type { RpcService } from "@drover/rpc";
import type { WorkerOrder } from "@drover/wire";
import { HOT_EXPERTS_MAX, MAP_USABLE_MS_MAX, MAP_USABLE_POLL_MS } from "../../limits.ts";
import type { ReportedCache } from "../../link/cache-report.ts";
import type { Role, RoleIntroduction } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import { ExpertsRole } from "../experts/experts-role.ts";
import { VisionRole } from "../vision/vision-role.ts";
import { type AttentionLoad, watchLoad } from "./attention-load.ts";
import { type AttentionParts, attentionParts } from "./attention-parts.ts";
import { attentionService } from "./attention-service.ts";
import { kvFacts } from "./kv-facts.ts";
import { predictedLoad } from "./predicted-load.ts";
import { slowPeers } from "./slow-peers.ts";

/** Starts the role `attention`: loads the text weights. What experts and images' features the same worker has, it uses directly. */
export async function startAttention(context: RoleContext, before: readonly Role[]): Promise<AttentionRole> {
  const experts = before.find((role) => role instanceof ExpertsRole)?.local;
  const features = before.find((role) => role instanceof VisionRole)?.features;
  return new AttentionRole(context, await attentionParts(context, { experts, features }));
}

/** Decodes: takes requests from the scheduler, computes all of the model but the routed experts, and streams tokens to the routers. */
export class AttentionRole implements Role {
  readonly name = "attention";
  readonly introduction: RoleIntroduction;
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  readonly cache: ReportedCache;
  readonly #context: RoleContext;
  readonly #parts: AttentionParts;
  readonly #usable = Promise.withResolvers<void>();
  #leaderEpoch = 0n;

  constructor(context: RoleContext, parts: AttentionParts) {
    const { options, incarnation, model, kv, ended } = context;
    const { workerId, modelName, ending, metrics, logger, tracer } = options;
    const { engine, executor } = parts;
    this.#context = context;
    this.#parts = parts;
    this.introduction = { kvDtype: kv.dtype };
    this.cache = executor.sequences;
    const service = attentionService({
      engine,
      workerId,
      incarnation,
      modelId: modelName,
      vocabSize: model.config.vocabSize,
      leaderEpoch: () => this.#leaderEpoch,
      accepting: () => !ending.refusing.aborted,
      onPlaced: () => context.link.noteNews(),
      ended,
      logger,
      tracer,
    });
    this.services = [service];
    this.unfinished = {
      begin: () => void engine.handBack("waiting"),
      isBusy: () => this.#load().runningCount + this.#load().waitingCount > 0,
      handBack: () => engine.handBack("all"),
    };
    watchLoad(metrics, modelName, () => this.#load());
  }

  get ready(): Promise<void> {
    return this.#usable.promise;
  }

  status(): Partial<WorkerStatus> {
    const { engine, executor, exchange, heat, counts, sent, stripeAbove } = this.#parts;
    const { runningCount, waitingCount, tokenCountToStore } = engine.load();
    return {
      ready: executor.runner.usable,
      ...kvFacts(executor.sequences, this.#context.options.prefillChunk, stripeAbove),
      runningCount,
      waitingCount,
      waitingTokenCount: tokenCountToStore,
      contextTokensMax: engine.contextTokensMax,
      progress: engine.stepCount,
      ...predictedLoad(engine),
      ...counts(),
      frames: sent(),
      hottest: heat.hottest(HOT_EXPERTS_MAX),
      slowPeers: slowPeers(exchange),
    };
  }

  expertRows(): ExpertRows {
    return this.#parts.heat.rows();
  }

  facts() {
    return { load: this.#load() };
  }

  unready(): string | null {
    const { engine, executor } = this.#parts;
    if (!executor.runner.usable) return "not every expert has a holder that can be reached";
    return engine.calibrated ? null : "its steps are being measured";
  }

  obey(order: WorkerOrder): void {
    const { engine, exchange, contextPeers, executor } = this.#parts;
    switch (order.kind) {
      case "accepted":
        // A new leader's epochs may start anew.
        if (order.leaderEpoch !== this.#leaderEpoch) exchange.reset();
        this.#leaderEpoch = order.leaderEpoch;
        return;
      case "expert_map":
        void this.#follow(order.map);
        return;
      case "context_workers":
        contextPeers.update(order.workers);
        executor.sequences.holdersChanged();
        return;
      case "set_drain":
        // What it has not begun is served sooner elsewhere.
        if (order.wanted) engine.handBack("waiting");
        return;
      case "set_experts":
      case "send_cache":
      case "drain_state":
        return;
      default:
        assertNever(order);
    }
  }

  async run(): Promise<void> {
    await this.#parts.engine.run(this.#context.ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts[Symbol.dispose]();
  }

  #load(): AttentionLoad {
    const { engine, executor } = this.#parts;
    const { kvBytesUsed, kvBytesMax, kvUse, stripedCount } = executor.sequences;
    const { dtype: kvDtype } = this.#context.kv;
    return { ...engine.load(), kvBytesUsed, kvBytesMax, kvUse, stripedCount, kvDtype };
  }

  /** Connections come up a moment after the map: placement should know as soon as they do, not at the next heartbeat. */
  async #follow(map: ExpertMap): Promise<void> {
    const { clock, ended, link } = this.#context;
    const { maps, executor } = this.#parts;
    const { runner } = executor;
    await maps.follow(map, ended);
    const untilMs = clock.monotonic() + MAP_USABLE_MS_MAX;
    while (!runner.usable && !ended.aborted && clock.monotonic() < untilMs)
      await sleepUnlessAborted(clock, MAP_USABLE_POLL_MS, ended);
    link.reportStatus();
    if (runner.usable) this.#usable.resolve();
  }
}
