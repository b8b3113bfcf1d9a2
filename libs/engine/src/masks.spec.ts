import { DroverError, type MaskCursor, type MaskRequest, type StepEntry, type TokenMasks } from "@drover/core";
import { kvGeometry } from "@drover/kv";
import { describe, expect, test } from "vitest";
import { fakeEngine, taskOfLength } from "./testing/fake-engine.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 },
  "f32",
);

/** A cursor whose mask comes when the test says so. */
class CommandedCursor implements MaskCursor {
  readonly request: MaskRequest;
  readonly accepted: number[] = [];
  allowed: Uint32Array | undefined = undefined;
  isOpen = true;

  constructor(request: MaskRequest) {
    this.request = request;
  }

  accept(tokenId: number): void {
    this.accepted.push(tokenId);
    this.allowed = undefined;
  }

  [Symbol.dispose](): void {
    this.isOpen = false;
  }
}

function scene() {
  const cursors: CommandedCursor[] = [];
  const drawn: (StepEntry["draw"] | undefined)[] = [];
  const masks: TokenMasks = {
    open: (request) => {
      const cursor = new CommandedCursor(request);
      cursors.push(cursor);
      return cursor;
    },
    settle: () => undefined,
  };
  const local = fakeEngine({
    geometry,
    kvBytesMax: 4_000 * geometry.rowBytes,
    masks,
    answer: ({ tokenIds, draw }) => {
      drawn.push(draw);
      return {
        kind: "computed",
        rowCount: tokenIds.length,
        tokens: draw === undefined ? [] : [{ tokenId: 7, logprobs: undefined }],
        prompt: [],
        experts: new Uint16Array(0),
      };
    },
  });
  return { ...local, cursors, drawn };
}

const constrained = (id: string, maxTokens: number, n = 1) => ({
  ...taskOfLength(id, 3, maxTokens, n),
  grammar: "root ::= [a-z]*",
});

describe("a choice with a grammar", () => {
  test("is in no step while its mask is being made, and holds up none without a grammar", async () => {
    const { engine, cursors, drawn } = scene();
    engine.place(constrained("a", 2));
    expect(await engine.step()).toBe(false);
    engine.place(taskOfLength("free", 3, 1));
    expect(await engine.step()).toBe(true);
    expect(drawn).toMatchObject([{ allowed: undefined }]);
    const mask = Uint32Array.of(1);
    for (const cursor of cursors) cursor.allowed = mask;
    await engine.step();
    expect(drawn.at(-1)?.allowed).toBe(mask);
    expect(cursors[0]?.accepted).toEqual([7]);
    expect(await engine.step()).toBe(false);
  });

  test("begins in its grammar behind what its client has, one cursor for each choice that is not finished", () => {
    const { engine, cursors } = scene();
    const delivered = [
      { tokenIds: [4, 5], finished: false },
      { tokenIds: [6], finished: true },
      { tokenIds: [], finished: false },
    ];
    engine.place({ ...constrained("a", 9, 3), delivered });
    expect(cursors.map(({ request }) => request.tokenIds)).toEqual([[4, 5], []]);
  });

  test("does not accept its last token, and leaves its cursor with its end", async () => {
    const { engine, cursors } = scene();
    engine.place(constrained("a", 1));
    for (const cursor of cursors) cursor.allowed = Uint32Array.of(1);
    await engine.step();
    expect(cursors).toMatchObject([{ accepted: [], isOpen: false }]);
  });

  test("ends its request with what is wrong with its grammar, which another worker need not try", () => {
    const { engine, cursors, events } = scene();
    engine.place(constrained("a", 5, 2));
    cursors[0]?.request.onFault(new DroverError("invalid_argument", "takes too long"));
    expect(events.at(-1)?.event).toMatchObject({ kind: "failed", code: "invalid_argument", retryable: false });
    expect(cursors.every(({ isOpen }) => !isOpen)).toBe(true);
  });
});
