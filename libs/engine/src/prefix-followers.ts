import { BLOCK_HASH_BYTES, BLOCK_TOKENS, keyAt, sharedHashCount } from "@drover/kv";
import type { Choice } from "./choice.ts";
import { LEADER_LENGTH_MAX } from "./limits.ts";

/**
 * Choices without KV that had better wait, each with the one that it waits for: an older one is computing a beginning that both have, and then they find it in the cache. Prompts are computed
 * one after the other anyhow, so that waiting costs nothing; one that is held up itself, unless by rows of it that are on their way to another worker, or is much longer, nobody waits for.
 * `grainOf`: the rows in whole multiples of which a choice finds others', and they its own; undefined: it takes no part. Only those of one grain find each other.
 */
export function prefixFollowers(
  choices: readonly Choice[],
  grainOf: (choice: Choice) => number | undefined,
): ReadonlyMap<Choice, Choice> {
  const followers = new Map<Choice, Choice>();
  if (!choices.some(isNew)) return followers;
  /** By the first block and the grain: those who compute their prompts or have done so, the oldest first. */
  const ahead = new Map<string, Choice[]>();
  for (const choice of [...choices].sort((a, b) => a.id - b.id)) {
    const grain = choice.request.task.blockHashes.length < BLOCK_HASH_BYTES ? undefined : grainOf(choice);
    if (grain === undefined) continue;
    const group = `${grain} ${firstOf(choice)}`;
    const others = ahead.get(group) ?? [];
    const leader = isNew(choice) && !choice.reportsPrompt ? leaderOf(choice, others, grain) : undefined;
    if (leader !== undefined) followers.set(choice, leader);
    else if (!choice.isHeldUp || choice.isMending) {
      others.push(choice);
      ahead.set(group, others);
    }
  }
  return followers;
}

const isNew = ({ sequence }: Choice): boolean => sequence === undefined;

/** What prompts with the same first block have in common. */
const firstOf = ({ request }: Choice): string => keyAt(request.task.blockHashes, 0);

/** Which of the others is about to compute most of the blocks that both have and nobody has yet, and will be soon. */
function leaderOf(choice: Choice, others: readonly Choice[], grain: number): Choice | undefined {
  let computed = 0;
  let coming = 0;
  let leader: Choice | undefined;
  for (const other of others) {
    const found = sharedTokens(choice, other, grain);
    // Who has its prompt and gives none of it away has nowhere to: nobody waits for what it generates.
    computed = Math.max(computed, other.isDecoding ? found : Math.min(found, other.sequence?.sharedCount ?? 0));
    if (found <= coming || other.pendingTokenCount > LEADER_LENGTH_MAX * choice.promptLength) continue;
    coming = found;
    leader = other;
  }
  return coming > computed ? leader : undefined;
}

/** Tokens of the choice's prompt that it would find were the other's computed. Its last one is always computed. */
function sharedTokens({ request, promptLength }: Choice, other: Choice, grain: number): number {
  const tokens = sharedHashCount(request.task.blockHashes, other.request.task.blockHashes) * BLOCK_TOKENS;
  return Math.floor(Math.min(tokens, promptLength - 1) / grain) * grain;
}
