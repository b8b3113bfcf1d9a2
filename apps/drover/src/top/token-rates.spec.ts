import { clusterStateOf } from "@drover/testkit";
import { expect, it } from "vitest";
import { TokenRates } from "./token-rates.ts";

const said = (sentAtMs: number, generatedTokenCount: number) =>
  clusterStateOf({ workers: [{ workerId: "a", roles: ["attention"], status: { sentAtMs, generatedTokenCount } }] });

it("a rate is what a worker's reports differ by, and the same report does not change it", () => {
  const rates = new TokenRates();
  expect([...rates.see(said(1000, 50))]).toEqual([]);
  expect(rates.see(said(3000, 150)).get("a")).toBe(50);
  expect(rates.see(said(3000, 150)).get("a")).toBe(50);
  expect(rates.see(said(4000, 150)).get("a")).toBe(0);
});

it("a worker that started anew, or is new, has no rate", () => {
  const rates = new TokenRates();
  rates.see(said(1000, 50));
  expect([...rates.see(said(2000, 3))]).toEqual([]);
  expect(rates.see(said(3000, 4)).get("a")).toBe(1);
  rates.see(clusterStateOf({ workers: [] }));
  expect([...rates.see(said(4000, 9))]).toEqual([]);
});
