import { LocalPeer } from "@drover/exchange";
import type { ExpertSet, WorkerStatus } from "@drover/fleet";
import { expertService, type RpcService, sharedExpertService } from "@drover/rpc";
import type { WorkerOrder } from "@drover/wire";
import type { Role, RoleIntroduction } from "../../role.ts";
import type { RoleContext } from "../../role-context.ts";
import type { UnfinishedWork } from "../../unfinished-work.ts";
import type { LocalExperts } from "../attention/executor.ts";
import { CountedExperts, type HeldExperts } from "./counted-experts.ts";
import { ExpertLoader, type ExpertStore } from "./expert-loader.ts";
import { ExpertRelease } from "./expert-release.ts";
import { type OpenedExperts, openExperts } from "./open-experts.ts";
import { UnansweredExperts } from "./whole-experts.ts";

/** Starts the role `experts`, which holds nothing until the scheduler says what. Errors: the checkpoint's, and the card's. */
export async function startExperts(context: RoleContext): Promise<ExpertsRole> {
  return new ExpertsRole(context, await openExperts(context));
}

/** Holds the routed experts that the scheduler's map gives this worker, and answers for them. */
export class ExpertsRole implements Role {
  readonly name = "experts";
  readonly ready = Promise.resolve();
  readonly introduction: RoleIntroduction;
  readonly services: readonly RpcService[];
  readonly unfinished: UnfinishedWork;
  /** The same experts, for steps of the same worker. */
  readonly local: LocalExperts;
  readonly #store: ExpertStore & HeldExperts;
  readonly #ended: AbortSignal;
  readonly #counted: CountedExperts;
  readonly #loader: ExpertLoader;
  readonly #release = new ExpertRelease();

  constructor(context: RoleContext, opened: OpenedExperts) {
    const { options, link, clock, ended } = context;
    const { store, countMax, card, bytesMax, areWhole } = opened;
    const { workerId, metrics, tracer, logger } = options;
    const release = this.#release;
    this.#ended = ended;
    this.#store = store;
    this.#counted = new CountedExperts(this.#store, metrics);
    this.#loader = new ExpertLoader(this.#store, () => link.reportLoaded(), clock, logger);
    const countRows = this.#counted.countRows.bind(this.#counted);
    this.local = { peer: new LocalPeer(workerId, this.#counted), areWhole, card, bytesMax, countRows };
    this.introduction = { expertCountMax: countMax };
    const streams = {
      streamOpened: () => release.streamOpened(),
      streamClosed: () => release.streamClosed(clock.monotonic()),
    };
    const asked = areWhole ? new UnansweredExperts(store.hiddenSize) : this.#counted;
    const memory = () => context.network.memory?.();
    this.services = [
      expertService(asked, streams, tracer),
      ...(areWhole ? [] : [sharedExpertService(asked, memory, tracer, card?.answers(countRows))]),
    ];
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

  /** Its services answer; there is no loop. Rejects when its card has failed. */
  async run(): Promise<void> {
    const { card } = this.local;
    if (card === undefined || this.#ended.aborted) return;
    const ended = new Promise<void>((resolve) =>
      this.#ended.addEventListener("abort", () => resolve(), { once: true }),
    );
    await Promise.race([card.failed, ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#loader[Symbol.dispose]();
  }
}
