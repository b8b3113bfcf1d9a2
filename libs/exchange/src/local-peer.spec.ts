import { expect, test } from "vitest";
import { LocalPeer } from "./local-peer.ts";

/** Answers each row with twice its numbers, when it is told to. */
function slowRunner() {
  const told = Promise.withResolvers<void>();
  const run = async (_layer: number, _experts: Int32Array, _counts: Int32Array, z: Float32Array, y: Float32Array) => {
    await told.promise;
    y.set(z.map((value) => value * 2));
  };
  return { runner: { hiddenSize: 2, has: () => true, run }, tell: told.resolve };
}

const call = (rows: readonly number[], isOver?: () => boolean) => ({
  ...{ layer: 1, experts: Int32Array.of(0), counts: Int32Array.of(rows.length), rows: Int32Array.from(rows), width: 2 },
  ...{ z_aD: Float32Array.of(1, 2, 3, 4, 5, 6), y_aD: new Float32Array(6) },
  ...(isOver && { isOver }),
});

test.each([[[0, 1]], [[2, 0]]])("rows %j are answered in their own places", async (rows) => {
  const { runner, tell } = slowRunner();
  const asked = call(rows, () => false);
  const answered = new LocalPeer("a", runner).call(asked);
  tell();
  expect(await answered).toBe(true);
  expect([...asked.y_aD]).toEqual(
    [0, 1, 2].flatMap((row) => (rows.includes(row) ? [4 * row + 2, 4 * row + 4] : [0, 0])),
  );
});

test.each([[[0, 1]], [[2, 0]]])(
  "rows %j that somebody else has answered meanwhile are not touched any more",
  async (rows) => {
    const { runner, tell } = slowRunner();
    let isOver = false;
    const asked = call(rows, () => isOver);
    const answered = new LocalPeer("a", runner).call(asked);
    isOver = true;
    tell();
    expect(await answered).toBe(false);
    expect([...asked.y_aD]).toEqual(Array(6).fill(0));
  },
);
