import type { Candidate } from "@drover/batching";
import { assert, type KvSequence, type MaskCursor, type RowLogprobs, type SequenceStore } from "@drover/core";
import { TokenHistory } from "@drover/sampling";
import type { ActiveRequest } from "./active-request.ts";

/** Where a choice stands in its life: see {@link Choice}. `sinceMs`: since when it cannot go on. */
type Stage =
  | Readonly<{ kind: "waiting" | "holding" | "ended" }>
  | Readonly<{ kind: "stalled" | "parked"; sinceMs: number }>;

/**
 * One choice of a request: its tokens, its KV, and where it stands. Each change is one method:
 *
 * | stage | it means | `open` | `serve` | `stall` | `park` | `computed` | `preempt` | `end` |
 * |---|---|---|---|---|---|---|---|---|
 * | waiting | it has no KV | holding | | stalled | | | | ended |
 * | holding | it has KV, and steps serve it | | holding | stalled | parked | holding | waiting | ended |
 * | stalled | it found no room for its next rows, with KV or without | stalled | holding | stalled | parked | | stalled | ended |
 * | parked | it has KV, and a reply from another worker is missing | | parked | stalled | parked | holding | waiting | ended |
 * | ended | it is in no step any more | | | | | | | |
 *
 * `follow` has one that waits for another's repair stand where that one does: holding, or parked for as long.
 */
export class Choice {
  /** Rises with admission. */
  readonly id: number;
  readonly request: ActiveRequest;
  readonly index: number;
  /** Prompt and output. */
  readonly tokens: number[];
  readonly history: TokenHistory;
  #stage: Stage = { kind: "waiting" };
  #sequence: KvSequence | undefined = undefined;
  #repair: ReturnType<SequenceStore["repair"]> = undefined;
  /** Tokens that were known when it got its KV: they are prefilled. */
  #knownCount = 0;
  #lastStep: number;
  #preemptionCount = 0;
  #reportedCount = 0;
  #lastRow: RowLogprobs | undefined = undefined;
  #mask: MaskCursor | undefined = undefined;
  /** Whether an urgent one waits for rows that it computes. */
  #isAwaited = false;

  /** `step`: the one in which it arrives. */
  constructor(id: number, request: ActiveRequest, index: number, step: number) {
    const { promptTokenIds, delivered } = request.task;
    const sent = delivered[index]?.tokenIds ?? [];
    this.id = id;
    this.request = request;
    this.index = index;
    this.#lastStep = step;
    this.tokens = [...promptTokenIds, ...sent];
    this.history = new TokenHistory(promptTokenIds);
    for (const tokenId of sent) this.history.append(tokenId);
  }

  /** What says which tokens its grammar allows, behind all that it has; it is disposed of with the choice's end. */
  constrain(mask: MaskCursor): void {
    assert(this.#mask === undefined && !this.isEnded, "a choice has one place in its grammar");
    this.#mask = mask;
  }

  /** It gets KV, behind what was found cached. */
  open(sequence: KvSequence): void {
    assert(this.#sequence === undefined && this.#stage.kind !== "ended", "a choice has one sequence at a time");
    this.#sequence = sequence;
    this.#knownCount = this.tokens.length;
    if (this.#stage.kind === "waiting") this.#stage = { kind: "holding" };
  }

  /** What is to be computed before it goes on, as its store says before each step. */
  mend(repair: ReturnType<SequenceStore["repair"]>): void {
    this.#repair = repair;
    this.#isAwaited = false;
  }

  /** Another one repairs for both: it stands where that one does. */
  follow(leader: Choice): void {
    this.#stage = leader.#stage;
    this.waitFor(leader);
  }

  /** Another one computes rows that both need, and is as urgent for this step as this one. */
  waitFor(leader: Choice): void {
    leader.#isAwaited ||= this.isUrgent;
  }

  /** A step takes its rows. */
  serve(step: number): void {
    assert(this.#sequence !== undefined, "a step takes rows of a choice that has KV");
    this.#lastStep = step;
    if (this.#stage.kind === "stalled") this.#stage = { kind: "holding" };
    if (!this.isDecoding) this.request.lastPromptStep = step;
  }

  /** There is no room for its next rows. */
  stall(nowMs: number): void {
    if (this.#stage.kind !== "stalled") this.#stage = { kind: "stalled", sinceMs: nowMs };
  }

  /** Its rows were not computed, because another worker did not answer. Returns how long that is so, milliseconds. */
  park(nowMs: number): number {
    const sinceMs = this.#stage.kind === "parked" ? this.#stage.sinceMs : nowMs;
    this.#stage = { kind: "parked", sinceMs };
    return nowMs - sinceMs;
  }

  /** Its rows were computed. */
  computed(): void {
    this.#stage = { kind: "holding" };
  }

  /** Adds a drawn token. */
  append(tokenId: number, isLast: boolean): void {
    this.tokens.push(tokenId);
    this.history.append(tokenId);
    if (!isLast) this.#mask?.accept(tokenId);
  }

  /** The prompt is reported before position `count`; `lastRow` is what its last computed row said of the next token. */
  reported(count: number, lastRow: RowLogprobs | undefined): void {
    this.#reportedCount = Math.max(this.#reportedCount, count);
    this.#lastRow = lastRow;
  }

  /** Its KV goes to another choice: returns the sequence, which is the caller's to close. */
  preempt(): KvSequence {
    const sequence = this.#release();
    assert(sequence !== undefined, "a choice without KV has nothing to give");
    this.#preemptionCount += 1;
    if (this.#stage.kind !== "stalled") this.#stage = { kind: "waiting" };
    return sequence;
  }

  /** Nothing more is computed for it: returns its sequence, which is the caller's to close. */
  end(): KvSequence | undefined {
    this.#stage = { kind: "ended" };
    this.#mask?.[Symbol.dispose]();
    return this.#release();
  }

  #release(): KvSequence | undefined {
    const sequence = this.#sequence;
    this.#sequence = undefined;
    this.#repair = undefined;
    return sequence;
  }

  /** Its KV; undefined before its first step and after a preemption. */
  get sequence(): KvSequence | undefined {
    return this.#sequence;
  }

  /** Which tokens may come next; undefined where every one may. */
  get allowed(): Uint32Array | undefined {
    return this.#mask?.allowed;
  }

  /** Whether its tokens have to match a grammar. */
  get isConstrained(): boolean {
    return this.#mask !== undefined;
  }

  /** Whether it waits for its grammar to say which tokens may come next. */
  get awaitsMask(): boolean {
    return this.#mask !== undefined && this.#mask.allowed === undefined;
  }

  /** Whether rows that another worker has lost are computed again, and on their way there: it waits for that. */
  get isMending(): boolean {
    return this.#repair === "sending";
  }

  /** What is computed before the sequence goes on: rows of it that another worker has lost. */
  get repair(): KvSequence | undefined {
    return this.#repair === "sending" ? undefined : this.#repair;
  }

  /** The sequence whose rows the next step computes. */
  get active(): KvSequence | undefined {
    return this.repair ?? this.#sequence;
  }

  get isEnded(): boolean {
    return this.#stage.kind === "ended";
  }

  /** Since when it has found no room; undefined while it does. */
  get stalledSinceMs(): number | undefined {
    return this.#stage.kind === "stalled" ? this.#stage.sinceMs : undefined;
  }

  /** Since when another worker's answer is missing; undefined while none is. */
  get parkedSinceMs(): number | undefined {
    return this.#stage.kind === "parked" ? this.#stage.sinceMs : undefined;
  }

  /** Whether it cannot go on, for want of room or of a reply. */
  get isHeldUp(): boolean {
    return this.#stage.kind === "stalled" || this.#stage.kind === "parked";
  }

  /** Times that its KV was given to another. */
  get preemptionCount(): number {
    return this.#preemptionCount;
  }

  /** The last step that served it, or the one in which it arrived. */
  get lastStep(): number {
    return this.#lastStep;
  }

  /** Whether it goes before new prompts: its client has tokens already and waits for the next one, or one of which that is so waits for what it computes. */
  get isUrgent(): boolean {
    return this.#isAwaited || this.nextIndex > 0 || this.request.hasTold;
  }

  get tenant(): Candidate["tenant"] {
    return this.request.task.tenant;
  }

  get requestOrder(): number {
    return this.request.order;
  }

  get requestLastStep(): number {
    return this.request.lastPromptStep;
  }

  get promptLength(): number {
    return this.request.task.promptTokenIds.length;
  }

  /** Index of the next token in the choice's output. */
  get nextIndex(): number {
    return this.tokens.length - this.promptLength;
  }

  /** The longest that it may get. */
  get tokenCountMax(): number {
    return this.promptLength + this.request.task.params.maxTokens;
  }

  /** Committed rows of what the next step computes. */
  get computedCount(): number {
    return this.active?.length ?? 0;
  }

  /** Rows that are known and not computed yet. */
  get pendingTokenCount(): number {
    return Math.min(this.tokens.length, this.active?.rowCountMax ?? this.tokens.length) - this.computedCount;
  }

  /** Whether all that was known when it got its KV is computed but for the last row: from then on its steps draw tokens. */
  get isDecoding(): boolean {
    const knownCount = this.#sequence === undefined ? this.tokens.length : this.#knownCount;
    return this.repair === undefined && this.computedCount >= knownCount - 1;
  }

  /** Prompt positions already reported, for requests that ask about their prompt. */
  get reportedCount(): number {
    return this.#reportedCount;
  }

  /** What the last computed prompt row said of the token behind it, where that is asked for. */
  get lastRow(): RowLogprobs | undefined {
    return this.#lastRow;
  }

  /** Whether this choice reports the prompt's log-probabilities or experts: the first one does, unless the client has tokens already. */
  get reportsPrompt(): boolean {
    const { params, delivered } = this.request.task;
    return (
      this.index === 0 &&
      (params.promptTopLogprobs >= 0 || params.routedExperts) &&
      delivered.every((d) => d.tokenIds.length === 0)
    );
  }
}
