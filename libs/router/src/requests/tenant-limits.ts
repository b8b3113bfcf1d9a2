import { DroverError } from "@drover/core";
import type { ClusterState } from "@drover/fleet";
import type { InferenceRequest } from "@drover/openai";
import { type Account, LimitReached } from "@drover/tenants";
import type { Permit } from "./permit.ts";
import type { TenantUsage } from "./tenant-usage.ts";

/** Errors: `model_not_found` for a model that the account may not ask: what it may not use, it is not told of. */
export function checkModel({ tenant }: Account, modelId: string): void {
  if (tenant?.models !== undefined && !tenant.models.includes(modelId))
    throw new DroverError("model_not_found", "the model does not exist", { field: "model" });
}

/**
 * Counts what is known of requests once their prompts are read against the limits of whom they are from: tokens, and KV until the permit ends.
 * Errors: `rate_limit_exceeded`; `invalid_argument` for requests that could never run.
 */
export function takeLimits(
  requests: readonly InferenceRequest[],
  permit: Permit,
  state: ClusterState | undefined,
  usage: TenantUsage | undefined,
  nowMs: number,
): void {
  const { account } = permit;
  const { allowance, tenant } = account;
  if (allowance === undefined) return;
  try {
    if (tenant?.kvBytes !== undefined)
      permit.holdKv(
        requests.reduce((sum, one) => sum + kvBytesOf(one, state), 0),
        nowMs,
      );
    allowance.takePrompt(
      requests.reduce((sum, { promptTokenIds }) => sum + promptTokenIds.length, 0),
      nowMs,
    );
  } catch (error) {
    if (error instanceof LimitReached) usage?.refused(account, error.limit);
    throw error;
  }
}

/** KV that a request may grow to, by what the cluster's workers say of theirs; 0 while none has said it. */
function kvBytesOf({ promptTokenIds, sampling }: InferenceRequest, state: ClusterState | undefined): number {
  const bytes = (state?.workers ?? []).flatMap(({ status }) =>
    status === undefined
      ? []
      : sampling.n * ((promptTokenIds.length + sampling.maxTokens) * status.kvBytesPerToken + status.kvBytesFixed),
  );
  return Math.max(0, ...bytes);
}
