import type { ErrorCode, ModelRunner } from "@drover/core";
import { contextTokensMax, type KvGeometry, kvBytesPeak } from "@drover/kv";
import type { Choice } from "./choice.ts";
import { ENGINE_LIMITS } from "./limits.ts";
import type { GenerationTask } from "./task.ts";

/** Why a placement is refused; `undefined` means accepted. */
export type Refusal = Readonly<{ code: ErrorCode; message: string }>;

export type AdmissionOptions = Readonly<{ runner: ModelRunner; geometry: KvGeometry; prefillRowsMax: number }>;

/** The longest sequence that this worker's KV could ever hold. */
export function longestContext({ geometry, runner, prefillRowsMax }: AdmissionOptions): number {
  return contextTokensMax(geometry, runner.kvBytesMax, prefillRowsMax);
}

/** Whether a request fits beside those that are here: never (`invalid_argument`), not now (`overloaded`), or yes. */
export function roomRefusal(
  task: GenerationTask,
  choices: readonly Choice[],
  options: AdmissionOptions,
): Refusal | undefined {
  const total = task.promptTokenIds.length + task.params.maxTokens;
  const longest = longestContext(options);
  if (total > longest) {
    return { code: "invalid_argument", message: `${total} tokens do not fit this worker's KV of ${longest}` };
  }
  if (choices.length + task.params.n > ENGINE_LIMITS.choicesMax) {
    return { code: "overloaded", message: "the worker runs its most choices" };
  }
  const own = task.params.n * bytesSoon(task.promptTokenIds.length, options);
  const promised = choices.reduce((sum, choice) => sum + bytesSoon(choice.tokens.length, options), 0);
  if (promised > 0 && promised + own > options.runner.kvBytesMax) {
    return { code: "overloaded", message: "the worker's KV is full" };
  }
  return undefined;
}

/** KV that a choice of this length takes soon: up to here and one block of output. What lies beyond may be preempted. */
function bytesSoon(tokenCount: number, { geometry, prefillRowsMax }: AdmissionOptions): number {
  return kvBytesPeak(geometry, tokenCount + geometry.blockRows, prefillRowsMax);
}
