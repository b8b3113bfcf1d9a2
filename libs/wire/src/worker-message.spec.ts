import { create } from "@bufbuild/protobuf";
import { WorkerMessageSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { workerMessage } from "./testing/token-streams.ts";
import { travelled } from "./testing/travelled.ts";
import { workerMessageFromWire, workerMessageToWire } from "./worker-message.ts";

describe("a worker's message on a token stream", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(workerMessage, (message) => {
        expect(workerMessageFromWire(travelled(WorkerMessageSchema, workerMessageToWire(message)))).toEqual(message);
      }),
    );
  });

  it("that only later builds know is passed over", () => {
    expect(workerMessageFromWire(create(WorkerMessageSchema))).toBeUndefined();
  });
});
