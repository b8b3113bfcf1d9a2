import type { Metrics } from "@drover/telemetry";

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
/** Wider and wider up to a week: the deadline of a request of 10 Mi tokens, the longest context that Llama 4 has, is 146 h. */
const LONG_SECONDS = [1200, 1800, 3600, 7200, 14_400, 28_800, 57_600, 172_800, 604_800];
/** What a request may take until its deadline. */
export const REQUEST_SECONDS = [...SECONDS, ...LONG_SECONDS];
/** Between two tokens a request may wait as long, as for a worker that takes the place of a lost one. */
export const TOKEN_SECONDS = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600],
  ...[1800, 7200, 28_800, 172_800, 604_800],
];
/** Powers of four up to 16 million tokens. */
const TOKENS = Array.from({ length: 12 }, (_, i) => 4 ** (i + 1));
const SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1];

const label = ["model_name"] as const;

/** Registers every series of the router, once in a process: vLLM's names where the meaning is the same, `drover_router_` for the rest. */
export function routerSeries(metrics: Metrics) {
  return {
    ...latencySeries(metrics),
    ...tokenSeries(metrics),
    ...endSeries(metrics),
    ...stateSeries(metrics),
    ...imageSeries(metrics),
    ...tenantSeries(metrics),
    tally: metrics.tally,
  };
}
export type RouterSeries = ReturnType<typeof routerSeries>;

/** How long things take. */
function latencySeries(metrics: Metrics) {
  return {
    timeToFirstToken: metrics.histogram(
      "vllm:time_to_first_token_seconds",
      "From the request's arrival to its first token",
      label,
      REQUEST_SECONDS,
    ),
    interTokenLatency: metrics.histogram(
      "vllm:inter_token_latency_seconds",
      "Between two tokens of one request",
      label,
      TOKEN_SECONDS,
    ),
    requestLatency: metrics.histogram(
      "vllm:e2e_request_latency_seconds",
      "From the request's arrival to its end",
      label,
      REQUEST_SECONDS,
    ),
  };
}

/** Tokens in and out. */
function tokenSeries(metrics: Metrics) {
  return {
    promptTokens: metrics.counter("vllm:prompt_tokens_total", "Prompt tokens of finished requests", label),
    generationTokens: metrics.counter("vllm:generation_tokens_total", "Generated tokens", label),
    cachedTokens: metrics.counter(
      "vllm:prompt_tokens_cached_total",
      "Of them, those that their worker had cached and did not compute",
      label,
    ),
    cachedShare: metrics.histogram(
      "drover_router_cached_share",
      "Part of a finished request's prompt that was cached",
      label,
      SHARES,
    ),
    requestPromptTokens: metrics.histogram(
      "vllm:request_prompt_tokens",
      "Prompt tokens of a finished request",
      label,
      TOKENS,
    ),
    requestGenerationTokens: metrics.histogram(
      "vllm:request_generation_tokens",
      "Tokens of a finished request's choices",
      label,
      TOKENS,
    ),
  };
}

/** How requests end, and what they go through. */
function endSeries(metrics: Metrics) {
  return {
    refusedAtDoor: metrics.counter(
      "drover_router_refused_for_wait_total",
      "Requests refused because they were predicted to wait too long, by lane",
      [...label, "lane"],
    ),
    successes: metrics.counter("vllm:request_success_total", "Finished choices, by reason", [
      ...label,
      "finished_reason",
    ]),
    failures: metrics.counter("drover_router_failures_total", "Requests that ended in an error, by code", [
      ...label,
      "code",
    ]),
    readds: metrics.counter("drover_router_readds_total", "Requests added again, by cause", [...label, "cause"]),
    slowReaders: metrics.counter("drover_router_slow_readers_total", "Requests cancelled for a slow reader", label),
    keyedResumed: metrics.counter(
      "drover_router_keyed_resumed_total",
      "Requests with an Idempotency-Key that another router had begun and this one went on with",
      label,
    ),
    keyedUnkept: metrics.counter(
      "drover_router_keyed_unkept_total",
      "Requests with an Idempotency-Key that went on although no other router could go on with them, by reason",
      [...label, "reason"],
    ),
    drained: metrics.counter(
      "drover_router_drained_requests_total",
      "Requests in flight when the router began to refuse new ones: finished, or cut off when its time was up",
      [...label, "outcome"],
    ),
  };
}

/** How things stand. */
function stateSeries(metrics: Metrics) {
  return {
    waitingForCluster: metrics.gauge(
      "drover_router_requests_waiting_for_cluster",
      "Requests that wait until the cluster can serve again",
      label,
    ),
    inFlight: metrics.gauge("drover_router_requests_in_flight", "Requests admitted and not ended", label),
    streams: metrics.gauge("drover_router_token_streams", "Token streams that are up", label),
    staleEvents: metrics.counter("drover_router_stale_events_total", "Events of superseded attempts", label),
  };
}

/** What tenants use: by their names, of which there is a bounded number. */
function tenantSeries(metrics: Metrics) {
  const tenant = ["tenant"] as const;
  return {
    tenantRequests: metrics.counter("drover_router_tenant_requests_total", "Requests begun, by tenant", tenant),
    tenantRefusals: metrics.counter(
      "drover_router_tenant_refusals_total",
      "Requests refused for a tenant's limit, by the limit",
      [...tenant, "limit"],
    ),
    tenantPromptTokens: metrics.counter(
      "drover_router_tenant_prompt_tokens_total",
      "Prompt tokens of finished requests, by tenant",
      tenant,
    ),
    tenantCachedTokens: metrics.counter(
      "drover_router_tenant_cached_tokens_total",
      "Of them, those that were cached, by tenant",
      tenant,
    ),
    tenantGenerationTokens: metrics.counter(
      "drover_router_tenant_generation_tokens_total",
      "Generated tokens, by tenant",
      tenant,
    ),
  };
}

/** What images cost. */
function imageSeries(metrics: Metrics) {
  return {
    imageOpenSeconds: metrics.histogram(
      "drover_router_image_open_seconds",
      "From asking for an image to having its tiles: fetching, decoding and cutting",
      label,
      SECONDS,
    ),
    imageEncodeSeconds: metrics.histogram(
      "drover_router_image_encode_seconds",
      "Waiting for the vision workers to have an image's features, by outcome",
      [...label, "outcome"],
      SECONDS,
    ),
    imageBytesHeld: metrics.gauge(
      "drover_router_image_bytes_held",
      "Bytes of the tiles that requests in flight keep",
      label,
    ),
  };
}
