import { clusterStateOf } from "@drover/testkit";
import { expect, test } from "vitest";
import { CardRates } from "./card-rates.ts";

const card = { device: "cuda:0", weights: 1, kv: 1, activations: 1, exchange: 1, unused: 1, other: 1, free: 1 };
const state = (sentAtMs: number, progress: number, computedMs: number) =>
  clusterStateOf({
    workers: [
      { workerId: "a", status: { card, sentAtMs, progress, computedMs } },
      { workerId: "on-a-cpu", status: { sentAtMs, progress, computedMs } },
    ],
  });

test("a rate is of two reports of one life of a worker with a card, by its own clock", () => {
  const rates = new CardRates();
  expect([...rates.see(state(1000, 10, 500))]).toEqual([]);
  const found = [["a", { stepsPerSecond: 20, computing: 0.4 }]];
  expect([...rates.see(state(3000, 50, 1300))]).toEqual(found);
  expect([...rates.see(state(3000, 50, 1300))]).toEqual(found);
  expect([...rates.see(state(4000, 1, 20))]).toEqual([]);
});
