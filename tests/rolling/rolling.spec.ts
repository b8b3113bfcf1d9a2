import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { knownAnswers } from "../e2e/known-stream.ts";
import { readSse } from "../e2e/read-sse.ts";
import { RollingFleet } from "./rolling-fleet.ts";
import { logged, rollingRestart } from "./rolling-restart.ts";

const model = join(import.meta.dirname, "../../models/nano");
const STREAMS = 8;
/** More tokens than are there before a short grace is over. */
const LONG = { model: "nano", prompt: "Once upon a time", ignore_eos: true, max_tokens: 20_000, stream: true };

describe("a fleet that is restarted process by process", () => {
  let fleet: RollingFleet;

  beforeAll(async () => {
    fleet = await RollingFleet.start({
      model,
      attentionWorkers: 2,
      expertWorkers: 2,
      routers: 2,
      drainDelayMs: 500,
      attentionDelayMs: 0,
      // Too short for a stream: attention workers have to hand back what they have.
      graceMs: { router: 60_000, attention: 50, experts: 60_000 },
    });
  });

  afterAll(() => fleet[Symbol.asyncDispose]());

  test("drops no stream that its routers may finish, and changes no token", async () => {
    const report = await rollingRestart(fleet, await knownAnswers(fleet.post), STREAMS);
    const { tally, cut, handedBack } = report;
    console.log(`rolling restart: ${JSON.stringify({ ...report, tally: undefined, right: tally.right })}`);
    expect(tally.violations, fleet.output).toEqual([]);
    expect([...tally.errors], fleet.output).toEqual([]);
    expect(cut).toBe(0);
    expect(handedBack).toBeGreaterThan(0);
    expect(tally.right).toBeGreaterThan(STREAMS);
  });

  test("tells a stream that outlives its router to ask again, and counts it apart", async () => {
    fleet.routerGraceMs = 200;
    for (let routers = fleet.routerCount; routers > 0; routers--) await fleet.restartRouter();
    const streams = await Promise.all(
      Array.from({ length: fleet.routerCount }, () => fleet.post("/v1/completions", LONG)),
    );
    const ends = streams.map(async ({ body }) => {
      let last = "";
      if (body !== null) for await (const data of readSse(body)) last = data;
      return last;
    });
    const drained = logged(await fleet.restartRouter(), "router.drained");
    expect(drained).toMatchObject({ finished: 0, cut: 1 });
    // The other router's stream goes on.
    expect(JSON.parse(await Promise.race(ends))).toMatchObject({ error: { code: "unavailable" } });
  });
});
