import { expect, test } from "vitest";
import { levelName, loadLevels } from "./load-level.ts";
import { tokenLength } from "./token-length.ts";

const none = { concurrency: [], rate: [], burstiness: 1, trace: undefined };

test("each number is a level, eight at once where none is named", () => {
  expect(loadLevels(none).map(levelName)).toEqual(["8 at once"]);
  expect(loadLevels({ ...none, concurrency: ["1", "32"], rate: ["0.5"] }).map(levelName)).toEqual([
    "1 at once",
    "32 at once",
    "0.5/s",
  ]);
  expect(loadLevels({ ...none, trace: "file" })).toEqual([{ kind: "trace" }]);
});

test.each([
  [{ ...none, concurrency: ["0"] }, /--concurrency/],
  [{ ...none, concurrency: ["1.5"] }, /whole numbers/],
  [{ ...none, rate: ["-1"] }, /--rate/],
  [{ ...none, rate: [""] }, /--rate/],
  [{ ...none, rate: ["1"], trace: "file" }, /--trace/],
])("what is no level is refused by its flag", (flags, problem) => {
  expect(() => loadLevels(flags)).toThrow(problem);
});

test("a length is a number or a range", () => {
  expect(tokenLength("256", "input-tokens")).toEqual({ min: 256, max: 256 });
  expect(tokenLength("1-9", "input-tokens")).toEqual({ min: 1, max: 9 });
  for (const wrong of ["", "0", "9-1", "-5", "1.5", "many"])
    expect(() => tokenLength(wrong, "input-tokens")).toThrow(/--input-tokens/);
});
