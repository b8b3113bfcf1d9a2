import type { ClusterState, WorkerState, WorkerStatus } from "@drover/fleet";
import { BLOCK_TOKENS } from "@drover/kv";

/** What one router knows: its fleet, and how many of its own requests a worker has begun. */
export type ModelServerFacts = Readonly<{ modelId: string; state: ClusterState | undefined; runningCount: number }>;

/** One gauge: what it says, and its value for a model, or none. */
type ModelGauge = Readonly<{
  name: string;
  help: string;
  value: (facts: ModelServerFacts) => number | undefined;
  labels?: (facts: ModelServerFacts) => Readonly<Record<string, string>>;
}>;

const GAUGES: readonly ModelGauge[] = [
  {
    name: "vllm:num_requests_running",
    help: "Requests of this router that a worker has begun",
    value: ({ runningCount }) => runningCount,
  },
  {
    name: "vllm:num_requests_waiting",
    help: "Requests of the whole fleet that wait for their first step",
    value: ({ state }) =>
      state &&
      sum(state.lanes, ({ waitingCount }) => waitingCount) +
        sum(attentionStatuses(state.workers), ({ waitingCount }) => waitingCount),
  },
  {
    name: "vllm:kv_cache_usage_perc",
    help: "KV of the whole fleet that requests hold, of its limit, 0 to 1",
    value: ({ state }) => state && kvUsage(attentionStatuses(state.workers)),
  },
  {
    name: "vllm:gpu_cache_usage_perc",
    help: "The same, by the name that older pickers ask for",
    value: ({ state }) => state && kvUsage(attentionStatuses(state.workers)),
  },
  {
    name: "vllm:lora_requests_info",
    help: "Adapters in use: there are none, and pickers report a family that is missing as an error",
    value: () => 1,
    labels: () => ({ max_lora: "0", running_lora_adapters: "", waiting_lora_adapters: "" }),
  },
  {
    name: "vllm:cache_config_info",
    help: "How prefixes are cached: tokens of a block, and blocks that fit the fleet",
    value: ({ state }) => state && 1,
    labels: ({ state }) => ({
      block_size: String(BLOCK_TOKENS),
      num_gpu_blocks: String(sum(attentionStatuses(state?.workers ?? []), blockCount)),
    }),
  },
];

/**
 * What an endpoint picker of the Gateway API inference extension scrapes from a model server, in Prometheus' text format and by vLLM's names,
 * which are its defaults. Every router stands for the whole fleet: what waits and the KV in use are the fleet's and the same at each router,
 * what runs is this router's own. A fleet that is not known has no figures. Source: its proposal 003, model server protocol.
 */
export function modelServerMetrics(models: readonly ModelServerFacts[]): string {
  return GAUGES.map((gauge) => gaugeText(gauge, models)).join("");
}

function gaugeText({ name, help, value, labels }: ModelGauge, models: readonly ModelServerFacts[]): string {
  const lines = models.flatMap((facts) => {
    const figure = value(facts);
    if (figure === undefined) return [];
    const pairs = Object.entries({ model_name: facts.modelId, ...labels?.(facts) });
    return [`${name}{${pairs.map(([key, text]) => `${key}="${escaped(text)}"`).join(",")}} ${figure}\n`];
  });
  return lines.length === 0 ? "" : `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join("")}`;
}

function kvUsage(fleet: readonly WorkerStatus[]): number {
  const used = sum(fleet, ({ globalKv, localKv }) => (globalKv?.referenced ?? 0) + (localKv?.referenced ?? 0));
  const room = sum(fleet, ({ kvBytesMax }) => kvBytesMax);
  return room === 0 ? 0 : Math.min(1, used / room);
}

function attentionStatuses(workers: readonly WorkerState[]): WorkerStatus[] {
  return workers.flatMap(({ roles, status }) =>
    roles.includes("attention") && status?.ready === true ? [status] : [],
  );
}

function blockCount({ kvBytesMax, kvBytesPerToken }: WorkerStatus): number {
  return kvBytesPerToken === 0 ? 0 : Math.floor(kvBytesMax / (kvBytesPerToken * BLOCK_TOKENS));
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}

/** As the text format wants a label's value. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
