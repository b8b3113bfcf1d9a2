import { create } from "@bufbuild/protobuf";
import { RouterMessageSchema } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { routerMessageFromWire, routerMessageToWire } from "./router-message.ts";
import { routerMessage } from "./testing/token-streams.ts";
import { travelled } from "./testing/travelled.ts";

describe("a router's message on a token stream", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(routerMessage, (message) => {
        expect(routerMessageFromWire(travelled(RouterMessageSchema, routerMessageToWire(message)))).toEqual(message);
      }),
    );
  });

  it("that only later builds know is passed over", () => {
    expect(routerMessageFromWire(create(RouterMessageSchema))).toBeUndefined();
  });
});
