import { SimClock } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { lineBlocks } from "./line-blocks.ts";

async function* all(lines: readonly string[]) {
  yield* lines;
}

function blocksOf(lines: readonly string[], isPerson: boolean): Promise<string[]> {
  return Array.fromAsync(lineBlocks(all(lines), { isPerson, clock: new SimClock(), onOpen: () => undefined }));
}

describe("blocks of lines", () => {
  it("are what stands between fences, wherever these are", async () => {
    const lines = ['"""', "one", "", "two", '"""', '"""three', 'four"""', '"""five"""', "six"];
    expect(await blocksOf(lines, false)).toEqual(["one\n\ntwo", "three\nfour", "five", "six"]);
  });

  it("end with the input where a fence has no end", async () => {
    expect(await blocksOf(['"""one', "two"], false)).toEqual(["one\ntwo"]);
  });

  it("are single lines of a file, and of a person what comes at once", async () => {
    expect(await blocksOf(["one", "two"], false)).toEqual(["one", "two"]);
    expect(await blocksOf(["one", "two"], true)).toEqual(["one\ntwo"]);
  });
});
