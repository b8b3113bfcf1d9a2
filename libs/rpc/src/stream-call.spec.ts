import { DroverError } from "@drover/core";
import { SimClock } from "@drover/testkit";
import { expect, test } from "vitest";
import { type StreamListener, translated } from "./stream-call.ts";
import { SimPeers } from "./testing/sim-peers.ts";

/** A call in numbers to a peer that speaks in texts, and what its caller was told. */
function scene() {
  const peers = new SimPeers<string, string>(new SimClock());
  const told: string[] = [];
  const open = translated(
    peers.open,
    (request: number) => `request ${request}`,
    (text) => {
      if (Number.isNaN(Number(text))) throw new DroverError("invalid_argument", "is no number", { field: "count" });
      return Number(text);
    },
  );
  const listener: StreamListener<number> = {
    onHeaders: () => told.push("headers"),
    onMessage: (reply) => told.push(`reply ${reply + 1}`),
    onDrain: () => told.push("drain"),
    onEnd: (reason) => told.push(`end: ${reason}`),
  };
  return { call: open("a", listener), peers, told };
}

test("a translated call writes and reads values, and tells all else as it is", () => {
  const { call, peers, told } = scene();
  expect(call.write(7)).toBe(true);
  const { listener, written } = peers.last;
  listener.onHeaders();
  listener.onMessage("41");
  listener.onDrain();
  listener.onEnd("broken");
  expect([written, told]).toEqual([["request 7"], ["headers", "reply 42", "drain", "end: broken"]]);
});

test("a translated call ends at a reply that cannot be read, and says which field", () => {
  const { peers, told } = scene();
  peers.last.listener.onMessage("noise");
  expect([peers.last.cancelled, told]).toEqual([true, ["end: count: is no number"]]);
});
