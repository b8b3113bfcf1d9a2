import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RequestEventSchema, type FinishReason as WireFinish } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requestEventFromWire, requestEventToWire } from "./request-event.ts";
import { requestEvent } from "./testing/token-streams.ts";
import { travelled } from "./testing/travelled.ts";

type Event = MessageInitShape<typeof RequestEventSchema>["event"];
const read = (event: Event) =>
  requestEventFromWire(create(RequestEventSchema, { requestId: "r", ...(event && { event }) }));

describe("a request's event", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(requestEvent, (event) => {
        expect(requestEventFromWire(travelled(RequestEventSchema, requestEventToWire(event)))).toEqual(event);
      }),
    );
  });

  it("of a kind that only later builds know is passed over", () => {
    expect(read(undefined)).toBeUndefined();
  });

  it.each<[string, Event]>([
    ["token.finish", { case: "token", value: { finish: 3 as WireFinish } }],
    ["token.top", { case: "token", value: { top: { tokenIds: [1], logprobs: [] } } }],
    ["token.experts", { case: "token", value: { experts: new Uint8Array(3) } }],
    ["prompt.logprobs", { case: "prompt", value: { count: 2, logprobs: [1] } }],
    ["prompt.tops", { case: "prompt", value: { count: 2, tops: [{}] } }],
    ["prompt.tops", { case: "prompt", value: { count: 1, tops: [{ tokenIds: [1] }] } }],
    ["prompt.experts", { case: "prompt", value: { count: 2, experts: new Uint8Array(6) } }],
  ])("with a wrong %s is refused, and the field is named", (field, event) => {
    expect(() => read(event)).toThrowError(expect.objectContaining({ code: "invalid_argument", field }));
  });
});
