import { describe, expect, it } from "vitest";
import { operands, read } from "./promql.ts";

describe("read", () => {
  it("finds every metric with what it must have", () => {
    const { selectors } = read('sum(rate(vllm:a_total{code=~"x|y",worker!=""}[5m])) / (ns:b > 0)');
    expect(selectors).toEqual([
      {
        metric: "vllm:a_total",
        window: true,
        matchers: [
          { label: "code", operator: "=~", value: "x|y" },
          { label: "worker", operator: "!=", value: "" },
        ],
      },
      { metric: "ns:b", matchers: [], window: false },
    ]);
  });

  it("finds the labels of every clause with the metrics that it works on", () => {
    expect(read("max by (layer) (sum by (layer, expert) (a)) / on (zone) group_left (rack) b").groupings).toEqual([
      { labels: ["layer"], metrics: ["a"] },
      { labels: ["layer", "expert"], metrics: ["a"] },
      { labels: ["zone"], metrics: ["a", "b"] },
      { labels: ["rack"], metrics: ["a", "b"] },
    ]);
  });

  it("throws for what is not PromQL", () => {
    expect(() => read('sum(a{b="c"')).toThrow("not PromQL");
  });
});

describe("operands", () => {
  it("are what an alert compares and combines, whole", () => {
    expect(operands("max_over_time(a[1h]) - a > 0 unless on (c) (b == 1)")).toEqual(["max_over_time(a[1h]) - a", "b"]);
    expect(operands("a / ignoring (kind) (b > 0) > 0.9")).toEqual(["a / ignoring (kind) (b > 0)"]);
  });
});
