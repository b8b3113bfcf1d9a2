import { DroverError } from "@drover/core";
import { LocalPeer } from "@drover/exchange";
import type { ExpertSet, WorkerStatus } from "@drover/fleet";
import { ExpertSessions } from "@drover/onnx";
import { expertService, type RpcService } from "@drover/rpc";
import type { WorkerOrder } from "@drover/wire";
import type { Role, RoleIntroduction } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import { CountedExperts, type HeldExperts } from "./counted-experts.ts";
import { ExpertLoader, type ExpertStore } from "./expert-loader.ts";
import { expertCountMax } from "./expert-memory.ts";
import { ExpertRelease } from "./expert-release.ts";
import { WholeExperts } from "./whole-experts.ts";

/** Starts the role `experts`, which holds nothing until the scheduler says what. Errors: the checkpoint's. */
export async function startExperts(context: RoleContext): Promise<ExpertsRole> {
  const { device, model, options } = context;
  const { config, weights } = model;
  if (device.kind === "cuda" && !options.roles.includes("attention")) {
    const message = "--roles: on a card the role experts goes with the role attention (up --expert-workers 0)";
    throw new DroverError("invalid_argument", message, { field: "roles" });
  }
  return new ExpertsRole(
    context,
    await expertCountMax(config, weights, device.kind === "cuda" ? undefined : options.expertMemory),
  );
}

/** Holds the routed experts that the scheduler's map gives this worker, and answers for them. */
export class ExpertsRole implements Role {
  readonly name = "experts";
  readonly ready = Promise.resolve();
  readonly introduction: RoleIntroduction;
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  /** The same experts, for a role of this process that asks for their answers. */
  readonly peer: LocalPeer;
  readonly #store: ExpertStore & HeldExperts;
  readonly #counted: CountedExperts;
  readonly #loader: ExpertLoader;
  readonly #release = new ExpertRelease();

  /** `countMax`: experts of all layers that there is memory for; 0: no limit. */
  constructor({ options, model, device, link, clock }: RoleContext, countMax: number) {
    const { workerId, metrics, tracer, logger, threads } = options;
    const release = this.#release;
    this.#store =
      device.kind === "cuda"
        ? new WholeExperts(model.config.hiddenSize)
        : new ExpertSessions(model.config, model.weights, { threads });
    this.#counted = new CountedExperts(this.#store, metrics);
    this.#loader = new ExpertLoader(this.#store, () => link.reportLoaded(), logger);
    this.peer = new LocalPeer(workerId, this.#counted);
    this.introduction = { expertCountMax: countMax };
    const streams = {
      streamOpened: () => release.streamOpened(),
      streamClosed: () => release.streamClosed(clock.monotonic()),
    };
    this.services = [expertService(this.#counted, streams, tracer)];
    this.unfinished = { isBusy: () => release.isNeeded(clock.monotonic(), link.isJoined) };
  }

  status(): Partial<WorkerStatus> {
    return { expertRowCount: this.#counted.rowCount };
  }

  facts() {
    return { experts: this.#store.loaded() };
  }

  loaded(): ExpertSet {
    return new Map(this.#store.loaded().map(({ layer, experts }) => [layer, new Set(experts)]));
  }

  unready(): string | null {
    const { settled } = this.#loader;
    if (settled === undefined) return "no expert map has been made yet";
    return settled ? null : "the experts that the map assigns are being loaded";
  }

  obey(order: WorkerOrder): void {
    if (order.kind === "set_experts") this.#loader.set(order.experts);
    else if (order.kind === "drain_state") this.#release.note(order.state);
    // What was said of its drain is over with it.
    else if (order.kind === "set_drain" && !order.wanted) this.#release.forget();
  }

  async run(): Promise<void> {
    // Its services answer; there is no loop.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#loader[Symbol.dispose]();
  }
}
