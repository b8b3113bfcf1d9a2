import { expect, test } from "vitest";
import { TestCluster } from "../e2e/test-cluster.ts";

const ASKED = [
  /^vllm:num_requests_waiting\{model_name="nano"\} 0$/m,
  /^vllm:num_requests_running\{model_name="nano"\} 0$/m,
  /^vllm:kv_cache_usage_perc\{model_name="nano"\} [\d.e-]+$/m,
  /^vllm:gpu_cache_usage_perc\{model_name="nano"\} [\d.e-]+$/m,
  /^vllm:lora_requests_info\{model_name="nano",max_lora="0",running_lora_adapters="",waiting_lora_adapters=""\} 1$/m,
  /^vllm:cache_config_info\{model_name="nano",block_size="64",num_gpu_blocks="[1-9]\d*"\} 1$/m,
];

test("a router's serving port shows what an endpoint picker asks for, each name once, and its admin port does not", async () => {
  await using cluster = await TestCluster.start({ expertWorkers: 1 });
  const body = { model: "nano", prompt: "hello", max_tokens: 4 };
  expect((await cluster.post("/v1/completions", body)).status).toBe(200);
  const metrics = async () => (await fetch(`${cluster.url}/metrics`)).text();
  // The fleet's figures come a moment behind what they are of.
  for (const line of ASKED) await expect.poll(metrics).toMatch(line);
  const page = await metrics();
  const types = [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  expect(types).toEqual([...new Set(types)]);
  const admin = await (await fetch(`${await cluster.adminUrl("router")}/metrics`)).text();
  expect(admin).not.toContain("vllm:kv_cache_usage_perc");
});
