import { BLOCK_HASH_BYTES, BLOCK_TOKENS, keyAt, sharedHashCount } from "@drover/kv";
import type { Choice } from "./choice.ts";
import { LEADER_LENGTH_MAX } from "./limits.ts";

/**
 * Choices without KV that had better wait: an older one is computing a beginning that both have, and then they find it in the cache. Prompts are computed
 * one after the other anyhow, so that waiting costs nothing; one that is held up itself, or is much longer, nobody waits for.
 * `takesPart`: whether a choice's rows are cached and found at all.
 */
export function prefixFollowers(choices: readonly Choice[], takesPart: (choice: Choice) => boolean): Set<Choice> {
  const followers = new Set<Choice>();
  if (!choices.some(isNew)) return followers;
  /** By the first block: those who compute their prompts or have done so, the oldest first. */
  const ahead = new Map<string, Choice[]>();
  for (const choice of [...choices].sort((a, b) => a.id - b.id)) {
    if (choice.request.task.blockHashes.length < BLOCK_HASH_BYTES || !takesPart(choice)) continue;
    const others = ahead.get(firstOf(choice)) ?? [];
    if (isNew(choice) && !choice.reportsPrompt && follows(choice, others)) followers.add(choice);
    else if (!choice.isHeldUp) {
      others.push(choice);
      ahead.set(firstOf(choice), others);
    }
  }
  return followers;
}

const isNew = ({ sequence }: Choice): boolean => sequence === undefined;

/** What prompts with the same first block have in common. */
const firstOf = ({ request }: Choice): string => keyAt(request.task.blockHashes, 0);

/** Whether one of the others is about to compute blocks that both have and nobody has yet, and will be soon. */
function follows(choice: Choice, others: readonly Choice[]): boolean {
  let computed = 0;
  let coming = 0;
  for (const other of others) {
    const found = sharedTokens(choice, other);
    computed = Math.max(computed, Math.min(found, other.computedCount));
    if (other.pendingTokenCount <= LEADER_LENGTH_MAX * choice.promptLength) coming = Math.max(coming, found);
  }
  return coming > computed;
}

/** Tokens of the choice's prompt that it would find were the other's computed. Its last one is always computed. */
function sharedTokens({ request, promptLength }: Choice, other: Choice): number {
  const blocks = sharedHashCount(request.task.blockHashes, other.request.task.blockHashes);
  return Math.min(blocks, Math.floor((promptLength - 1) / BLOCK_TOKENS)) * BLOCK_TOKENS;
}
