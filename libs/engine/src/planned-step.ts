import type { PlannedRows } from "@drover/batching";
import type { StepEntry } from "@drover/core";
import type { Choice } from "./choice.ts";

/** Rows of a choice as a step computes them. */
export type StepRows = PlannedRows<Choice> & Readonly<{ entry: StepEntry }>;

/** A step as it was planned: its rows are allocated. */
export type PlannedStep = Readonly<{
  rows: readonly StepRows[];
  rowCount: number;
  /** Of them, those of choices that decode. */
  decodeCount: number;
  predictedMs: number;
  /** Whether it was handed over before the step before it was over: the tokens of its rows are those that came of that one. */
  isFollowing: boolean;
}>;
