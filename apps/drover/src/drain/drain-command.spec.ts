import { DroverError, neverAborted } from "@drover/core";
import type { DrainReply, DrainState } from "@drover/fleet";
import { SimClock } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { DRAIN_POLL_MS } from "../limits.ts";
import type { DrainQuestion } from "./drain-client.ts";
import { waitUntilDrained, waitUntilServing } from "./drain-command.ts";

type Answer = DrainReply | DroverError;

/** What the command says and how it ends where the scheduler gives one answer after another, the last one again and again. */
async function wait(answers: readonly Answer[], { timeoutMs = 60_000, until = waitUntilDrained } = {}) {
  const clock = new SimClock();
  const said: string[] = [];
  const asked: DrainQuestion[] = [];
  const client = {
    ask: async (question: DrainQuestion): Promise<DrainReply> => {
      const answer = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(question);
      if (answer instanceof DroverError) throw answer;
      if (answer === undefined) throw new Error("there is an answer");
      return answer;
    },
  };
  const ends = until({ worker: "w", client, timeoutMs, clock, print: (line) => said.push(line) }, neverAborted);
  let over = false;
  const end = () => {
    over = true;
  };
  void ends.then(end, end);
  for (let i = 0; i < 500 && !over; i++) await clock.advance(DRAIN_POLL_MS);
  return { status: await ends, said, asked };
}

const waits = (incarnation: string): DrainReply => ({ incarnation, draining: false, state: undefined });
const drains = (facts: Partial<DrainState>): DrainReply => ({
  incarnation: "1",
  draining: true,
  state: { drained: false, expertsDrained: false, obstacle: undefined, expertCount: 0, requestCount: 0, ...facts },
});

describe("drover drain", () => {
  it("asks one life of the worker until it is drained, and says what changes", async () => {
    const { status, said, asked } = await wait([
      waits("1"),
      waits("1"),
      drains({ expertCount: 8, requestCount: 2 }),
      drains({ expertCount: 8, requestCount: 2 }),
      new DroverError("unavailable", "this scheduler stands by"),
      drains({ expertsDrained: true, requestCount: 1 }),
      drains({ expertsDrained: true, drained: true }),
    ]);
    expect(status).toBe(0);
    expect(said).toEqual([
      "w is asked to drain.",
      "w drains: 8 experts are there until others have loaded them, 2 requests run.",
      "this scheduler stands by",
      "w drains: 1 requests run.",
      "w is drained: it may be ended.",
    ]);
    expect(asked.map(({ incarnation }) => incarnation)).toEqual([undefined, ...new Array(6).fill("1")]);
  });

  it.each<[string, Answer, RegExp]>([
    ["whose experts fit nowhere else", drains({ obstacle: "memory is short" }), /cannot be drained: memory is short/],
    ["that was started anew", waits("2"), /started anew/],
    ["that is gone", new DroverError("not_found", "no worker"), /gone before/],
  ])("ends with 1 for a worker %s", async (_, answer, text) => {
    const { status, said } = await wait([waits("1"), answer]);
    expect([status, said.length]).toEqual([1, 1]);
    expect(said[0]).toMatch(text);
  });

  it("ends with 1 when the time is up", async () => {
    const { status, said } = await wait([waits("1")], { timeoutMs: 2000 });
    expect(status).toBe(1);
    expect(said.at(-1)).toMatch(/the time is up/);
  });

  it("tells what is wrong at the first question", async () => {
    await expect(wait([new DroverError("not_found", "no worker is called w")])).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

describe("drover drain --undo", () => {
  const until = waitUntilServing;

  it("asks again until the worker serves, whichever scheduler leads", async () => {
    const away = new DroverError("unavailable", "this scheduler stands by");
    const { status, said, asked } = await wait([drains({}), away, drains({}), waits("1")], { until });
    expect([status, said]).toEqual([0, ["w is asked to serve again."]]);
    expect(asked.map(({ undo, incarnation }) => [undo, incarnation])).toEqual([
      [true, undefined],
      ...new Array(3).fill([true, "1"]),
    ]);
  });

  it.each<[string, Answer]>([
    ["gone", new DroverError("not_found", "no worker")],
    ["started anew", { ...drains({}), incarnation: "2" }],
  ])("has nothing to take back from a worker that is %s", async (_, answer) => {
    expect((await wait([drains({}), answer], { until })).status).toBe(0);
  });

  it("ends with 1 where the worker still drains when the time is up", async () => {
    const { status, said } = await wait([drains({})], { until, timeoutMs: 2000 });
    expect([status, said.at(-1)]).toEqual([1, "the time is up, and w still drains."]);
  });
});
