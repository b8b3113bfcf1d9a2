import { fileURLToPath } from "node:url";
import { loadModelConfig, openCheckpoint } from "@drover/checkpoint";
import { at, neverAborted, noTracer, silentLogger } from "@drover/core";
import { openWeights } from "@drover/onnx";
import { createMetrics } from "@drover/telemetry";
import { SimClock } from "@drover/testkit";
import { afterAll, expect, test } from "vitest";
import type { RoleContext } from "../../role-context.ts";
import { FakeLink } from "../../testing/fake-role.ts";
import { startExperts } from "./experts-role.ts";

const directory = fileURLToPath(new URL("../../../../../models/nano", import.meta.url));
const config = await loadModelConfig(directory);
const checkpoint = await openCheckpoint(directory);
const { weights, fingerprint } = await openWeights(checkpoint, config, null, silentLogger, neverAborted);
const layer = at(config.moeLayers, 0);
const hold = (...experts: number[]) =>
  ({ kind: "set_experts", mapEpoch: 1n, experts: new Map([[layer, new Set(experts)]]) }) as const;
const drained = {
  kind: "drain_state",
  state: { drained: false, expertsDrained: true, obstacle: undefined, expertCount: 0, requestCount: 0 },
} as const;

/** Loading takes as long as the machine needs. */
const eventually = <T>(look: () => T) => expect.poll(look);

afterAll(() => checkpoint[Symbol.asyncDispose]());

async function scene() {
  const events: string[] = [];
  const link = new FakeLink(events);
  const metrics = createMetrics({ process: "worker" });
  const options = { workerId: "w", metrics, tracer: noTracer, logger: silentLogger, threads: 1 };
  const model = { config, checkpoint, weights, fingerprint };
  // What the role does not ask for is left out.
  const context = { options, model, device: { kind: "cpu" }, link, clock: new SimClock() } as unknown as RoleContext;
  return { events, role: await startExperts(context) };
}

test("a worker of experts is ready once a map was made and what it assigns is loaded, and tells of each change", async () => {
  const { events, role } = await scene();
  expect(role.unready()).toBe("no expert map has been made yet");
  role.obey(hold(1, 2));
  expect(role.unready()).toBe("the experts that the map assigns are being loaded");
  await eventually(() => role.unready()).toBeNull();
  expect(role.loaded()).toEqual(new Map([[layer, new Set([1, 2])]]));
  role.obey(hold(2));
  await eventually(() => role.loaded()).toEqual(new Map([[layer, new Set([2])]]));
  await eventually(() => events).toEqual(["loaded", "loaded"]);
});

test("its experts are needed until the scheduler says that others have them, and again when it is not to drain after all", async () => {
  const { role } = await scene();
  expect(role.unfinished.isBusy()).toBe(true);
  role.obey(drained);
  expect(role.unfinished.isBusy()).toBe(false);
  role.obey({ kind: "set_drain", wanted: true });
  expect(role.unfinished.isBusy()).toBe(false);
  role.obey({ kind: "set_drain", wanted: false });
  expect(role.unfinished.isBusy()).toBe(true);
});
