import { OutputLengths } from "@drover/batching";
import { expect, test } from "vitest";
import { longestAlone, roomRefusal } from "./admission.ts";
import { taskOfLength } from "./testing/fake-engine.ts";
import { FakeSequences } from "./testing/fake-sequences.ts";

const geometry = { isGlobalLayer: [false, true], chunkRows: 64, segmentRows: 128, blockRows: 16, rowBytes: 4 };

/** Context workers that have room for 1,000 rows, of which others have `taken`. */
class StripedSequences extends FakeSequences {
  override readonly stripedRowsMax: number = 1000;
  override readonly stripedRowsFree: number;

  constructor(taken: number) {
    super(geometry, 100_000);
    this.stripedRowsFree = 1000 - taken;
  }

  override isStriped(rowCount = 0): boolean {
    return rowCount > 100 && rowCount <= this.stripedRowsMax;
  }
}

const refusal = (taken: number, promptLength: number, maxTokens: number, n: number) => {
  const options = { sequences: new StripedSequences(taken), geometry, prefillRowsMax: 64 };
  const task = taskOfLength("a", promptLength, maxTokens);
  return roomRefusal({ ...task, params: { ...task.params, n } }, [], new OutputLengths(), options)?.code;
};

test("a striped request waits for room that may come, and is refused where all of the context workers' KV is too little for its choices", () => {
  expect(refusal(0, 400, 100, 2)).toBeUndefined();
  expect(refusal(1, 400, 100, 2)).toBe("overloaded");
  expect(refusal(0, 400, 100, 3)).toBe("invalid_argument");
});

test("an idle worker takes whatever it can hold alone", () => {
  const options = { sequences: new FakeSequences(geometry, 10_000), geometry, prefillRowsMax: 64 };
  const longest = longestAlone(options);
  for (const length of [1, 100, longest - 1])
    expect(roomRefusal(taskOfLength("a", length, longest - length), [], new OutputLengths(), options)).toBeUndefined();
});
