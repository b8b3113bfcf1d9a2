import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ClusterStateSchema, type WorkerRole } from "@drover/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClusterStateReader, ClusterStateWriter, clusterStateFromWire, clusterStateToWire } from "./cluster-state.ts";
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

  it("is read from its stream as it was written, whichever states tell the expert map", () => {
    const steps = fc.array(fc.record({ state: clusterState, isNewMap: fc.boolean(), whole: fc.boolean() }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(steps, (all) => {
        const [writer, reader] = [new ClusterStateWriter(), new ClusterStateReader()];
        let expertMap: (typeof all)[number]["state"]["expertMap"] | undefined;
        for (const { state, isNewMap, whole } of all) {
          const isSame = !isNewMap && expertMap !== undefined;
          const told = { ...state, expertMap: isSame && expertMap !== undefined ? expertMap : state.expertMap };
          expertMap = told.expertMap;
          const message = travelled(ClusterStateSchema, writer.write(told, { whole }));
          expect(message.sameExperts).toBe(isSame && !whole);
          expect(reader.read(message)).toEqual(told);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("that refers to an expert map which its stream has not told is refused", () => {
    const message = create(ClusterStateSchema, { ...valid, sameExperts: true });
    expect(() => new ClusterStateReader().read(message)).toThrowError(
      expect.objectContaining({ code: "invalid_argument", field: "same_experts" }),
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
