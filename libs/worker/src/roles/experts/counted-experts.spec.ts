import { createMetrics, type Metrics } from "@drover/telemetry";
import { beforeEach, describe, expect, it } from "vitest";
import { CountedExperts } from "./counted-experts.ts";

const NONE = new Float32Array(0);

/** Rows by layer and expert, as they are scraped. */
async function rows(metrics: Metrics): Promise<Record<string, number>> {
  const found = (await metrics.text()).matchAll(
    /^drover_expert_rows_total\{layer="(\d+)",expert="(\d+)",process="worker",worker="experts-0"\} (\d+)$/gm,
  );
  return Object.fromEntries([...found].map(([, layer, expert, count]) => [`${layer}/${expert}`, Number(count)]));
}

let loaded: { layer: number; experts: number[] }[];
let metrics: Metrics;
let experts: CountedExperts;

beforeEach(() => {
  loaded = [{ layer: 1, experts: [0, 2] }];
  metrics = createMetrics({ process: "worker", worker: "experts-0" });
  const held = { hiddenSize: 4, has: () => true, run: () => undefined, loaded: () => loaded };
  experts = new CountedExperts(held, metrics);
});

describe("CountedExperts", () => {
  it("emits every expert that is loaded, also one that nobody asked for", async () => {
    expect(await rows(metrics)).toEqual({ "1/0": 0, "1/2": 0 });
    expect(await metrics.text()).toMatch(/^drover_experts_loaded\{[^}]*\} 2$/m);
  });

  it("sums the rows of an expert over frames and scrapes", async () => {
    await experts.run(1, [0, 2], [3, 1], NONE, NONE);
    await experts.run(1, [2], [4], NONE, NONE);
    expect(await rows(metrics)).toEqual({ "1/0": 3, "1/2": 5 });
    await experts.run(1, [2], [1], NONE, NONE);
    expect(await rows(metrics)).toEqual({ "1/0": 3, "1/2": 6 });
    expect(experts.rowCount).toBe(9);
    expect(await metrics.text()).toMatch(/^drover_expert_compute_seconds_count\{[^}]*\} 3$/m);
  });

  it("stops to emit an expert that was given up, and begins at zero when it is loaded again", async () => {
    await experts.run(1, [0], [3], NONE, NONE);
    await rows(metrics);
    loaded = [{ layer: 1, experts: [2] }];
    expect(await rows(metrics)).toEqual({ "1/2": 0 });
    loaded = [{ layer: 1, experts: [0, 2] }];
    expect(await rows(metrics)).toEqual({ "1/0": 0, "1/2": 0 });
  });
});
