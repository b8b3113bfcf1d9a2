import { ERROR_CODES, LANES, type Lane, type ModelId } from "@drover/core";
import type { Metrics } from "@drover/telemetry";

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
/** Powers of four up to 16 million tokens. */
const TOKENS = Array.from({ length: 12 }, (_, i) => 4 ** (i + 1));
const SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1];
/** What a wait for an image's features came to: they were there, were made, are nowhere, or the request ended or timed out before that was known. */
export type EncodeOutcome = "held" | "encoded" | "failed" | "abandoned";

const DRAIN_OUTCOMES = ["finished", "cut"] as const;
const FINISH_REASONS = ["stop", "length", "abort"] as const;
const TOKEN_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Every figure of the router: vLLM's names where the meaning is the same, `drover_router_` for the rest. */
export class RouterMetrics {
  readonly #model: { model_name: string };
  readonly #timeToFirstToken;
  readonly #interTokenLatency;
  readonly #requestLatency;
  readonly #promptTokens;
  readonly #cachedTokens;
  readonly #cachedShare;
  readonly #requestPromptTokens;
  readonly #requestGenerationTokens;
  readonly #refusedAtDoor;
  readonly #generationTokens;
  readonly #successes;
  readonly #failures;
  readonly #readds;
  readonly #inFlight;
  readonly #waitingForCluster;
  readonly #streams;
  readonly #staleEvents;
  readonly #slowReaders;
  readonly #drained;
  readonly #imageOpenSeconds;
  readonly #imageEncodeSeconds;
  readonly #imageBytesHeld;

  constructor(metrics: Metrics, modelId: ModelId) {
    this.#model = { model_name: modelId };
    const label = ["model_name"];
    this.#timeToFirstToken = metrics.histogram(
      "vllm:time_to_first_token_seconds",
      "From the request's arrival to its first token",
      label,
      SECONDS,
    );
    this.#interTokenLatency = metrics.histogram(
      "vllm:inter_token_latency_seconds",
      "Between two tokens of one request",
      label,
      TOKEN_SECONDS,
    );
    this.#requestLatency = metrics.histogram(
      "vllm:e2e_request_latency_seconds",
      "From the request's arrival to its end",
      label,
      SECONDS,
    );
    this.#promptTokens = metrics.counter("vllm:prompt_tokens_total", "Prompt tokens of finished requests", label);
    this.#generationTokens = metrics.counter("vllm:generation_tokens_total", "Generated tokens", label);
    this.#cachedTokens = metrics.counter(
      "vllm:prompt_tokens_cached_total",
      "Of them, those that their worker had cached and did not compute",
      label,
    );
    this.#cachedShare = metrics.histogram(
      "drover_router_cached_share",
      "Part of a finished request's prompt that was cached",
      label,
      SHARES,
    );
    this.#requestPromptTokens = metrics.histogram(
      "vllm:request_prompt_tokens",
      "Prompt tokens of a finished request",
      label,
      TOKENS,
    );
    this.#requestGenerationTokens = metrics.histogram(
      "vllm:request_generation_tokens",
      "Tokens of a finished request's choices",
      label,
      TOKENS,
    );
    this.#refusedAtDoor = metrics.counter(
      "drover_router_refused_for_wait_total",
      "Requests refused because they were predicted to wait too long, by lane",
      [...label, "lane"],
    );
    this.#successes = metrics.counter("vllm:request_success_total", "Finished choices, by reason", [
      ...label,
      "finished_reason",
    ]);
    this.#failures = metrics.counter("drover_router_failures_total", "Requests that ended in an error, by code", [
      ...label,
      "code",
    ]);
    this.#readds = metrics.counter("drover_router_readds_total", "Requests added again, by cause", [...label, "cause"]);
    this.#waitingForCluster = metrics.gauge(
      "drover_router_requests_waiting_for_cluster",
      "Requests that wait until the cluster can serve again",
      label,
    );
    this.#inFlight = metrics.gauge("drover_router_requests_in_flight", "Requests admitted and not ended", label);
    this.#streams = metrics.gauge("drover_router_token_streams", "Token streams that are up", label);
    this.#staleEvents = metrics.counter("drover_router_stale_events_total", "Events of superseded attempts", label);
    this.#slowReaders = metrics.counter(
      "drover_router_slow_readers_total",
      "Requests cancelled for a slow reader",
      label,
    );
    this.#drained = metrics.counter(
      "drover_router_drained_requests_total",
      "Requests in flight when the router began to refuse new ones: finished, or cut off when its time was up",
      [...label, "outcome"],
    );
    this.#imageOpenSeconds = metrics.histogram(
      "drover_router_image_open_seconds",
      "From asking for an image to having its tiles: fetching, decoding and cutting",
      label,
      SECONDS,
    );
    this.#imageEncodeSeconds = metrics.histogram(
      "drover_router_image_encode_seconds",
      "Waiting for the vision workers to have an image's features, by outcome",
      [...label, "outcome"],
      SECONDS,
    );
    this.#imageBytesHeld = metrics.gauge(
      "drover_router_image_bytes_held",
      "Bytes of the tiles that requests in flight keep",
      label,
    );
    this.#emitZeros();
  }

  /** What has not happened yet is counted as 0, so that its first time is a rise. */
  #emitZeros(): void {
    for (const code of Object.keys(ERROR_CODES)) this.#failures.inc({ ...this.#model, code }, 0);
    for (const finished_reason of FINISH_REASONS) this.#successes.inc({ ...this.#model, finished_reason }, 0);
    for (const cause of READD_CAUSES) this.#readds.inc({ ...this.#model, cause }, 0);
    for (const lane of LANES) this.#refusedAtDoor.inc({ ...this.#model, lane }, 0);
    for (const histogram of [
      this.#timeToFirstToken,
      this.#interTokenLatency,
      this.#requestLatency,
      this.#requestPromptTokens,
      this.#requestGenerationTokens,
      this.#cachedShare,
      this.#imageOpenSeconds,
    ])
      histogram.zero(this.#model);
    for (const outcome of DRAIN_OUTCOMES) this.#drained.inc({ ...this.#model, outcome }, 0);
    this.waitingForCluster(0);
    for (const counter of [this.#staleEvents, this.#slowReaders]) counter.inc(this.#model, 0);
  }

  firstToken(seconds: number): void {
    this.#timeToFirstToken.observe(this.#model, seconds);
  }
  nextToken(seconds: number): void {
    this.#interTokenLatency.observe(this.#model, seconds);
  }
  token(): void {
    this.#generationTokens.inc(this.#model);
  }
  ended(seconds: number): void {
    this.#requestLatency.observe(this.#model, seconds);
  }
  /** `cachedTokenCount`: of the prompt, what its worker says that it did not compute. */
  prompt(tokenCount: number, cachedTokenCount: number): void {
    this.#promptTokens.inc(this.#model, tokenCount);
    this.#requestPromptTokens.observe(this.#model, tokenCount);
    this.#cachedTokens.inc(this.#model, cachedTokenCount);
    if (tokenCount > 0) this.#cachedShare.observe(this.#model, cachedTokenCount / tokenCount);
  }
  /** All tokens of a finished request. */
  generated(tokenCount: number): void {
    this.#requestGenerationTokens.observe(this.#model, tokenCount);
  }
  refusedAtDoor(lane: Lane): void {
    this.#refusedAtDoor.inc({ ...this.#model, lane });
  }
  finished(reason: (typeof FINISH_REASONS)[number]): void {
    this.#successes.inc({ ...this.#model, finished_reason: reason });
  }
  failed(code: string): void {
    this.#failures.inc({ ...this.#model, code });
  }
  readded(cause: ReaddCause): void {
    this.#readds.inc({ ...this.#model, cause });
  }
  waitingForCluster(count: number): void {
    this.#waitingForCluster.set(this.#model, count);
  }
  /** So many more; fewer where it is negative. */
  inFlight(change: number): void {
    this.#inFlight.inc(this.#model, change);
  }
  streams(count: number): void {
    this.#streams.set(this.#model, count);
  }
  staleEvent(): void {
    this.#staleEvents.inc(this.#model);
  }
  slowReader(): void {
    this.#slowReaders.inc(this.#model);
  }
  drained(outcome: (typeof DRAIN_OUTCOMES)[number], count: number): void {
    this.#drained.inc({ ...this.#model, outcome }, count);
  }
  imageOpened(seconds: number): void {
    this.#imageOpenSeconds.observe(this.#model, seconds);
  }
  imageEncoded(outcome: EncodeOutcome, seconds: number): void {
    this.#imageEncodeSeconds.observe({ ...this.#model, outcome }, seconds);
  }
  /** So many more; fewer where it is negative. */
  imageBytesHeld(change: number): void {
    this.#imageBytesHeld.inc(this.#model, change);
  }
}

/** Why a request is added again. */
const READD_CAUSES = [
  "worker_lost",
  "worker_failed",
  "handed_back",
  "token_gap",
  "leader_changed",
  "queue_unavailable",
] as const;
export type ReaddCause = (typeof READD_CAUSES)[number];
