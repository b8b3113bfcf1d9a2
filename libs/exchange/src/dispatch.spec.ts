import fc from "fast-check";
import { expect, test } from "vitest";
import { consecutiveRows, dispatchByExpert, gatherRows, scatterRows } from "./dispatch.ts";

const rows = fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: 64 });

test("every row goes to its own expert, once, in the step's order", () => {
  fc.assert(
    fc.property(rows, (list) => {
      const { order, experts, counts } = dispatchByExpert(Int32Array.from(list), 16);
      expect([...order].sort((a, b) => a - b)).toEqual(list.map((_, i) => i));
      let at = 0;
      experts.forEach((expert, i) => {
        const mine = [...order.slice(at, at + (counts[i] ?? 0))];
        expect(mine).toEqual(list.flatMap((e, row) => (e === expert ? [row] : [])));
        at += counts[i] ?? 0;
      });
      expect(at).toBe(list.length);
    }),
  );
});

test("scattering gathered rows gives the rows back", () => {
  fc.assert(
    fc.property(rows, (list) => {
      const data = Float32Array.from({ length: list.length * 3 }, (_, i) => i + 1);
      const { order } = dispatchByExpert(Int32Array.from(list), 16);
      const sorted = new Float32Array(data.length);
      gatherRows(data, order, 3, sorted);
      const back = new Float32Array(data.length);
      scatterRows(sorted, order, 3, back);
      expect(back).toEqual(data);
    }),
  );
});

test("rows that follow each other are a view of what gathering would copy, and others are none", () => {
  const data = Float32Array.from({ length: 60 }, (_, i) => i);
  fc.assert(
    fc.property(fc.nat(9), fc.integer({ min: 1, max: 10 }), fc.option(fc.nat(9)), (first, count, odd) => {
      const named = Int32Array.from({ length: count }, (_, i) => first + i);
      if (odd !== null) named[odd % count] = 19;
      const view = consecutiveRows(data, named, 3);
      const follows = named.every((row, i) => i === 0 || row === (named[i - 1] ?? 0) + 1);
      expect(view !== undefined).toBe(follows);
      if (view === undefined) return;
      const sorted = new Float32Array(count * 3);
      gatherRows(data, named, 3, sorted);
      expect(view).toEqual(sorted);
      expect(view.buffer).toBe(data.buffer);
    }),
  );
});
