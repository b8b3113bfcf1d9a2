import { expect, test } from "vitest";
import { PagePool } from "./page-pool.ts";

// As many slabs as a small model's keys and values have on a large card: who looked at all of them for each page would not end.
test("pages are found, given back and found again among a million slabs, and each is handed out once", () => {
  const pageUnits = { global: 1, local: 3 };
  const pool = new PagePool({ pageRows: 64, unitBytes: 2 ** 15, pageUnits, slabUnits: 3, slabCount: 2 ** 20 });
  const taken = new Set<number>();
  const take = (count: number, kind: "global" | "local") => {
    for (let i = 0; i < count; i++) {
      const { page, moves } = pool.take(kind);
      if (moves.length > 0) throw new Error("nothing has to move");
      for (let unit = page; unit < page + pageUnits[kind]; unit++) {
        if (taken.has(unit)) throw new Error(`unit ${unit} is handed out twice`);
        taken.add(unit);
      }
    }
  };
  take(200_000, "global");
  take(100_000, "local");
  for (const page of [...taken].filter((unit) => unit < 150_000 && unit % 2 === 0)) {
    pool.give(page);
    taken.delete(page);
  }
  expect(pool.count("global")).toBe(125_000);
  take(75_000, "global");
  expect([pool.count("global"), pool.count("local")]).toEqual([200_000, 100_000]);
});
