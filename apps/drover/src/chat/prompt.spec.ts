import { type Clock, DroverError, type ErrorCode, neverAborted } from "@drover/core";
import { describe, expect, it } from "vitest";
import { PROMPT_RETRY_MS_MAX } from "../limits.ts";
import { answerOnce } from "./prompt.ts";

/** Time that passes only by sleeping. */
function sleepingClock(): Clock {
  let time = 0;
  const sleep = async (ms: number) => {
    time += ms;
  };
  return { now: () => time, monotonic: () => time, sleep };
}

function clientThatFails(times: number, code: ErrorCode) {
  const client = {
    callCount: 0,
    modelName: async () => "nano",
    answer: async () => {
      if (client.callCount++ < times) throw new DroverError(code, "not now");
      return "Paris.";
    },
  };
  return client;
}

describe("answerOnce", () => {
  it.each(["unavailable", "overloaded"] as const)("asks again while the cluster is %s", async (code) => {
    const client = clientThatFails(3, code);
    expect(await answerOnce("?", client, neverAborted, sleepingClock())).toBe("Paris.");
    expect(client.callCount).toBe(4);
  });

  it("does not ask again what was refused", async () => {
    const client = clientThatFails(1, "invalid_argument");
    await expect(answerOnce("?", client, neverAborted, sleepingClock())).rejects.toThrow("not now");
    expect(client.callCount).toBe(1);
  });

  it("gives up after its time", async () => {
    const clock = sleepingClock();
    const asked = answerOnce("?", clientThatFails(Number.POSITIVE_INFINITY, "unavailable"), neverAborted, clock);
    await expect(asked).rejects.toThrow("not now");
    expect(clock.now()).toBeGreaterThanOrEqual(PROMPT_RETRY_MS_MAX);
  });
});
