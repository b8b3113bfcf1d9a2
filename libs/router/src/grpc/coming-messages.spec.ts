import { silentLogger } from "@drover/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Bodies } from "../bodies/bodies.ts";
import { BodyBudget } from "../bodies/body-budget.ts";
import { DEFLATE_RATIO_MAX, MESSAGE_PIECE_BYTES } from "../limits.ts";
import { MemoryBudget } from "../memory/memory-budget.ts";
import { ComingMessages } from "./coming-messages.ts";

const KIB = 1024;
const BUDGET = 64 * KIB;

let budget: BodyBudget;
let bodies: Bodies;
beforeEach(() => {
  budget = new BodyBudget(new MemoryBudget("bodies", BUDGET), BUDGET);
  bodies = new Bodies({ logger: silentLogger, facts: () => new Map(), budget, bytesMax: 48 * KIB });
});
afterEach(() => bodies[Symbol.asyncDispose]());

/** A message as it is on the wire. */
function framed(byteCount: number, isPacked = false): Buffer {
  const frame = Buffer.alloc(5 + byteCount, "x");
  frame.writeUInt8(isPacked ? 1 : 0);
  frame.writeUInt32BE(byteCount, 1);
  return frame;
}

it.each([1, 3, 5, 6, 4000])(
  "messages in pieces of %i bytes count as they come, in full until they are taken, and then until who took them is done",
  (pieceBytes) => {
    const sizes = [10, 0, 7];
    const bytes = Buffer.concat(sizes.map((size) => framed(size)));
    using messages = new ComingMessages(bodies);
    for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
      const isPartial = messages.add(bytes.subarray(at, at + pieceBytes));
      expect(isPartial).toBe(![0, 15, 20, 32].includes(Math.min(at + pieceBytes, bytes.byteLength)));
    }
    expect(budget.byteCount).toBe(17);
    for (const [index, size] of sizes.entries()) {
      const message = Buffer.alloc(size);
      messages.read(message);
      const left = sizes.slice(index).reduce((sum, each) => sum + each, 0);
      expect(budget.byteCount).toBe(left);
      using taken = bodies.take(message);
      expect(taken.blocks.byteLength).toBe(size);
      expect(budget.byteCount).toBe(left);
    }
    expect(budget.byteCount).toBe(0);
  },
);

it("what is of a message when its call is over counts no more, but for what its handler has taken", () => {
  const messages = new ComingMessages(bodies);
  const [taken, late] = [Buffer.alloc(100), Buffer.alloc(200)];
  messages.add(framed(100));
  messages.add(framed(200));
  messages.add(framed(300).subarray(0, 50));
  for (const message of [taken, late]) messages.read(message);
  const body = bodies.take(taken);
  messages[Symbol.dispose]();
  expect(budget.byteCount).toBe(100);
  body[Symbol.dispose]();
  expect(budget.byteCount).toBe(0);
  using after = bodies.take(late);
  expect(budget.byteCount).toBe(after.blocks.byteLength);
});

it("a message that says too much is refused at its head, one that the budget has no room for as it comes", () => {
  using holder = new ComingMessages(bodies);
  holder.add(framed(40 * KIB));
  for (const [size, code] of [
    [49 * KIB, "payload_too_large"],
    [48 * KIB, "overloaded"],
  ] as const) {
    using messages = new ComingMessages(bodies);
    expect(() => messages.add(framed(size).subarray(0, 30 * KIB))).toThrow(expect.objectContaining({ code }));
  }
});

it("many small pieces are more than their bytes, until they are a message", () => {
  using messages = new ComingMessages(bodies);
  const [count, bytes] = [100, framed(200)];
  messages.add(bytes.subarray(0, 5));
  for (let i = 0; i < count; i++) messages.add(bytes.subarray(5 + i, 6 + i));
  expect(budget.byteCount).toBe(count * (1 + MESSAGE_PIECE_BYTES));
  messages.add(bytes.subarray(5 + count));
  expect(budget.byteCount).toBe(200);
});

it("a packed message counts as what it may become until that is known", () => {
  using messages = new ComingMessages(bodies);
  messages.add(framed(20, true));
  expect(budget.byteCount).toBe(20 * DEFLATE_RATIO_MAX);
  messages.read(Buffer.alloc(900));
  expect(budget.byteCount).toBe(900);
  messages.add(framed(1000, true));
  expect(budget.byteCount).toBe(900 + bodies.heldBytesMax);
});

it("a message that is no bytes to its handler counts no longer than until it is read", () => {
  using messages = new ComingMessages(bodies);
  messages.add(framed(20));
  messages.read({ service: "x" });
  expect(budget.byteCount).toBe(0);
});
