import { expect, test } from "vitest";
import type { CardPart } from "./card-use.ts";
import { CardUse } from "./card-use.ts";

/** A part that has taken `held` bytes, `used` of which are weights. */
const part = (held: number, used: number): CardPart => ({
  memory: { used: (kind) => (kind === "weights" ? used : 0), heldBytes: held },
  graphCounts: () => ({ recorded: 2, replayed: 5 }),
});

test("what a card is used for adds up to what it had free at the start, whoever has it", () => {
  const card = { freeBytes: 1000 };
  const use = new CardUse(card);
  expect(use.bytes).toMatchObject({ weights: 0, other: 0, free: 1000 });
  use.add(part(300, 250));
  use.add(part(100, 100));
  use.add({ ...part(70, 60), kind: "vision" });
  card.freeBytes = 510;
  const { free, ...taken } = use.bytes;
  expect(taken).toEqual({ weights: 350, kv: 0, activations: 0, exchange: 0, vision: 60, unused: 60, other: 20 });
  expect(free + Object.values(taken).reduce((sum, bytes) => sum + bytes, 0)).toBe(1000);
  expect(use.graphCounts).toEqual({ recorded: 6, replayed: 15 });
});
