import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ClusterStateSchema, type WorkerRole } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clusterStateFromWire, clusterStateToWire } from "./cluster-state.ts";
import { clusterState } from "./testing/cluster.ts";
import { travelled } from "./testing/travelled.ts";

type Fields = Exclude<MessageInitShape<typeof ClusterStateSchema>, { $typeName: string }>;
const valid: Fields = { modelId: "m", expertMap: { modelId: "m" } };

describe("a cluster's state", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(clusterState, (value) => {
        expect(clusterStateFromWire(travelled(ClusterStateSchema, clusterStateToWire(value)))).toEqual(value);
      }),
    );
  });

  it.each<[string, Fields]>([
    ["expert_map", { expertMap: undefined }],
    ["lanes.lane", { lanes: [{ lane: "slow" }] }],
    ["workers.roles", { workers: [{ workerId: "w", roles: [7 as WorkerRole] }] }],
  ])("with a wrong %s is refused, and the field is named", (field, fields) => {
    expect(() => clusterStateFromWire(create(ClusterStateSchema, { ...valid, ...fields }))).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field }),
    );
  });
});
