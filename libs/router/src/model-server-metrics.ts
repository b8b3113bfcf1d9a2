import { BLOCK_TOKENS } from "@drover/kv";
import { type ClusterState, WorkerRole, type WorkerState, type WorkerStatus } from "@drover/proto";

/** What one router knows: its fleet, and how many of its own requests a worker has begun. */
export type ModelServerFacts = Readonly<{ modelId: string; state: ClusterState | undefined; runningCount: number }>;

/**
 * What an endpoint picker of the Gateway API inference extension scrapes from a model server, in Prometheus' text format and by vLLM's names,
 * which are its defaults. Every router stands for the whole fleet: what waits and the KV in use are the fleet's and the same at each router,
 * what runs is this router's own. A fleet that is not known has no figures. Source: its proposal 003, model server protocol.
 */
export function modelServerMetrics({ modelId, state, runningCount }: ModelServerFacts): string {
  const gauge = (name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}) => {
    const pairs = Object.entries({ model_name: modelId, ...labels }).map(([key, text]) => `${key}="${escaped(text)}"`);
    return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name}{${pairs.join(",")}} ${value}\n`;
  };
  const running = gauge("vllm:num_requests_running", "Requests of this router that a worker has begun", runningCount);
  if (state === undefined) return running;
  const fleet = attentionStatuses(state.workers);
  const used = sum(
    fleet,
    ({ globalKv, localKv }) => Number(globalKv?.referenced ?? 0n) + Number(localKv?.referenced ?? 0n),
  );
  const room = sum(fleet, ({ kvBytesMax }) => Number(kvBytesMax));
  const usage = room === 0 ? 0 : Math.min(1, used / room);
  const waiting = sum(state.lanes, ({ waitingCount }) => waitingCount) + sum(fleet, ({ waitingCount }) => waitingCount);
  return [
    running,
    gauge("vllm:num_requests_waiting", "Requests of the whole fleet that wait for their first step", waiting),
    gauge("vllm:kv_cache_usage_perc", "KV of the whole fleet that requests hold, of its limit, 0 to 1", usage),
    gauge("vllm:gpu_cache_usage_perc", "The same, by the name that older pickers ask for", usage),
    gauge("vllm:cache_config_info", "How prefixes are cached: tokens of a block, and blocks that fit the fleet", 1, {
      block_size: String(BLOCK_TOKENS),
      num_gpu_blocks: String(sum(fleet, blockCount)),
    }),
  ].join("");
}

function attentionStatuses(workers: readonly WorkerState[]): WorkerStatus[] {
  return workers.flatMap(({ roles, status }) =>
    roles.includes(WorkerRole.ATTENTION) && status?.ready === true ? [status] : [],
  );
}

function blockCount({ kvBytesMax, kvBytesPerToken }: WorkerStatus): number {
  return kvBytesPerToken === 0n ? 0 : Math.floor(Number(kvBytesMax) / (Number(kvBytesPerToken) * BLOCK_TOKENS));
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}

/** As the text format wants a label's value. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
