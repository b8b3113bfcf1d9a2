import fc from "fast-check";
import { Histogram as PromHistogram, Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";

const BOUNDS = [0.1, 1, 10];

describe("Histogram", () => {
  it("is written as prom-client writes its own", async () => {
    const observations = fc.array(
      fc.record({ lane: fc.constantFrom("a", "b"), value: fc.double({ min: 0, max: 20, noNaN: true }) }),
    );
    await fc.assert(
      fc.asyncProperty(observations, async (observed) => {
        const metrics = createMetrics({ process: "router" });
        const registry = new Registry();
        registry.setDefaultLabels({ process: "router" });
        const named = { name: "wait_seconds", help: "Waiting" };
        const theirs = new PromHistogram({ ...named, labelNames: ["lane"], buckets: BOUNDS, registers: [registry] });
        const ours = metrics.histogram(named.name, named.help, ["lane"], BOUNDS);
        for (const lane of ["a", "b"]) {
          ours.of({ lane });
          theirs.zero({ lane });
        }
        for (const { lane, value } of observed) {
          ours.observe({ lane }, value);
          theirs.observe({ lane }, value);
        }
        expect(await metrics.text()).toContain((await registry.metrics()).trim());
      }),
      { numRuns: 30 },
    );
  });
});
