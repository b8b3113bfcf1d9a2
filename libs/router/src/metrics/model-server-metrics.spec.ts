import { clusterStateOf, type WorkerFacts } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { modelServerMetrics } from "./model-server-metrics.ts";

const worker = (ready: boolean, referenced: number, waitingCount: number): WorkerFacts => ({
  roles: ["attention"],
  status: {
    ready,
    kvBytesMax: 64_000,
    kvBytesPerToken: 10,
    globalKv: { referenced, cached: 30_000 },
    localKv: { referenced: 2_000, cached: 0 },
    waitingCount,
  },
});

const lane = { oldestAgeMs: 0, predictedWaitMs: 0, waitMsPerJob: 0 };
const state = clusterStateOf({
  workers: [worker(true, 14_000, 2), worker(true, 30_000, 1), worker(false, 9_000, 9), { roles: ["experts"] }],
  lanes: [
    { lane: "short", waitingCount: 3, ...lane },
    { lane: "long", waitingCount: 4, ...lane },
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
      'vllm:lora_requests_info{model_name="nano",max_lora="0",running_lora_adapters="",waiting_lora_adapters=""} 1',
      'vllm:cache_config_info{model_name="nano",block_size="64",num_gpu_blocks="200"} 1',
    ]);
    expect(text.match(/^# TYPE \S+ gauge$/gm)).toHaveLength(6);
  });

  it("says nothing of a fleet that is not known, and never more than all of it", () => {
    expect(series(modelServerMetrics([{ modelId: "nano", state: undefined, runningCount: 0 }]))).toHaveLength(2);
    const full = clusterStateOf({ workers: [worker(true, 90_000, 0)] });
    const empty = clusterStateOf();
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
