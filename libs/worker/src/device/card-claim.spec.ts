import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { claimCard } from "./card-claim.ts";
import type { WorkerDevice } from "./worker-device.ts";

const card = (id: string) => ({ kind: "cuda", name: "cuda:0", cuda: { device: { facts: { id } } } }) as WorkerDevice;
const auto = { dtype: "f32", bytesMax: "auto" } as const;

test("of two workers that would take all of a card one is refused, until the other has ended", async () => {
  const [one, other] = [card(randomUUID()), card(randomUUID())];
  const claims = await Promise.allSettled([claimCard(one, auto), claimCard(one, auto)]);
  const refused = claims.flatMap((claim) => (claim.status === "rejected" ? [claim.reason] : []));
  expect(refused).toMatchObject([{ code: "unavailable", field: "kv_memory" }]);
  await using _beside = await claimCard(other, auto);
  for (const claim of claims) if (claim.status === "fulfilled") await claim.value?.[Symbol.asyncDispose]();
  await using again = await claimCard(one, auto);
  expect(again).toBeDefined();
});

test("who has said how much, or has no card, claims nothing", async () => {
  const device = card(randomUUID());
  await using held = await claimCard(device, auto);
  expect(held).toBeDefined();
  expect(await claimCard(device, { ...auto, bytesMax: 5 })).toBeUndefined();
  expect(await claimCard({ kind: "cpu" }, auto)).toBeUndefined();
});
