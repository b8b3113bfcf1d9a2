import { OutputLengths, StepCost } from "@drover/batching";
import {
  at,
  type DroverError,
  type ErrorCode,
  type GenerationEvent,
  type RequestId,
  type Resume,
  type RouterId,
  sleepUnlessAborted,
  Wakeup,
} from "@drover/core";
import { ActiveRequest } from "./active-request.ts";
import { longestContext, type Refusal, roomRefusal } from "./admission.ts";
import { Calibration } from "./calibration.ts";
import { Choice } from "./choice.ts";
import { EndedAttempts } from "./ended-attempts.ts";
import { engineLoad } from "./engine-load.ts";
import type { EngineLoad, EngineOptions } from "./engine-options.ts";
import { KvRoom } from "./kv-room.ts";
import { IDLE_MS, PARKED_PAUSE_MS } from "./limits.ts";
import { type EventSink, RouterOutbox } from "./router-outbox.ts";
import { stepCosts, waitingPromptMs } from "./step-costs.ts";
import { Stepper } from "./stepper.ts";
import type { GenerationTask } from "./task.ts";
import { Tombstones } from "./tombstones.ts";

/** One attention worker's requests and its decode loop: plan, run, sample, send. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #requests = new Map<RequestId, ActiveRequest>();
  /** In the order of their admission. */
  readonly #choices = new Set<Choice>();
  readonly #cost: StepCost;
  readonly #room: KvRoom;
  readonly #outputs = new OutputLengths();
  /** Until it is over, or a request comes. */
  #calibration: Calibration | undefined;
  readonly #tombstones = new Tombstones();
  readonly #ended = new EndedAttempts();
  readonly #outbox: RouterOutbox;
  readonly #stepper: Stepper;
  readonly #wakeup = new Wakeup();
  #nextChoiceId = 1;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#outbox = new RouterOutbox(options.clock);
    this.#cost = new StepCost(options.geometry.chunkRows, undefined, options.runner.expertsRead);
    this.#room = new KvRoom({ ...options, cost: this.#cost, outputs: this.#outputs });
    this.#stepper = new Stepper(
      { ...options, cost: this.#cost, room: this.#room },
      {
        send: (choice, event) => this.#send(choice.request, event),
        finished: (choice) => this.#finish(choice),
        unanswered: ({ request }) =>
          this.#fail(request, "unavailable", "an expert or a context worker did not answer in time", true),
      },
    );
    this.#calibration = new Calibration({ ...options, cost: this.#cost });
  }

  get stepCount(): number {
    return this.#stepper.stepCount;
  }

  /** What its steps cost was measured, as far as the start left time for it. */
  get calibrated(): boolean {
    return this.#calibration === undefined;
  }

  /** The longest sequence that this worker's KV could ever hold. */
  get contextTokensMax(): number {
    return longestContext(this.#options);
  }

  load(): EngineLoad {
    return engineLoad([...this.#choices], this.#options);
  }

  /** What its steps are predicted to take, and the prompts that wait: for placement. */
  costs(): ReturnType<typeof stepCosts> {
    return stepCosts(this.#cost, [...this.#choices], this.#options);
  }

  /** Milliseconds of prompt rows that each accepted prompt still needs, ascending. */
  waitingPromptMs(): number[] {
    return waitingPromptMs(this.#cost, [...this.#choices], this.#options.prefillRowsMax);
  }

  /** Takes a request over, or refuses it: it never fits, there is no room now, it was cancelled, or a newer attempt is here. */
  place(task: GenerationTask): Refusal | undefined {
    const refusal = this.#refusal(task);
    if (refusal !== undefined) return refusal;
    const old = this.#requests.get(task.requestId);
    if (old !== undefined) this.#forget(old);
    const request = new ActiveRequest(task, this.#nextChoiceId, this.stepCount);
    this.#requests.set(task.requestId, request);
    this.#send(request, { kind: "started", startIndices: task.delivered.map((d) => d.tokenIds.length) });
    for (const [index, { finished }] of task.delivered.entries()) {
      if (finished) continue;
      const choice = new Choice(this.#nextChoiceId++, request, index, this.stepCount);
      this.#choices.add(choice);
      this.#constrain(choice);
    }
    if (request.openChoiceCount === 0) this.#end(request, { kind: "done", cachedTokenCount: 0 });
    else if (request.features === undefined) void this.#fetchFeatures(request);
    this.#wakeup.wake();
    return undefined;
  }

  /** The router has features that are gone made again, so whatever went wrong may be tried once more. */
  async #fetchFeatures(request: ActiveRequest): Promise<void> {
    const fault = await request.fetchFeatures(this.#options);
    if (fault === undefined) this.#wakeup.wake();
    else if (!request.over.aborted) {
      this.#fail(request, fault.code, fault.message, true);
      this.flush();
    }
  }

  /** Begins a choice of a request with a grammar where its client has it, so that it keeps its grammar wherever it goes. */
  #constrain(choice: Choice): void {
    const { grammar, params, delivered } = choice.request.task;
    if (grammar === undefined || params.maxTokens === 0) return;
    const onFault = ({ code, message }: DroverError) => {
      this.#fail(choice.request, code, message, code !== "invalid_argument");
      this.flush();
    };
    const tokenIds = at(delivered, choice.index).tokenIds;
    const mask = { grammar, stopTokenIds: params.stopTokenIds, tokenIds, onFault, onReady: () => this.#wakeup.wake() };
    choice.constrain(this.#options.masks.open(mask));
  }

  #refusal(task: GenerationTask): Refusal | undefined {
    if (this.#tombstones.has(task.requestId, task.attempt))
      return { code: "cancelled", message: "the request was cancelled" };
    if (this.#requests.get(task.requestId)?.isInPlaceOf(task) === true)
      return { code: "cancelled", message: "an attempt of its own, or a newer one, is running" };
    return roomRefusal(task, [...this.#choices], this.#outputs, this.#options);
  }

  /** Ends every attempt up to this one and frees its KV: at once, or when the step that uses it is over. */
  cancel(id: RequestId, attempt: number): void {
    this.#tombstones.add(id, attempt);
    const request = this.#requests.get(id);
    if (request !== undefined && request.task.attempt <= attempt) this.#forget(request);
  }

  /** Requests go back to their routers, with what was sent of them: all, or those that no step has served. Returns how many. */
  handBack(which: "all" | "waiting"): number {
    const given = [...this.#requests.values()].filter(({ ended, begun }) => !ended && (which === "all" || !begun));
    for (const request of given) this.#fail(request, "unavailable", "the worker is ending", true, true);
    this.#outbox.flush();
    return given.length;
  }

  /** A router's stream stands: it gets what it missed, and from now on every step's events. */
  attach(router: RouterId, sink: EventSink, resumes: readonly Resume[]): void {
    this.#outbox.attach(router, sink);
    this.answer(router, resumes);
    const byId = new Map(resumes.map((resume) => [resume.requestId, resume]));
    for (const request of this.#requests.values()) {
      if (request.task.routerId !== router) continue;
      for (const event of request.since(byId.get(request.task.requestId))) this.#outbox.add(router, event);
      if (request.ended) this.#forgetLog(request);
    }
    this.#outbox.flush();
  }

  /** The router hears which of these attempts that it waits for are over here. Those that run tell of themselves, to the stream that is attached. */
  answer(router: RouterId, resumes: readonly Resume[]): void {
    for (const event of this.#ended.unheard(resumes, this.#requests)) this.#outbox.add(router, event);
    this.#outbox.flush();
  }

  detach(router: RouterId, sink: EventSink): void {
    this.#outbox.detach(router, sink);
  }

  /** Sends what the steps so far have produced. */
  flush(): void {
    this.#outbox.flush();
  }

  /** Runs steps until the signal aborts. That a request was taken is answered before its first step takes this thread: later, whoever placed it would read that while its router reads the step's tokens. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#sweep();
      if (this.#choices.size === 0 && !this.#stepper.isUnderWay) {
        this.#outbox.flush();
        if (!(await this.#calibrate())) await this.#wakeup.waitOutPeriod(IDLE_MS, this.#options.clock, signal);
        await this.#options.breathe();
        continue;
      }
      this.#endCalibration();
      const progressed = await (this.#options.runner.runsBeside === true ? this.#stepBeside() : this.#stepHere());
      if (!progressed) await sleepUnlessAborted(this.#options.clock, PARKED_PAUSE_MS, signal);
    }
    await this.#stepper.finish();
    this.#outbox.flush();
  }

  /** A step that takes this thread: what it has drawn is sent before the next one. */
  async #stepHere(): Promise<boolean> {
    await this.#options.masks.settle();
    const progressed = await this.step();
    this.#outbox.flush();
    if (progressed) await this.#options.breathe();
    return progressed;
  }

  /** A step that a device computes: what the last one has drawn is sent, and streams and timers run, once it was handed over. */
  async #stepBeside(): Promise<boolean> {
    const { masks, breathe } = this.#options;
    const settling = masks.settle();
    if (settling !== undefined) this.#outbox.flush();
    await settling;
    const progressed = await this.#stepper.step([...this.#choices], () => {
      this.#outbox.flush();
      return breathe();
    });
    if (!progressed) this.#outbox.flush();
    return progressed;
  }

  /** One more probe of the start's calibration, once experts answer. False when there is nothing to measure. */
  async #calibrate(): Promise<boolean> {
    if (this.#calibration === undefined || !this.#options.runner.usable) return false;
    if (!(await this.#calibration.next())) this.#endCalibration();
    return true;
  }

  #endCalibration(): void {
    this.#calibration?.end();
    this.#calibration = undefined;
  }

  /** One step. False when nothing was computed: every choice waits for room or for other workers. */
  step(): Promise<boolean> {
    return this.#stepper.step([...this.#choices], async () => undefined);
  }

  #finish(choice: Choice): void {
    this.#outputs.observe(choice.nextIndex);
    this.#drop(choice);
    const { request } = choice;
    request.openChoiceCount -= 1;
    // Cached rows are counted when its first choice gets KV, and every choice that is finished had some.
    if (request.openChoiceCount === 0) this.#end(request, { kind: "done", cachedTokenCount: request.cachedCount ?? 0 });
  }

  #fail(request: ActiveRequest, code: ErrorCode, message: string, retryable: boolean, handedBack = false): void {
    this.#dropChoices(request);
    this.#end(request, { kind: "failed", code, message, retryable, handedBack });
  }

  /** Sends a request's last event. Its log stays only where its router has no stream. */
  #end(request: ActiveRequest, event: GenerationEvent): void {
    this.#send(request, event);
    request.close();
    if (this.#outbox.isAttached(request.task.routerId)) this.#forgetLog(request);
  }

  #send(request: ActiveRequest, event: GenerationEvent): void {
    this.#outbox.add(request.task.routerId, request.emit(event));
  }

  #drop(choice: Choice): void {
    this.#stepper.release(choice);
    this.#choices.delete(choice);
  }

  #dropChoices(request: ActiveRequest): void {
    for (const choice of this.#choices) if (choice.request === request) this.#drop(choice);
  }

  #forget(request: ActiveRequest): void {
    request.close();
    this.#dropChoices(request);
    this.#forgetLog(request);
  }

  /** What was sent of it may be lost on its way, so that it was here is kept. */
  #forgetLog({ task }: ActiveRequest): void {
    if (this.#requests.delete(task.requestId)) this.#ended.add(task);
  }

  /** Ends what is past its deadline, and what belongs to routers that did not come back. */
  #sweep(): void {
    for (const router of this.#outbox.takeLost(this.#options.detachGraceMs))
      for (const request of this.#requests.values()) if (request.task.routerId === router) this.#forget(request);
    const now = this.#options.clock.now();
    for (const request of this.#requests.values())
      if (request.task.deadlineMs < now)
        this.#fail(request, "deadline_exceeded", "the request's deadline has passed", false);
    for (const choice of this.#room.hopeless(this.#choices))
      this.#fail(choice.request, "overloaded", "the workers' KV is full", true);
  }
}
