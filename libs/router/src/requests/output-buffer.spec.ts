import type { Output } from "@drover/openai";
import { expect, it } from "vitest";
import { UNREAD_SHARE_BYTES } from "../limits.ts";
import { memoryBudgets } from "../memory/memory-budgets.ts";
import { RequestMemory } from "../memory/request-memory.ts";
import { OutputBuffer } from "./output-buffer.ts";

const token = (length: number): Output => ({
  kind: "token",
  ...{ choice: 0, tokenId: 1, text: "x".repeat(length), toolCalls: [], logprob: undefined },
  ...{ textOffset: 0, shownCount: 0, experts: undefined, finish: undefined },
});
const END = { kind: "end", cachedTokenCount: 0 } as const;

function scene() {
  const budgets = memoryBudgets({ unread: 4 * UNREAD_SHARE_BYTES });
  const memory = new RequestMemory(budgets);
  return { unread: budgets.unread, memory, buffer: new OutputBuffer(memory) };
}

it("what its reader was given counts until that has passed it on", async () => {
  const { unread, buffer } = scene();
  const passed = Promise.withResolvers<void>();
  const over = buffer.read((outputs) => (outputs.length > 1 ? passed.promise : undefined));
  buffer.push(token(1000));
  buffer.push(token(1000));
  await Promise.resolve();
  await Promise.resolve();
  expect(unread.byteCount).toBeGreaterThan(4000);
  buffer.push(END);
  buffer.end();
  passed.resolve();
  await over;
  expect(unread.byteCount).toBe(0);
});

it("one who takes output by output has none counted once it asks for the next", async () => {
  const { unread, buffer } = scene();
  const reader = buffer[Symbol.asyncIterator]();
  buffer.push(token(1000));
  await reader.next();
  expect(unread.byteCount).toBeGreaterThan(2000);
  const next = reader.next();
  await Promise.resolve();
  expect(unread.byteCount).toBe(0);
  buffer.end();
  expect((await next).done).toBe(true);
});

it("where all readers leave too much, one with more than its share is refused; its end comes through, and its request's end gives all back", async () => {
  const { unread, memory, buffer } = scene();
  expect(unread.take(4 * UNREAD_SHARE_BYTES)).toBe(true);
  let taken = 0;
  while (buffer.push(token(1000))) taken++;
  expect(taken).toBe(Math.floor(UNREAD_SHARE_BYTES / 2096));
  expect(buffer.push(END)).toBe(true);
  memory[Symbol.dispose]();
  expect(unread.byteCount).toBe(4 * UNREAD_SHARE_BYTES);
});
