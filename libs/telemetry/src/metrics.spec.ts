import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";

describe("createMetrics", () => {
  it("puts the process on every series", async () => {
    const metrics = createMetrics({ process: "router" });
    metrics.counter("drover_requests_total", "Requests", ["outcome"]).inc({ outcome: "ok" }, 2);
    metrics.gauge("vllm:num_requests_running", "Running", []).set(3);
    const text = await metrics.text();
    expect(text).toContain('drover_requests_total{outcome="ok",process="router"} 2');
    expect(text).toContain('vllm:num_requests_running{process="router"} 3');
  });

  it("puts a worker's id on every series of that worker", async () => {
    const metrics = createMetrics({ process: "worker", worker: "experts-1" });
    expect(await metrics.text()).toMatch(/drover_heap_used_bytes\{process="worker",worker="experts-1"\} [1-9]/);
  });

  it("counts a histogram's observations in its own buckets", async () => {
    const metrics = createMetrics({ process: "router" });
    metrics.histogram("wait_seconds", "Waiting", ["lane"], [0.1, 1]).observe({ lane: "short" }, 0.5);
    const text = await metrics.text();
    expect(text).toContain('wait_seconds_bucket{le="0.1",process="router",lane="short"} 0');
    expect(text).toContain('wait_seconds_bucket{le="1",process="router",lane="short"} 1');
  });

  it("reads a collected gauge anew at every scrape", async () => {
    const metrics = createMetrics({ process: "worker" });
    const depth = metrics.gauge("depth", "Depth", []);
    let value = 1;
    metrics.beforeScrape(() => depth.set(value));
    expect(await metrics.text()).toContain('depth{process="worker"} 1');
    value = 5;
    expect(await metrics.text()).toContain('depth{process="worker"} 5');
  });

  it("keeps two processes' metrics of one name apart", () => {
    createMetrics({ process: "a" }).gauge("same", "Same", []);
    expect(() => createMetrics({ process: "b" }).gauge("same", "Same", [])).not.toThrow();
  });

  it("reports the same lag to every scraper, however often they come", async () => {
    const metrics = createMetrics({ process: "worker" });
    const lag = async () =>
      Number(/_lag_seconds\{quantile="1",process="worker"\} (\S+)/.exec(await metrics.text())?.[1]);
    const lagAfterBlock = () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      return lag();
    };
    await expect.poll(lagAfterBlock).toBeGreaterThan(0.05);
    const seen = await lag();
    expect(await lag()).toBeGreaterThanOrEqual(seen);
  });

  it("reports the event loop's lag and the process's memory", async () => {
    const text = await createMetrics({ process: "worker" }).text();
    expect(text).toMatch(/drover_event_loop_lag_seconds\{quantile="0\.99",process="worker"\} [0-9.e-]+\n/);
    expect(text).toMatch(/drover_resident_bytes\{process="worker"\} [1-9]\d{6,}/);
  });
});
