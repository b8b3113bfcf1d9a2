import type { Served } from "./served.ts";
import { gapsOf } from "./stream-level.ts";
import { rank, type StreamTokens, streamTokens } from "./stream-tokens.ts";

/** Streams that decode meanwhile, one after the other in each place. */
type ShortStreams = Readonly<{ count: number; promptOf: (i: number) => readonly number[]; generated: number }>;

const POLL_MS = 25;

/** A prompt whose old rows lie with context workers, beside short streams: what it took, what they lived through, and whether keys and values are the bytes that they should be. */
export async function stripedPrompt(
  served: Served,
  model: string,
  prompt: readonly number[],
  short: ShortStreams,
): Promise<Readonly<{ what: string; streams: string; remarks: string }>> {
  let isOver = false;
  const began = performance.now();
  const over = () => {
    isOver = true;
  };
  // Short streams that began before its first token end before its last: then its keys and values are alone.
  const asked = streamTokens(served.url, model, prompt, 2 * short.generated, over);
  asked.catch(over);
  const found: StreamTokens[] = [];
  const places = Array.from({ length: short.count }, async (_, i) => {
    while (!isOver) found.push(await streamTokens(served.url, model, short.promptOf(i), short.generated));
  });
  const beside = Promise.all(places);
  // Refused together with the others: nobody is left waiting for it.
  beside.catch(() => undefined);
  const held = await mostHeld(served, asked);
  await beside;
  const { firstMs, times } = await asked;
  const gaps = gapsOf([{ firstMs, times, tokens: [] }]);
  const shortGaps = gapsOf(found);
  const tokens = (prompt.length + times.length) * (held.tokenBytes || Number.NaN);
  const remarks = [
    `first token after ${(firstMs / 1e3).toFixed(1)} s, ${((1e3 * prompt.length) / firstMs).toFixed(0)} tokens/s; then between tokens p50 ${rank(gaps, 0.5).toFixed(2)} p99 ${rank(gaps, 0.99).toFixed(2)} ms`,
    `${found.length} short streams beside it, between tokens p50 ${rank(shortGaps, 0.5).toFixed(2)} p99 ${rank(shortGaps, 0.99).toFixed(2)} ms`,
    `keys and values of global layers at most ${held.bytes} bytes, of which ${held.striped} with context workers; its tokens are ${tokens} bytes (${((100 * held.bytes) / tokens - 100).toFixed(2)}% more are held)`,
    `${((performance.now() - began) / 1e3).toFixed(1)} s in all`,
  ].join("; ");
  return { what: `a prompt of ${prompt.length} in stripes`, streams: `1 and ${short.count}`, remarks };
}

/** Bytes of global layers when the long one is alone, at its end: all that attention workers' requests and context workers hold. */
async function mostHeld(
  served: Served,
  asked: Promise<StreamTokens>,
): Promise<Readonly<{ bytes: number; striped: number; tokenBytes: number }>> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  asked.then(end, end);
  let last = { bytes: 0, striped: 0, tokenBytes: 0 };
  while (!isOver) {
    const [own, striped, tokenBytes] = await Promise.all([
      served.total("drover_kv_layer_bytes{", 'layers="global"', 'state="referenced"'),
      served.total("drover_context_bytes{", 'kind="used"'),
      served.metric("drover_kv_token_bytes{", 'layers="global"'),
    ]);
    // What is read once the stream has ended is nothing.
    if (!isOver && own + striped > 0) last = { bytes: own + striped, striped, tokenBytes };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return last;
}
