import { forecastBytes, type Growth, type OutputLengths } from "@drover/batching";
import type { ErrorCode, SequenceStore } from "@drover/core";
import { contextTokensMax, type KvGeometry, kvBytesPeak, ownRowsMax } from "@drover/kv";
import type { Choice } from "./choice.ts";
import { CHOICES_MAX } from "./limits.ts";
import type { GenerationTask } from "./task.ts";

/** Why a placement is refused; `undefined` means accepted. */
export type Refusal = Readonly<{ code: ErrorCode; message: string }>;

export type AdmissionOptions = Readonly<{ sequences: SequenceStore; geometry: KvGeometry; prefillRowsMax: number }>;

/** The longest sequence that this worker's KV could ever hold. */
export function longestAlone({ geometry, sequences, prefillRowsMax }: AdmissionOptions): number {
  return contextTokensMax(geometry, sequences.kvBytesMax, prefillRowsMax);
}

/** The longest sequence that this worker could ever compute: with the context workers' KV where that holds more. */
export function longestContext(options: AdmissionOptions): number {
  const { sequences } = options;
  return Math.max(longestAlone(options), sequences.isStriped(sequences.stripedRowsMax) ? sequences.stripedRowsMax : 0);
}

/** Tokens of these choices that will still take KV here: of striped ones no more than are ever kept. */
export function tokensToStore(choices: readonly Choice[], { sequences, geometry }: AdmissionOptions): number {
  let sum = 0;
  for (const { tokens, computedCount, tokenCountMax } of choices) {
    const end = sequences.isStriped(tokenCountMax) ? ownRowsMax(geometry, tokens.length) : tokens.length;
    sum += Math.max(0, end - computedCount);
  }
  return sum;
}

/**
 * Whether a request fits beside those that are here: never (`invalid_argument`), not now (`overloaded`), or yes. It fits when all of them, grown to the
 * lengths that outputs have had, hold no more than there is; one alone always does. Outputs that turn out longer may be preempted.
 */
export function roomRefusal(
  task: GenerationTask,
  choices: readonly Choice[],
  outputs: OutputLengths,
  options: AdmissionOptions,
): Refusal | undefined {
  const { promptTokenIds, params, delivered } = task;
  const { geometry, prefillRowsMax, sequences } = options;
  const total = promptTokenIds.length + params.maxTokens;
  const longest = longestContext(options);
  if (total > longest) {
    return { code: "invalid_argument", message: `${total} tokens do not fit this worker's KV of ${longest}` };
  }
  if (choices.length + params.n > CHOICES_MAX) {
    return { code: "overloaded", message: "the worker runs its most choices" };
  }
  if (sequences.isStriped(total)) {
    if (total * params.n > sequences.stripedRowsMax) {
      const message = `${params.n} choices of ${total} tokens do not fit the context workers' KV of ${sequences.stripedRowsMax}`;
      return { code: "invalid_argument", message };
    }
    const ahead = choices.filter(({ sequence, tokenCountMax }) => !sequence && sequences.isStriped(tokenCountMax));
    const rows = ahead.reduce((sum, { tokenCountMax }) => sum + tokenCountMax, total * params.n);
    if (rows > sequences.stripedRowsFree) return { code: "overloaded", message: "the context workers' KV is full" };
  }
  if (choices.length === 0) return undefined;
  const own = delivered
    .filter(({ finished }) => !finished)
    .map(({ tokenIds }) => growth(tokenIds.length, task, outputs, options));
  const others = choices.map(({ nextIndex, request }) => growth(nextIndex, request.task, outputs, options));
  // A prompt's last step, across a chunk's boundary, may hold more than the prompt at rest.
  const length = sequences.isStriped(total) ? ownRowsMax(geometry, promptTokenIds.length) : promptTokenIds.length;
  const step = kvBytesPeak(geometry, length, prefillRowsMax);
  if (Math.max(step, forecastBytes([...others, ...own], geometry)) > sequences.kvBytesMax) {
    return { code: "overloaded", message: "the worker's KV is full" };
  }
  return undefined;
}

/** A choice of which `generated` tokens are known, as it grows. */
function growth(
  generated: number,
  { promptTokenIds, params }: GenerationTask,
  outputs: OutputLengths,
  { sequences, geometry }: AdmissionOptions,
): Growth {
  const remaining = outputs.remaining(generated, params.maxTokens);
  const length = promptTokenIds.length + generated;
  if (!sequences.isStriped(promptTokenIds.length + params.maxTokens)) return { length, remaining };
  const end = ownRowsMax(geometry, length + remaining);
  return { length: Math.min(length, end), remaining: Math.max(0, end - length) };
}
