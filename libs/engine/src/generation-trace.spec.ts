import type { ErrorCode, GenerationEvent, TraceSpan } from "@drover/core";
import { describe, expect, it } from "vitest";
import { GenerationTrace } from "./generation-trace.ts";
import { TRACED_CALLS_PER_STEP_MAX } from "./limits.ts";

/** A span that writes down what becomes of it, `path begin` and `path end FAULT`. */
function recorded(path: string, log: string[]): TraceSpan {
  let ended = false;
  log.push(`${path} begin`);
  return {
    context: { traceparent: path, tracestate: "" },
    child: (name) => recorded(`${path}/${name}`, log),
    attributes: () => undefined,
    event: (name) => void log.push(`${path} ${name}`),
    end: (fault) => {
      if (!ended) log.push(`${path} end${fault === undefined ? "" : ` ${fault}`}`);
      ended = true;
    },
  };
}

const token: GenerationEvent = {
  kind: "token",
  choice: 0,
  index: 0,
  tokenId: 0,
  logprob: 0,
  top: [],
  experts: new Uint16Array(),
  finish: undefined,
};
const done: GenerationEvent = { kind: "done", cachedTokenCount: 0 };
const failure = (code: ErrorCode, handedBack = false): GenerationEvent => ({
  kind: "failed",
  code,
  message: "",
  retryable: false,
  handedBack,
});

function begun() {
  const log: string[] = [];
  return { log, trace: new GenerationTrace(recorded("g", log)) };
}

describe("GenerationTrace", () => {
  it("has its phases one after the other, all of them ended with it", () => {
    const { log, trace } = begun();
    trace.served();
    trace.saw(token);
    trace.saw(token);
    trace.saw(done);
    trace.end("cancelled");
    expect(log).toEqual([
      "g begin",
      "g/wait begin",
      "g/wait end",
      "g/prefill begin",
      "g/prefill end",
      "g/decode begin",
      "g/decode first_token",
      "g/decode end",
      "g end",
    ]);
  });

  it("shows one step of each phase and a bounded number of its calls, however many steps there are", () => {
    const { log, trace } = begun();
    for (let step = 0; step < 1000; step++) {
      trace.served();
      const shown = trace.step();
      for (let call = 0; call < 500; call++) shown?.call("call", {})?.end();
      shown?.span.end();
      if (step >= 10) trace.saw(token);
    }
    const count = (text: string) => log.filter((line) => line.endsWith(text)).length;
    expect(count("/step begin")).toBe(2);
    expect(count("/call begin")).toBe(2 * TRACED_CALLS_PER_STEP_MAX);
  });

  it("says how it failed at the phase and at the whole, and that what was handed back has not", () => {
    const failed = begun();
    failed.trace.served();
    failed.trace.saw(failure("overloaded"));
    expect(failed.log.slice(-2)).toEqual(["g/prefill end overloaded", "g end overloaded"]);
    const handedBack = begun();
    handedBack.trace.saw(failure("unavailable", true));
    expect(handedBack.log.slice(-1)).toEqual(["g end cancelled"]);
  });
});
