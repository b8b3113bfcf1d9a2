import { requestId } from "@drover/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Tombstones } from "./tombstones.ts";

const id = requestId("r");

test("an attempt is over once it or a newer one was said to be, in whatever order they were", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { minLength: 1 }), (attempts) => {
      const tombstones = new Tombstones();
      for (const attempt of attempts) tombstones.add(id, attempt);
      const isOver = Array.from({ length: 11 }, (_, attempt) => tombstones.has(id, attempt));
      expect(isOver).toEqual(isOver.map((_, attempt) => attempt <= Math.max(...attempts)));
    }),
  );
});

test("what is said of one request says nothing of another", () => {
  const tombstones = new Tombstones();
  tombstones.add(id, 3);
  expect(tombstones.has(requestId("other"), 0)).toBe(false);
});
