import { describe, expect, it } from "vitest";
import { type AdminAnswer, type AdminQuestion, json } from "./admin-messages.ts";
import { AdminPages } from "./admin-pages.ts";
import { READY_SILENCE_MS_MAX } from "./limits.ts";

const STALL_AFTER_MS = 60_000;

const get = (path: string): AdminQuestion => ({ method: "GET", path, query: "" });

/** Pages over a main loop that last turned at 0 and answers by `main`. */
function scene(main: (question: AdminQuestion) => AdminAnswer | undefined = () => undefined) {
  let nowMs = 0;
  const pages = new AdminPages({
    labels: { process: "worker" },
    stallAfterMs: STALL_AFTER_MS,
    beat: new BigInt64Array(new SharedArrayBuffer(8)),
    now: () => BigInt(nowMs) * 1_000_000n,
    ask: (question) => {
      const answer = main(question);
      return answer === undefined ? new Promise(() => undefined) : Promise.resolve(answer);
    },
    answerMsMax: 1,
  });
  const passMs = (ms: number) => {
    nowMs += ms;
  };
  return { pages, passMs };
}

describe("AdminPages", () => {
  it("calls a silent process alive until it was silent for longer than it may be", async () => {
    const { pages, passMs } = scene();
    passMs(STALL_AFTER_MS);
    expect((await pages.answer(get("/livez"))).status).toBe(200);
    passMs(1);
    const late = await pages.answer(get("/livez"));
    expect([late.status, JSON.parse(late.body)]).toEqual([
      503,
      { status: "unavailable", reason: "the main loop has not turned for 60 s" },
    ]);
  });

  it("says that a process is ready only when its main loop said so, and takes it back after a long silence", async () => {
    const { pages, passMs } = scene();
    const status = async () => (await pages.answer(get("/readyz"))).status;
    expect(await status()).toBe(503);
    pages.readiness = "no expert map yet";
    expect(JSON.parse((await pages.answer(get("/readyz"))).body)).toMatchObject({ reason: "no expert map yet" });
    pages.readiness = null;
    expect(await status()).toBe(200);
    passMs(READY_SILENCE_MS_MAX + 1);
    expect(await status()).toBe(503);
  });

  it("serves the last metrics of a main loop that does not answer, and how old they are", async () => {
    let answers = true;
    const { pages, passMs } = scene(() => (answers ? { ...json(200, 0), body: "steps 7\n" } : undefined));
    const fresh = (await pages.answer(get("/metrics"))).body;
    expect(fresh).toMatch(/^steps 7\n/);
    expect(fresh).toContain('drover_metrics_age_seconds{process="worker"} 0\n');
    answers = false;
    passMs(4000);
    const old = await pages.answer(get("/metrics"));
    expect(old.status).toBe(200);
    expect(old.body).toMatch(/^steps 7\n/);
    expect(old.body).toContain('drover_metrics_age_seconds{process="worker"} 4\n');
    expect(old.body).toContain('drover_main_loop_silent_seconds{process="worker"} 4\n');
  });

  it("answers 503 for what a main loop that is too busy would have to say", async () => {
    const { pages } = scene();
    for (const path of ["/metrics", "/debug/worker"]) {
      const answer = await pages.answer(get(path));
      expect([answer.status, JSON.parse(answer.body).error]).toEqual([503, expect.stringContaining("busy")]);
    }
  });

  it("asks the main loop once for scrapes that come together", async () => {
    let asked = 0;
    const { pages } = scene(() => {
      asked += 1;
      return json(200, 0);
    });
    await Promise.all([pages.answer(get("/metrics")), pages.answer(get("/metrics"))]);
    expect(asked).toBe(1);
  });
});
