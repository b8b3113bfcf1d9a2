import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { JoinHelloSchema, WorkerRole } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinHelloFromWire, joinHelloToWire } from "./join-hello.ts";
import { joinHello } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

type Fields = Exclude<MessageInitShape<typeof JoinHelloSchema>, { $typeName: string }>;
const valid: Fields = { workerId: "w", incarnation: "1", modelId: "m", roles: [WorkerRole.EXPERTS], address: "w:1" };

describe("a worker's hello", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(joinHello, (value) => {
        expect(joinHelloFromWire(travelled(JoinHelloSchema, joinHelloToWire(value)))).toEqual(value);
      }),
    );
  });

  it.each<[string, Fields]>([
    ["roles", { roles: [] }],
    ["roles", { roles: [WorkerRole.UNSPECIFIED] }],
    ["roles", { roles: [7 as WorkerRole] }],
    ["incarnation", { incarnation: "" }],
    ["address", { address: "" }],
    ["kv_dtype", { kvDtype: "f64" }],
  ])("with a wrong %s is refused, and the field is named", (field, fields) => {
    expect(() => joinHelloFromWire(create(JoinHelloSchema, { ...valid, ...fields }))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
  });
});
