import type { Served } from "./served.ts";
import { rank, type StreamTokens, streamTokens } from "./stream-tokens.ts";

/** So many streams at once, each behind a prompt of so many tokens, and what they took. Times in milliseconds. */
export type StreamLevel = Readonly<{
  streams: number;
  found: readonly StreamTokens[];
  /** While all of them decode; undefined where the first ended before the last began. */
  tokensPerSecond: number | undefined;
  gapMs: Readonly<{ p50: number; p99: number }>;
  firstMs: Readonly<{ p50: number; p99: number }>;
  steps: StepFacts;
  wallMs: number;
}>;

/** Steps, what they took, and what of that they waited for rows of other workers' experts, in seconds; frames of such rows. */
type StepFacts = Readonly<{
  count: number;
  seconds: number;
  exchanged: number;
  byCards: number;
  byMemory: number;
  byGrpc: number;
}>;

/** Ids that no other prompt begins with. */
export function promptOf(length: number, of: number): number[] {
  return Array.from({ length }, (_, i) => 1 + ((of * 7919 + i * 104_729 + ((i * i) % 977) * 31) % 4000));
}

/** The id of the model that is served there. */
export async function servedModel(url: string): Promise<string> {
  const listed = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
  return listed.data[0]?.id ?? "";
}

/** Asks for so many tokens behind each of the prompts, all at once. */
export async function measureLevel(
  served: Served,
  model: string,
  prompts: readonly (readonly number[])[],
  generated: number,
): Promise<StreamLevel> {
  const before = await stepFacts(served);
  const began = performance.now();
  const found = await Promise.all(prompts.map((prompt) => streamTokens(served.url, model, prompt, generated)));
  const wallMs = performance.now() - began;
  const after = await stepFacts(served);
  const gaps = gapsOf(found);
  const firsts = found.map(({ firstMs }) => firstMs);
  return {
    ...{ streams: prompts.length, found, wallMs, tokensPerSecond: decodeRate(found) },
    gapMs: { p50: rank(gaps, 0.5), p99: rank(gaps, 0.99) },
    firstMs: { p50: rank(firsts, 0.5), p99: rank(firsts, 0.99) },
    steps: {
      count: after.count - before.count,
      seconds: after.seconds - before.seconds,
      exchanged: after.exchanged - before.exchanged,
      byCards: after.byCards - before.byCards,
      byMemory: after.byMemory - before.byMemory,
      byGrpc: after.byGrpc - before.byGrpc,
    },
  };
}

/** Milliseconds between each token and the one before it. */
export function gapsOf(found: readonly StreamTokens[]): number[] {
  return found.flatMap(({ times }) => times.slice(1).map((time, i) => time - (times[i] as number)));
}

/** Tokens a second while all streams decode: from the last first token to the first end. */
function decodeRate(found: readonly StreamTokens[]): number | undefined {
  const from = Math.max(...found.map(({ times }) => times[0] ?? 0));
  const to = Math.min(...found.map(({ times }) => times.at(-1) ?? 0));
  if (to <= from) return undefined;
  const count = found.reduce((sum, { times }) => sum + times.filter((time) => time > from && time <= to).length, 0);
  return (1000 * count) / (to - from);
}

/** Of all attention workers together. */
async function stepFacts(served: Served): Promise<StepFacts> {
  const [count, seconds, exchanged, byCards, byMemory, byGrpc] = await Promise.all([
    served.total("drover_step_seconds_count"),
    served.total("drover_step_seconds_sum"),
    served.total("drover_step_seconds_by_part_total{", 'part="exchange"'),
    served.total("drover_exchange_frames_total{", 'transport="card_memory"'),
    served.total("drover_exchange_frames_total{", 'transport="shared_memory"'),
    served.total("drover_exchange_frames_total{", 'transport="grpc"'),
  ]);
  return { count, seconds, exchanged, byCards, byMemory, byGrpc };
}
