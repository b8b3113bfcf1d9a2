import { ATTEMPT_STRIDE, type FinishReason, type GenerationEvent, type RequestEvent, requestId } from "@drover/core";
import { describe, expect, it } from "vitest";
import { RequestState } from "./request-state.ts";

const event = (attempt: number, told: GenerationEvent): RequestEvent => ({
  requestId: requestId("r"),
  attempt,
  event: told,
});
const started = (attempt: number, ...startIndices: number[]) => event(attempt, { kind: "started", startIndices });
const nothingAsked = { logprob: 0, top: [], experts: new Uint16Array() };
const token = (attempt: number, index: number, tokenId = 100 + index, finish?: FinishReason, choice = 0) =>
  event(attempt, { kind: "token", choice, index, tokenId, finish, ...nothingAsked });
const prompt = (attempt: number, start: number, count: number) =>
  event(attempt, { kind: "prompt", start, count, logprobs: [], tops: [], experts: new Uint16Array() });
const failed = (attempt: number, { retryable = true, handedBack = false } = {}) =>
  event(attempt, { kind: "failed", code: "unavailable", message: "gone", retryable, handedBack });

const PROMPT_TOKENS = 8;
const fresh = (choices = 1) => new RequestState(choices, PROMPT_TOKENS);

function running(choices = 1): RequestState {
  const state = fresh(choices);
  state.apply("a", started(0, ...state.choices.map(() => 0)));
  return state;
}

describe("RequestState", () => {
  it("takes each index once and in order", () => {
    const state = running();
    expect(state.apply("a", token(0, 0)).kind).toBe("token");
    expect(state.apply("a", token(0, 0)).kind).toBe("ignored");
    expect(state.apply("a", token(0, 1)).kind).toBe("token");
    expect(state.apply("a", token(0, 3)).kind).toBe("gap");
    expect(state.choices[0]?.tokenIds).toEqual([100, 101]);
  });

  it("takes nothing of an attempt that never started", () => {
    const state = fresh();
    expect(state.apply("a", token(0, 0)).kind).toBe("ignored");
    expect(state.tokenCount).toBe(0);
  });

  it("a newer attempt replaces an older one only from where the client stands", () => {
    const state = running();
    expect(state.apply("b", started(1, 0))).toEqual({ kind: "started", replaced: { worker: "a", attempt: 0 } });
    state.apply("b", token(1, 0));
    expect(state.apply("c", started(2, 0)).kind).toBe("stale");
    expect(state.owner).toEqual({ worker: "b", attempt: 1 });
    expect(state.apply("b", token(1, 1)).kind).toBe("token");
  });

  it("where the attempt's own worker begins anew behind the client, only another attempt mends it", () => {
    const state = running();
    state.apply("a", token(0, 0));
    expect(state.apply("b", started(1, 0)).kind).toBe("stale");
    expect(state.apply("a", started(1, 0)).kind).toBe("gap");
    expect(state.choices[0]?.tokenIds).toEqual([100]);
  });

  it("two answers are never spliced: an older attempt's tokens are stale", () => {
    const state = running();
    state.apply("b", started(1, 0));
    expect(state.apply("a", token(0, 0)).kind).toBe("stale");
    expect(state.apply("b", token(1, 0, 7)).kind).toBe("token");
    expect(state.choices[0]?.tokenIds).toEqual([7]);
  });

  it("the same attempt from another worker is stale", () => {
    const state = running();
    expect(state.apply("b", started(0, 0)).kind).toBe("stale");
    expect(state.apply("b", token(0, 0)).kind).toBe("ignored");
  });

  it("after a supersede what is delivered stands still until the new attempt starts there", () => {
    const state = running();
    state.apply("a", token(0, 0));
    expect(state.supersede()).toEqual({ worker: "a", attempt: 0 });
    expect(state.apply("a", token(0, 1)).kind).toBe("stale");
    expect(state.apply("b", started(ATTEMPT_STRIDE, 1)).kind).toBe("started");
    expect(state.apply("b", token(ATTEMPT_STRIDE, 1)).kind).toBe("token");
    expect(state.choices[0]?.tokenIds).toEqual([100, 101]);
  });

  it("a failure counts only from the attempt that runs, or when none does", () => {
    const state = running();
    expect(state.apply("b", failed(1)).kind).toBe("ignored");
    expect(state.apply("a", failed(0)).kind).toBe("failed");
    expect(fresh().apply("a", failed(0, { retryable: false }))).toMatchObject({ kind: "failed", retryable: false });
  });

  it("prompt facts that come again are cut to what is new", () => {
    const state = running();
    expect(state.apply("a", prompt(0, 0, 4))).toMatchObject({ kind: "prompt", skip: 0 });
    state.supersede();
    state.apply("b", started(ATTEMPT_STRIDE, 0));
    expect(state.apply("b", prompt(ATTEMPT_STRIDE, 0, 3)).kind).toBe("ignored");
    expect(state.apply("b", prompt(ATTEMPT_STRIDE, 3, 5))).toMatchObject({ kind: "prompt", skip: 1 });
    expect(state.nextPromptPosition).toBe(8);
  });

  it("facts about more than the prompt end the request: its worker computes something else", () => {
    const state = running();
    expect(state.apply("a", prompt(0, 0, PROMPT_TOKENS + 1))).toMatchObject({ kind: "failed", code: "internal" });
  });

  it("a finished choice takes nothing more, and the others go on", () => {
    const state = running(2);
    state.apply("a", token(0, 0, 1, "stop", 0));
    expect(state.apply("a", token(0, 1, 2, undefined, 0)).kind).toBe("ignored");
    expect(state.finished).toBe(false);
    expect(state.apply("a", token(0, 0, 3, "length", 1)).kind).toBe("token");
    expect(state.finished).toBe(true);
  });

  it("a choice that a stop string ended does not keep a new attempt out", () => {
    const state = running(2);
    state.apply("a", token(0, 0, 1, undefined, 0));
    state.finishChoice(0);
    state.supersede();
    expect(state.apply("b", started(ATTEMPT_STRIDE, 0, 0)).kind).toBe("started");
  });

  it("a request that its worker hands back goes on elsewhere, and only its owner can hand it back", () => {
    const handedBack = failed(0, { handedBack: true });
    const state = running();
    expect(state.apply("b", handedBack).kind).toBe("ignored");
    expect(state.apply("a", handedBack).kind).toBe("handed_back");
  });
});
