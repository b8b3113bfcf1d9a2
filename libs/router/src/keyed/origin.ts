import { createHash, randomInt, randomUUID } from "node:crypto";
import { type Clock, type RequestId, requestId } from "@drover/core";
import type { InferenceRequest, ModelFacts } from "@drover/openai";

/** What a keyed request is computed with, the same wherever it goes on: else its answer would be another one. */
export type Origin = Readonly<{
  /** By what its client knows the answer. */
  id: RequestId;
  /** For the client that gives none. */
  seed: number;
  /** Unix seconds. */
  createdS: number;
  /** Tokens that prompt and output may have together. */
  contextTokensMax: number;
}>;

/** What a request that comes now is computed with. */
export function newOrigin(clock: Clock, { contextTokensMax }: Pick<ModelFacts, "contextTokensMax">): Origin {
  return {
    id: requestId(randomUUID()),
    seed: randomInt(2 ** 48 - 1),
    createdS: Math.floor(clock.now() / 1000),
    contextTokensMax,
  };
}

/** Of one of its prompts. */
export function originOfPrompt({ id, seed }: Origin, prompt: number): Readonly<{ id: RequestId; seed: number }> {
  if (prompt === 0) return { id, seed };
  const hash = createHash("sha256").update(JSON.stringify([id, seed, prompt]));
  const digest = hash.digest();
  return { id: requestId(digest.toString("hex", 0, 16)), seed: digest.readUIntBE(16, 6) % (2 ** 48 - 1) };
}

/** Of what the model is given: where it is another one, what was delivered is of another answer. 16 bytes. */
export function digestOf(requests: readonly InferenceRequest[]): Uint8Array {
  const hash = createHash("sha256");
  for (const { promptTokenIds, images, sampling, stop } of requests) {
    const hashes = images.map(({ tiles }) => tiles.contentHash);
    hash.update(JSON.stringify([promptTokenIds.length, sampling, stop, hashes]));
    hash.update(new Uint8Array(promptTokenIds.buffer, promptTokenIds.byteOffset, promptTokenIds.byteLength));
  }
  return hash.digest().subarray(0, SEGMENT_DIGEST_BYTES);
}

export const SEGMENT_DIGEST_BYTES = 16;
