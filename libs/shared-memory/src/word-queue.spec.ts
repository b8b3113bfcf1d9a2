import fc from "fast-check";
import { expect, test } from "vitest";
import { WordQueue } from "./word-queue.ts";

const CAPACITY = 8;
const queues = () => {
  const words = new Uint32Array(WordQueue.wordCount(CAPACITY));
  return { writer: new WordQueue(words), reader: new WordQueue(words) };
};

test("numbers come in the order in which they were written, and whoever sleeps is woken exactly once", () => {
  const steps = fc.array(fc.constantFrom("push", "take", "sleep"), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (acts) => {
      const { writer, reader } = queues();
      const waiting: number[] = [];
      let [next, isAsleep] = [1, false];
      for (const act of acts) {
        if (act === "push" && waiting.length < CAPACITY) {
          waiting.push(next);
          expect(writer.push(next++)).toBe(isAsleep);
          isAsleep = false;
        } else if (act === "take") expect(reader.take()).toBe(waiting.shift());
        else if (act === "sleep") {
          isAsleep = waiting.length === 0;
          expect(reader.sleep()).toBe(isAsleep);
        }
      }
    }),
    { numRuns: 50 },
  );
});
