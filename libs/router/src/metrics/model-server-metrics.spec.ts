import { create } from "@bufbuild/protobuf";
import { ClusterStateSchema, WorkerRole } from "@drover/proto";
import { describe, expect, it } from "vitest";
import { modelServerMetrics } from "./model-server-metrics.ts";

const worker = (ready: boolean, referenced: bigint, waitingCount: number) => ({
  roles: [WorkerRole.ATTENTION],
  status: {
    ready,
    kvBytesMax: 64_000n,
    kvBytesPerToken: 10n,
    globalKv: { referenced, cached: 30_000n },
    localKv: { referenced: 2_000n },
    waitingCount,
  },
});

const state = create(ClusterStateSchema, {
  workers: [
    worker(true, 14_000n, 2),
    worker(true, 30_000n, 1),
    worker(false, 9_000n, 9),
    { roles: [WorkerRole.EXPERTS] },
  ],
  lanes: [
    { lane: "short", waitingCount: 3 },
    { lane: "long", waitingCount: 4 },
  ],
});

/** `name{labels} value` of each series. */
const series = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

describe("what an endpoint picker scrapes", () => {
  it("has the protocol's names, types and labels", () => {
    const text = modelServerMetrics([{ modelId: "nano", state, runningCount: 5 }]);
    expect(series(text)).toEqual([
      'vllm:num_requests_running{model_name="nano"} 5',
      'vllm:num_requests_waiting{model_name="nano"} 10',
      'vllm:kv_cache_usage_perc{model_name="nano"} 0.375',
      'vllm:gpu_cache_usage_perc{model_name="nano"} 0.375',
      'vllm:cache_config_info{model_name="nano",block_size="64",num_gpu_blocks="200"} 1',
    ]);
    expect(text.match(/^# TYPE \S+ gauge$/gm)).toHaveLength(5);
  });

  it("says nothing of a fleet that is not known, and never more than all of it", () => {
    expect(series(modelServerMetrics([{ modelId: "nano", state: undefined, runningCount: 0 }]))).toHaveLength(1);
    const full = create(ClusterStateSchema, { workers: [worker(true, 90_000n, 0)] });
    const empty = create(ClusterStateSchema, {});
    expect(modelServerMetrics([{ modelId: "nano", state: full, runningCount: 0 }])).toContain(
      'perc{model_name="nano"} 1\n',
    );
    expect(modelServerMetrics([{ modelId: "nano", state: empty, runningCount: 0 }])).toContain(
      'perc{model_name="nano"} 0\n',
    );
  });

  it("keeps a model's name inside its label", () => {
    const [line] = series(modelServerMetrics([{ modelId: 'a"b\\c\nd', state: undefined, runningCount: 0 }]));
    expect(line).toBe(String.raw`vllm:num_requests_running{model_name="a\"b\\c\nd"} 0`);
  });
});
