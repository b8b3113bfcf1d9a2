import type { ModelId, RequestId, RouterId } from "./ids.ts";
import type { PromptImage } from "./ports/images.ts";
import type { TraceContext } from "./ports/tracer.ts";
import type { SamplingParams } from "./sampling-params.ts";
import type { TenantShare } from "./tenant-share.ts";

/** What the client already has of one choice. An attempt computes it with the prompt and goes on after it. */
export type DeliveredChoice = Readonly<{ tokenIds: readonly number[]; finished: boolean }>;

/** One request as its router gives it to the worker that computes it. It waits in the queue as a job's payload. */
export type GenerationRequest = TenantShare &
  Readonly<{
    requestId: RequestId;
    modelId: ModelId;
    routerId: RouterId;
    promptTokenIds: Uint32Array;
    images: readonly PromptImage[];
    /** The hash chain of the prompt's whole blocks, 16 bytes each, as the router computed it; empty when it did not. */
    blockHashes: Uint8Array;
    params: SamplingParams;
    /** What every output must match, in the notation of `libs/grammar`; absent where it is free. */
    grammar?: string | undefined;
    /** One for each of the `params.n` choices. */
    delivered: readonly DeliveredChoice[];
    /** Unix milliseconds. Nobody waits for the request after this. */
    deadlineMs: number;
    /** The router's span, where the request is traced. */
    trace?: TraceContext | undefined;
  }>;
