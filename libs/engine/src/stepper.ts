import { planStep, type StepCost, TenantService } from "@drover/batching";
import { assert, at, DroverError, type GenerationEvent, type StepResult, sleepUnlessAborted } from "@drover/core";
import { advance } from "./advance.ts";
import type { Choice } from "./choice.ts";
import type { EngineOptions } from "./engine-options.ts";
import { followingRows, isNextRow } from "./following-step.ts";
import type { KvRoom } from "./kv-room.ts";
import { DECODE_ROWS_MAX, PARK_MS, UNSETTLED_MS_MAX } from "./limits.ts";
import type { PlannedStep } from "./planned-step.ts";
import { stepEntry } from "./step-entry.ts";
import { StepExecution, type StepUnderWay } from "./step-execution.ts";
import { traceStep } from "./step-trace.ts";

export type StepperOptions = Pick<
  EngineOptions,
  "sequences" | "runner" | "clock" | "observer" | "stepMs" | "prefillRowsMax"
> &
  Readonly<{ cost: StepCost; room: KvRoom }>;

/** What comes of a step, for whoever holds the requests. */
export interface StepSink {
  send(choice: Choice, event: GenerationEvent): void;
  /** Its last token is sent. */
  finished(choice: Choice): void;
  /** Other workers have not answered it for too long. */
  unanswered(choice: Choice): void;
}

/** A step that was handed over before the one before it was over. */
type FollowingStep = Readonly<{ plan: PlannedStep; underWay: StepUnderWay }>;

/** The decode loop's one step: chooses rows, has them computed, and hands on what comes of them. */
export class Stepper {
  readonly #options: StepperOptions;
  readonly #sink: StepSink;
  readonly #execution: StepExecution;
  readonly #service = new TenantService();
  #step = 0;
  #following: FollowingStep | undefined;

  constructor(options: StepperOptions, sink: StepSink) {
    this.#options = options;
    this.#sink = sink;
    this.#execution = new StepExecution(options);
  }

  /** Steps so far, with those in which there was nothing to compute. */
  get stepCount(): number {
    return this.#step;
  }

  /** Whether a step is under way: the next call waits for its end, whatever choices there are. */
  get isUnderWay(): boolean {
    return this.#following !== undefined;
  }

  /**
   * One step of these choices: the one that was handed over behind the last one, or one that is planned now. Where a device can, the next one is handed over before it is over. False when nothing
   * was computed: all of them wait for room or for other workers. `meanwhile`: what is done while it is computed, or one of them is waited for that may go on soon.
   */
  async step(choices: readonly Choice[], meanwhile: () => Promise<void>): Promise<boolean> {
    const { clock } = this.#options;
    const beganMs = clock.monotonic();
    const following = this.#following;
    this.#following = undefined;
    const plan = following?.plan ?? this.#plan(choices);
    if (plan === undefined) return this.#awaitOne(choices, meanwhile);
    using traced = traceStep(
      plan.rows.map(({ of }) => of),
      plan,
    );
    const step = { entries: plan.rows.map(({ entry }) => entry), traceCall: traced.call };
    const held = plan.rows.flatMap(({ of }) => of.sequence ?? []);
    const underWay = following?.underWay ?? this.#execution.submit(step, held);
    this.#following = this.#follow(plan, choices);
    return this.#settle(plan, beganMs, await this.#execution.end(underWay, meanwhile));
  }

  /** Waits for the step that is under way, and none follows it. */
  async finish(): Promise<void> {
    if (this.isUnderWay) await this.step([], () => Promise.resolve());
  }

  /** Frees a choice's KV: at once, or when the step that uses it is over. */
  release(choice: Choice): void {
    const sequence = choice.end();
    if (sequence !== undefined) this.#execution.close(sequence);
  }

  /** Chooses the step's rows and allocates them. Undefined where nobody can go on. */
  #plan(choices: readonly Choice[]): PlannedStep | undefined {
    const { room, cost, sequences, stepMs, prefillRowsMax } = this.#options;
    this.#step += 1;
    const runnable = room.runnable(choices);
    for (const choice of choices) if (choice.isMending) this.#park(choice);
    const budget = {
      step: this.#step,
      stepMs,
      prefillRowsMax,
      decodeRowsMax: DECODE_ROWS_MAX,
      service: this.#service,
    };
    const open = runnable.filter(({ isEnded }) => !isEnded);
    const reserved = room.reserve(planStep(open, cost, budget), choices);
    // One that was opened now may have to hear first what others still have of it. Nobody else waits for that.
    const rows = reserved.filter(({ of: { active } }) => active !== undefined && sequences.isSettled(active));
    if (rows.length === 0) return undefined;
    for (const { of } of rows) of.serve(this.#step);
    return {
      rows: rows.map((planned) => ({ ...planned, entry: stepEntry(planned.of, planned.rowCount) })),
      rowCount: rows.reduce((sum, { rowCount }) => sum + rowCount, 0),
      decodeCount: rows.reduce((sum, { of, rowCount }) => sum + (of.isDecoding ? rowCount : 0), 0),
      predictedMs: cost.stepMs(rows),
      isFollowing: false,
    };
  }

  /** Waits, for a bounded time, until one of those may go on that only wait for what other workers say or take of them. False where there is none. */
  async #awaitOne(choices: readonly Choice[], meanwhile: () => Promise<void>): Promise<boolean> {
    const { sequences, clock } = this.#options;
    const active = choices.flatMap((choice) => choice.active ?? []);
    const waiting = active.filter((sequence) => !sequences.isSettled(sequence));
    if (waiting.length === 0) return false;
    const over = new AbortController();
    const patience = sleepUnlessAborted(clock, UNSETTLED_MS_MAX, over.signal);
    await Promise.all([Promise.race([sequences.settled(waiting), patience]), meanwhile()]);
    over.abort(new DroverError("cancelled", "a sequence may go on"));
    return true;
  }

  /** Hands over the step behind one that is computed, where its rows are known but for their tokens. */
  #follow(plan: PlannedStep, choices: readonly Choice[]): FollowingStep | undefined {
    const { runner, sequences, cost } = this.#options;
    if (runner.follow === undefined) return undefined;
    const next = followingRows(plan, choices, sequences);
    if (next === undefined) return undefined;
    const step = { entries: next.rows.map(({ entry }) => entry), traceCall: undefined };
    const held = step.entries.map(({ sequence }) => sequence);
    const underWay = this.#execution.follow(step, next.of, held);
    if (underWay === undefined) return undefined;
    this.#step += 1;
    for (const { of } of next.rows) of.serve(this.#step);
    const { rows } = next;
    const counts = { rowCount: rows.length, decodeCount: rows.length, predictedMs: cost.stepMs(rows) };
    return { plan: { rows, ...counts, isFollowing: true }, underWay };
  }

  /** Hands on what was computed, and learns from how long it took. True when anything was. */
  #settle(plan: PlannedStep, beganMs: number, { entries, times }: StepResult): boolean {
    const { clock, cost, sequences, observer } = this.#options;
    let parkedCount = 0;
    const waitedMs: number[] = [];
    for (const [i, rows] of plan.rows.entries()) {
      const { of: choice, entry } = rows;
      const result = entries[i];
      assert(result !== undefined, "every entry of a step has a result");
      if (result.kind === "parked") parkedCount += 1;
      // A request that was cancelled while the step ran, or ended with the token before, has let go of its sequence: its rows are dropped.
      if (choice.active !== entry.sequence || (plan.isFollowing && !isNextRow(rows))) continue;
      const tokenIds = plan.isFollowing ? Int32Array.of(at(choice.tokens, rows.position)) : entry.tokenIds;
      const send = (event: GenerationEvent) => this.#sink.send(choice, event);
      const { parkedSinceMs } = choice;
      if (result.kind !== "parked" && parkedSinceMs !== undefined) waitedMs.push(clock.monotonic() - parkedSinceMs);
      if (result.kind === "parked") this.#park(choice);
      else if (advance(choice, tokenIds, result, { sequences, observer, send })) this.#sink.finished(choice);
    }
    if (waitedMs.length > 0) observer.unparked?.(waitedMs.length, Math.max(...waitedMs));
    const measuredMs = clock.monotonic() - beganMs;
    // What was parked was not computed, and waiting for it says nothing of the others.
    if (parkedCount === 0) {
      cost.observe(plan.rows, measuredMs);
      this.#service.observe(plan.rows, cost, measuredMs);
    }
    const { rowCount, decodeCount, predictedMs } = plan;
    observer.stepEnded({ rowCount, decodeCount, ...times, predictedMs, measuredMs });
    return parkedCount < plan.rows.length;
  }

  #park(choice: Choice): void {
    const { clock, observer } = this.#options;
    observer.parked(1);
    if (choice.park(clock.monotonic()) >= PARK_MS) this.#sink.unanswered(choice);
  }
}
