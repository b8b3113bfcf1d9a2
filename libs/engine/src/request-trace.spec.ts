import { create } from "@bufbuild/protobuf";
import type { TraceSpan } from "@drover/core";
import { DoneSchema, FailedSchema, type RequestEvent, TokenEventSchema } from "@drover/proto";
import { describe, expect, it } from "vitest";
import { TRACE_LIMITS } from "./limits.ts";
import { RequestTrace } from "./request-trace.ts";

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

const token: RequestEvent["event"] = { case: "token", value: create(TokenEventSchema) };
const done: RequestEvent["event"] = { case: "done", value: create(DoneSchema) };

function begun() {
  const log: string[] = [];
  return { log, trace: new RequestTrace(recorded("g", log)) };
}

describe("RequestTrace", () => {
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
    expect(count("/call begin")).toBe(2 * TRACE_LIMITS.callsPerStepMax);
  });

  it("says how it failed at the phase and at the whole, and that what was handed back has not", () => {
    const failed = begun();
    failed.trace.served();
    failed.trace.saw({ case: "failed", value: create(FailedSchema, { code: "overloaded" }) });
    expect(failed.log.slice(-2)).toEqual(["g/prefill end overloaded", "g end overloaded"]);
    const handedBack = begun();
    handedBack.trace.saw({ case: "failed", value: create(FailedSchema, { code: "unavailable", handedBack: true }) });
    expect(handedBack.log.slice(-1)).toEqual(["g end cancelled"]);
    const odd = begun();
    odd.trace.saw({ case: "failed", value: create(FailedSchema, { code: "no such code" }) });
    expect(odd.log.slice(-1)).toEqual(["g end internal"]);
  });
});
