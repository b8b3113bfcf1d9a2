import fc from "fast-check";
import { expect, test } from "vitest";
import { dispatchByExpert, gatherRows, scatterRows } from "./dispatch.ts";

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
      const back = new Float32Array(data.length);
      scatterRows(gatherRows(data, order, 0, list.length, 3), order, 0, list.length, 3, back);
      expect(back).toEqual(data);
    }),
  );
});
