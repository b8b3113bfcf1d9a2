import { expect, test } from "vitest";
import { costTable } from "./cost-table.ts";

test("a process that runs several specs is counted for each by what it used since the last one, and the sum is of all", () => {
  const lines = [
    { pid: 1, spec: "a", own: 1, children: 10 },
    { pid: 2, spec: "b", own: 2, children: 0 },
    { pid: 2, spec: "c", own: 5, children: 1 },
  ];
  expect(costTable(lines, 1).split("\n").slice(2)).toEqual([
    "| a | 11.0 | 10.0 |",
    "| 2 others | 6.0 | 1.0 |",
    "| all 3 | 17.0 | 11.0 |",
  ]);
});
