import { assert, at } from "@drover/core";
import { BLOCK_TOKENS } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { StoredSequence } from "./stored-sequence.ts";
import { promptOf, segmentRows, settled, stripedStore } from "./testing/striped-store.ts";

const LENGTH = 3 * segmentRows + 100;

test("a prompt that comes again finds its segments, and computes what is behind them", async () => {
  const { holders, sequences, open, compute, counts } = stripedStore(10);
  const tokens = promptOf(LENGTH);
  const first = await open(tokens);
  expect(first.cachedCount).toBe(0);
  expect(await compute(first, tokens)).toBe(LENGTH);
  sequences.close(first);
  expect(counts()).toEqual([3, 3]);
  expect(sequences.digest().global.count).toBe((3 * segmentRows) / BLOCK_TOKENS);
  const second = await open(tokens);
  expect(second.cachedCount).toBe(3 * segmentRows);
  expect(counts()).toEqual([3, 0]);
  expect(await compute(second, tokens)).toBe(LENGTH - 3 * segmentRows);
  sequences.close(second);
  expect(counts()).toEqual([3, 3]);
  // The last one goes first.
  at(holders, 1).evict();
  expect(sequences.takeEvents().map(({ operation }) => operation)).toEqual(["added", "removed"]);
  expect(sequences.digest().global.count).toBe((2 * segmentRows) / BLOCK_TOKENS);
  for (const holder of holders) while (holder.kept.size > 0) holder.evict();
  sequences.takeEvents();
  expect(counts()).toEqual([0, 0]);
  expect(sequences.digest().global).toEqual({ low: 0, high: 0, count: 0 });
  sequences.cache.checkIntegrity();
});

test("the last token is computed, also of a prompt that ends with a segment; with other salts and without reuse all are", async () => {
  const { sequences, open, compute } = stripedStore(20);
  const tokens = promptOf(2 * segmentRows);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  const again = await open(tokens);
  expect(again.cachedCount).toBe(segmentRows);
  const found = [await open(tokens, "tenant"), await open(tokens, "", false)];
  expect(found.map(({ cachedCount }) => cachedCount)).toEqual([0, 0]);
});

test("sequences that begin alike read the same segments at one time, and each has its own behind them", async () => {
  const { sequences, open, compute, counts } = stripedStore(20);
  const [tokens, other] = [promptOf(LENGTH), promptOf(LENGTH, 1, 2)];
  const one = await open(tokens);
  await compute(one, tokens);
  const two = await open(other);
  expect(two.cachedCount).toBe(2 * segmentRows);
  expect(await compute(two, other)).toBe(LENGTH - 2 * segmentRows);
  expect(counts()).toEqual([4, 0]);
  expect(two.stripes?.shares(3)?.map(({ segments }) => segments)).toEqual(expect.arrayContaining([[2]]));
  sequences.close(one);
  expect(counts()).toEqual([4, 1]);
  sequences.close(two);
  expect(counts()).toEqual([4, 4]);
});

test("what is kept gives way to what is open, and what was used last stays longest", async () => {
  const { sequences, open, compute, counts } = stripedStore(4, 1);
  const old = promptOf(LENGTH);
  const first = await open(old);
  await compute(first, old);
  sequences.close(first);
  const other = promptOf(2 * segmentRows + 100, 1);
  const second = await open(other);
  expect(await compute(second, other)).toBe(other.length);
  expect(counts()).toEqual([4, 2]);
  const again = await open(promptOf(2 * segmentRows + 1));
  expect(again.cachedCount).toBe(2 * segmentRows);
});

test("of a chain with a gap no more is computed than the gap", async () => {
  const { holders, sequences, open, compute } = stripedStore(10);
  const tokens = promptOf(5 * segmentRows + 100);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  // It has segments 1 and 3.
  const holder = at(holders, 0);
  expect([...holder.segments].map((name) => name.split(" ")[1])).toEqual(["1", "3"]);
  holder.die();
  const second = await open(tokens);
  expect(second.cachedCount).toBe(3 * segmentRows);
  expect(await compute(second, tokens)).toBe(2 * segmentRows + 100);
  sequences.close(second);
  const third = await open(tokens);
  expect(third.cachedCount).toBe(5 * segmentRows);
});

test("of a segment that several sequences read and that is lost one computes the rows: the others wait while they are sent, and read them then", async () => {
  const { holders, sequences, open, compute, counts, expectRight } = stripedStore(10);
  const [tokens, other] = [promptOf(LENGTH), promptOf(LENGTH, 1, 3)];
  const one = await open(tokens);
  await compute(one, tokens);
  const two = await open(other);
  await compute(two, other);
  // It has segment 1.
  at(holders, 0).die();
  const [mine, others] = [sequences.repair(one), sequences.repair(two)];
  assert(typeof mine === "object" && typeof others === "object", "both lack it");
  expect(mine).not.toBe(others);
  expect(mine.mends).toBeDefined();
  expect(mine.mends).toBe(others.mends);
  expect([one.mends, two.mends]).toEqual([undefined, undefined]);
  for (let from = segmentRows; from < 2 * segmentRows; from += 256) {
    expect(sequences.reserve(mine, 256)).toBe(true);
    sequences.commit(mine, Int32Array.from(tokens.slice(from, from + 256)));
  }
  // While it is on its way nobody has anything to compute.
  expect([sequences.repair(two), sequences.repair(one)]).toEqual(["sending", "sending"]);
  await settled();
  expect([sequences.repair(two), sequences.repair(one)]).toEqual([undefined, undefined]);
  for (const [sequence, ids] of [[one, tokens] as const, [two, other] as const]) expectRight(sequence, ids);
  for (const sequence of [one, two]) sequences.close(sequence);
  await settled();
  expect(counts()).toEqual([3, 3]);
  expect(sequences.kvBytesUsed).toBe(0);
});

test("where the one that computes a lost segment goes, whether it is done or not, another does", async () => {
  for (const rowCount of [256, segmentRows]) {
    const { holders, sequences, open, compute, expectRight } = stripedStore(10);
    const tokens = promptOf(LENGTH);
    const one = await open(tokens);
    await compute(one, tokens);
    const two = await open(tokens);
    at(holders, 0).die();
    const repair = sequences.repair(one);
    assert(typeof repair === "object", "it is lost");
    for (let from = 0; from < rowCount; from += 256) {
      expect(sequences.reserve(repair, 256)).toBe(true);
      sequences.commit(repair, Int32Array.from(tokens.slice(segmentRows + from, segmentRows + from + 256)));
    }
    sequences.repair(one);
    sequences.close(one);
    await compute(two, tokens);
    expect(two.length).toBe(LENGTH);
    expectRight(two, tokens);
    sequences.close(two);
    expect(sequences.kvBytesUsed).toBe(0);
    sequences.cache.checkIntegrity();
  }
});

test("what a holder lets go of before it hears that it is read again is computed again", async () => {
  const { holders, sequences, open, compute } = stripedStore(10, 1);
  const tokens = promptOf(LENGTH);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  const holder = at(holders, 0);
  const { use } = holder.keeping;
  Object.assign(holder.keeping, {
    use: (sequenceId: string, segments: readonly number[]) => {
      holder.evict();
      return use(sequenceId, segments);
    },
  });
  const second = await open(tokens);
  expect(second.stripes?.lost).toBe(2);
  expect(await compute(second, tokens)).toBe(segmentRows + 100);
});

test("segments that nobody reads leave a holder that drains without a step, and go where there is no room", async () => {
  const { holders, sequences, open, compute, counts } = stripedStore(4);
  const tokens = promptOf(LENGTH);
  const first = await open(tokens);
  await compute(first, tokens);
  sequences.close(first);
  const [leaving, staying] = [at(holders, 1), at(holders, 0)];
  expect(leaving.segments.size).toBe(2);
  leaving.draining = true;
  sequences.holdersChanged();
  await settled();
  expect([leaving.segments.size, staying.segments.size, staying.kept.size]).toEqual([0, 3, 3]);
  leaving.die();
  const second = await open(tokens);
  expect(second.cachedCount).toBe(3 * segmentRows);
  sequences.close(second);
  staying.draining = true;
  sequences.holdersChanged();
  await settled();
  expect(counts()).toEqual([0, 0]);
  expect(sequences.digest().global.count).toBe(0);
});

test("without a prefix cache nothing stays with anybody", async () => {
  const { sequences, open, compute, counts } = stripedStore(10, 2, false);
  const tokens = promptOf(LENGTH);
  for (let i = 0; i < 2; i++) {
    const sequence = await open(tokens);
    expect(await compute(sequence, tokens)).toBe(LENGTH);
    expect(counts()).toEqual([3, 0]);
    sequences.close(sequence);
    expect(counts()).toEqual([0, 0]);
  }
  expect(sequences.digest().global.count).toBe(0);
});

type Action = Readonly<{
  kind: "open" | "compute" | "close" | "die" | "evict" | "drain";
  which: number;
  branch: number;
  from: number;
}>;

test("whatever ends, dies, drains and is let go of: what is read is the sequence's own beginning, and what is open is all that stays", async () => {
  const kind = fc.constantFrom<Action["kind"]>("open", "compute", "compute", "close", "close", "die", "evict", "drain");
  const action = fc.record({ kind, which: fc.nat(5), branch: fc.nat(2), from: fc.nat(2) });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), fc.integer({ min: 4, max: 9 }), async (actions, room) => {
      const { holders, sequences, open, compute, counts, expectRight } = stripedStore(room);
      const running: { sequence: StoredSequence; tokens: readonly number[] }[] = [];
      for (const { kind: what, which, branch, from } of actions) {
        const one = running[which % Math.max(1, running.length)];
        const holder = at(holders, which % holders.length);
        if (what === "open") {
          const tokens = promptOf((1 + (which % 4)) * segmentRows + 50, branch, from);
          if (sequences.isStriped(tokens.length + 1)) running.push({ tokens, sequence: await open(tokens) });
        }
        if (what === "compute" && one !== undefined) await compute(one.sequence, one.tokens, one.tokens.length - from);
        if (what === "close" && one !== undefined) {
          sequences.close(one.sequence);
          running.splice(running.indexOf(one), 1);
        }
        if (what === "die") holder.die();
        if (what === "evict") holder.evict();
        if (what === "drain") {
          holder.draining = !holder.draining;
          sequences.holdersChanged();
        }
        await settled();
        for (const { sequence, tokens } of running) {
          sequences.repair(sequence);
          expectRight(sequence, tokens);
        }
        sequences.takeEvents();
        sequences.cache.checkIntegrity();
      }
      for (const { sequence } of running) sequences.close(sequence);
      await settled();
      sequences.takeEvents();
      const [held, kept] = counts();
      expect(held).toBe(kept);
      // What is kept is what the cluster is told of.
      expect(sequences.digest().global.count * BLOCK_TOKENS).toBe((held ?? 0) * segmentRows);
      expect(sequences.kvBytesUsed).toBe(0);
    }),
    { numRuns: 40 },
  );
});
