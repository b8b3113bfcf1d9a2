import { type PlannedRows, planStep, type StepCost, TenantService } from "@drover/batching";
import { assert, type GenerationEvent, type StepEntry, type StepResult } from "@drover/core";
import { advance } from "./advance.ts";
import type { Choice } from "./choice.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { KvRoom } from "./kv-room.ts";
import { DECODE_ROWS_MAX, PARK_MS } from "./limits.ts";
import { stepEntry } from "./step-entry.ts";
import { StepExecution } from "./step-execution.ts";
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

/** Rows of a choice as a step computes them. */
type StepRows = PlannedRows<Choice> & Readonly<{ entry: StepEntry }>;

/** A step as it was planned: its rows are allocated. */
type PlannedStep = Readonly<{
  rows: readonly StepRows[];
  rowCount: number;
  /** Of them, those of choices that decode. */
  decodeCount: number;
  beganMs: number;
  predictedMs: number;
}>;

/** The decode loop's one step: chooses rows, has them computed, and hands on what comes of them. */
export class Stepper {
  readonly #options: StepperOptions;
  readonly #sink: StepSink;
  readonly #execution: StepExecution;
  readonly #service = new TenantService();
  #step = 0;

  constructor(options: StepperOptions, sink: StepSink) {
    this.#options = options;
    this.#sink = sink;
    this.#execution = new StepExecution(options);
  }

  /** Steps so far, with those in which there was nothing to compute. */
  get stepCount(): number {
    return this.#step;
  }

  /**
   * One step of these choices. False when nothing was computed: all of them wait for room or for other workers. `meanwhile`: what is done while it is computed, where
   * there is a step.
   */
  async step(choices: readonly Choice[], meanwhile: () => Promise<void>): Promise<boolean> {
    const plan = this.#plan(choices);
    if (plan === undefined) return false;
    return this.#settle(plan, await this.#run(plan, meanwhile));
  }

  /** Frees a choice's KV: at once, or when the step that uses it is over. */
  release(choice: Choice): void {
    const sequence = choice.end();
    if (sequence !== undefined) this.#execution.close(sequence);
  }

  /** Chooses the step's rows and allocates them. Undefined where nobody can go on. */
  #plan(choices: readonly Choice[]): PlannedStep | undefined {
    const { clock, room, cost, stepMs, prefillRowsMax } = this.#options;
    const beganMs = clock.monotonic();
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
    const rows = room.reserve(planStep(open, cost, budget), choices);
    if (rows.length === 0) return undefined;
    for (const { of } of rows) of.serve(this.#step);
    return {
      rows: rows.map((planned) => ({ ...planned, entry: stepEntry(planned.of, planned.rowCount) })),
      rowCount: rows.reduce((sum, { rowCount }) => sum + rowCount, 0),
      decodeCount: rows.reduce((sum, { of, rowCount }) => sum + (of.isDecoding ? rowCount : 0), 0),
      beganMs,
      predictedMs: cost.stepMs(rows),
    };
  }

  async #run(plan: PlannedStep, meanwhile: () => Promise<void>): Promise<StepResult> {
    const choices = plan.rows.map(({ of }) => of);
    using traced = traceStep(choices, plan);
    const step = { entries: plan.rows.map(({ entry }) => entry), traceCall: traced.call };
    return await this.#execution.run(
      step,
      choices.flatMap(({ sequence }) => sequence ?? []),
      meanwhile,
    );
  }

  /** Hands on what was computed, and learns from how long it took. True when anything was. */
  #settle(plan: PlannedStep, { entries, times }: StepResult): boolean {
    const { clock, cost, sequences, observer } = this.#options;
    let parkedCount = 0;
    for (const [i, { of: choice, entry }] of plan.rows.entries()) {
      const result = entries[i];
      assert(result !== undefined, "every entry of a step has a result");
      if (result.kind === "parked") parkedCount += 1;
      // A request that was cancelled while the step ran has let go of its sequence: its rows are dropped.
      if (choice.active !== entry.sequence) continue;
      const send = (event: GenerationEvent) => this.#sink.send(choice, event);
      if (result.kind === "parked") this.#park(choice);
      else if (advance(choice, entry.tokenIds, result, { sequences, observer, send })) this.#sink.finished(choice);
    }
    const measuredMs = clock.monotonic() - plan.beganMs;
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
