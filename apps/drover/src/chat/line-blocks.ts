import { type Clock, neverAborted } from "@drover/core";
import { PASTE_GAP_MS } from "../limits.ts";

const FENCE = '"""';

/**
 * Joins lines that belong together: those between two `"""`, and at a terminal those that come at once, as a paste does. The last block needs no closing
 * fence. `onOpen` is called when a fence waits for its end.
 */
export async function* lineBlocks(
  lines: AsyncIterable<string>,
  { isPerson, clock, onOpen }: Readonly<{ isPerson: boolean; clock: Clock; onOpen: () => void }>,
): AsyncGenerator<string, void, undefined> {
  const source = lines[Symbol.asyncIterator]();
  let next = source.next();
  for (;;) {
    const first = await next;
    if (first.done === true) return;
    next = source.next();
    const block = [first.value];
    while (isOpen(block)) {
      onOpen();
      const more = await next;
      if (more.done === true) break;
      next = source.next();
      block.push(more.value);
    }
    while (isPerson && !block.join("").includes(FENCE)) {
      const more = await Promise.race([next, clock.sleep(PASTE_GAP_MS, neverAborted)]);
      if (more === undefined || more.done === true) break;
      next = source.next();
      block.push(more.value);
    }
    yield withoutFences(block.join("\n"));
  }
}

/** A fence without its end. */
function isOpen(block: readonly string[]): boolean {
  const text = block.join("\n");
  return text.trimStart().startsWith(FENCE) && text.indexOf(FENCE, text.indexOf(FENCE) + FENCE.length) < 0;
}

function withoutFences(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.startsWith(FENCE)) return text;
  const inner = trimmed.slice(FENCE.length);
  return (inner.endsWith(FENCE) ? inner.slice(0, -FENCE.length) : inner).trim();
}
