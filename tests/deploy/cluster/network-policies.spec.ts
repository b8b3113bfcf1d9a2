import { expect, test } from "vitest";
import { allows, type End, type NetworkPolicy, type Way } from "./network-policies.ts";

const end = (name: string, isOutside = false): End => ({ labels: { name }, isOutside });
const way = (from: End, to: End, port: number): Way => ({ from, to, port, protocol: "TCP" });
const policy = (name: string, spec: Omit<NetworkPolicy["spec"], "podSelector">): NetworkPolicy => ({
  kind: "NetworkPolicy",
  metadata: { name },
  spec: { podSelector: { matchLabels: { name } }, ...spec },
});
const from = (name: string) => [{ podSelector: { matchLabels: { name } } }];
const [a, b, outside] = [end("a"), end("b"), end("", true)];

test("what no policy selects allows everything", () => {
  expect(allows([], way(a, b, 80))).toEqual({ ingress: true, egress: true });
});

test("a selected pod allows what a rule says and nothing else, each direction by itself", () => {
  const policies = [policy("b", { policyTypes: ["Ingress"], ingress: [{ from: from("a"), ports: [{ port: 80 }] }] })];
  expect(allows(policies, way(a, b, 80))).toEqual({ ingress: true, egress: true });
  expect(allows(policies, way(a, b, 81)).ingress).toBe(false);
  expect(allows(policies, way(outside, b, 80)).ingress).toBe(false);
  expect(allows(policies, way(b, a, 81))).toEqual({ ingress: true, egress: true });
});

test("a direction among the types without a rule allows nothing", () => {
  expect(allows([policy("a", { policyTypes: ["Egress"] })], way(a, b, 80)).egress).toBe(false);
});

test("policies add up", () => {
  const rules = [80, 81].map((port) => policy("b", { ingress: [{ ports: [{ port }] }] }));
  expect([80, 81, 82].map((port) => allows(rules, way(a, b, port)).ingress)).toEqual([true, true, false]);
});

test("a rule without ports is for all, one with an end for a range, and a protocol is its own", () => {
  expect(allows([policy("b", { ingress: [{}] })], way(outside, b, 9)).ingress).toBe(true);
  const range = [policy("b", { ingress: [{ ports: [{ port: 80, endPort: 90 }] }] })];
  expect([79, 80, 90, 91].map((port) => allows(range, way(a, b, port)).ingress)).toEqual([false, true, true, false]);
  expect(allows(range, { ...way(a, b, 80), protocol: "UDP" }).ingress).toBe(false);
});
