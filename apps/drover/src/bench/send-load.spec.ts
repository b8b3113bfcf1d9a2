import { neverAborted } from "@drover/core";
import { SimClock } from "@drover/testkit";
import { expect, test } from "vitest";
import type { LoadLevel } from "./load-level.ts";
import type { Sample } from "./load-target.ts";
import { sendLoad } from "./send-load.ts";

const ANSWER_MS = 100;

async function sent(level: LoadLevel, beginMs: readonly number[], signal: AbortSignal = neverAborted) {
  const clock = new SimClock();
  const begun: { index: number; at: number }[] = [];
  const plan = { beginMs, prompt: () => ({ text: "", outputTokens: 1 }) };
  let inFlight = 0;
  let most = 0;
  const send = async (index: number): Promise<Sample> => {
    const at = clock.monotonic();
    begun.push({ index, at });
    most = Math.max(most, ++inFlight);
    await clock.sleep(ANSWER_MS, neverAborted);
    inFlight--;
    return { beginMs: at, endMs: clock.monotonic(), pieceMs: [], promptTokens: 0, outputTokens: 0 };
  };
  const samples = sendLoad({ level, plan, send, clock }, signal);
  await clock.advance(1000);
  return { begun, most, samples: await samples };
}

test("so many are in flight, and the next begins when one ends", async () => {
  const { begun, most, samples } = await sent({ kind: "concurrency", inFlight: 3 }, Array(7).fill(0));
  expect(most).toBe(3);
  expect(samples).toHaveLength(7);
  expect(begun.map(({ at }) => at - (begun[0]?.at ?? 0))).toEqual([0, 0, 0, 100, 100, 100, 200]);
});

test("requests of a rate begin at their times, whether or not others are answered", async () => {
  const { begun, most } = await sent({ kind: "rate", perSecond: 1, burstiness: 1 }, [0, 10, 20, 500]);
  expect(begun.map(({ at }) => at - (begun[0]?.at ?? 0))).toEqual([0, 10, 20, 500]);
  expect(most).toBe(3);
});

test("once it is ended nothing more begins", async () => {
  const ended = AbortSignal.abort();
  expect((await sent({ kind: "concurrency", inFlight: 3 }, [0, 0], ended)).begun).toEqual([]);
});
