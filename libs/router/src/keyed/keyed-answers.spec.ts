import { DroverError, neverAborted, type PutCondition, routerId, silentLogger } from "@drover/core";
import { EmbeddedPayloadStore } from "@drover/queue";
import { SimClock } from "@drover/testkit";
import { expect, it } from "vitest";
import { KEYED_ANSWER_BYTES_MAX, KEYED_ANSWER_MS, KEYED_ANSWERS_BYTES_MAX } from "../limits.ts";
import { KeyedAnswers } from "./keyed-answers.ts";
import { newOrigin } from "./origin.ts";

/** Takes no large values while it is away. */
class Store extends EmbeddedPayloadStore {
  isAway = false;

  override async putIf(key: string, bytes: Uint8Array, ttlMs: number, condition: PutCondition, signal: AbortSignal) {
    if (this.isAway && bytes.length > 1024) throw new DroverError("unavailable", "away");
    return super.putIf(key, bytes, ttlMs, condition, signal);
  }
}

it("answers that the store did not take have no room once their time is over", async () => {
  const clock = new SimClock();
  const store = new Store(clock);
  const metrics = { keyedResumed: () => undefined, keyedUnkept: () => undefined };
  const answers = new KeyedAnswers({ store, routerId: routerId("r"), clock, logger: silentLogger, metrics });
  const text = "x".repeat(KEYED_ANSWER_BYTES_MAX - 1024);
  let made = 0;
  const ask = async (key: string) => {
    const request = { owner: "", key, digest: "d", lastEventId: undefined };
    const origin = () => newOrigin(clock, { contextTokensMax: 100 });
    const make = async (answer: { push: (part: string) => void }) => {
      made += 1;
      answer.push(text);
    };
    const answer = await answers.answer(request, origin, make, neverAborted);
    const parts = [];
    for await (const part of answer.read(0, neverAborted)) parts.push(part);
    return parts.join("");
  };
  store.isAway = true;
  const lost = Math.ceil(KEYED_ANSWERS_BYTES_MAX / text.length) + 1;
  for (let i = 0; i < lost; i++) expect(await ask(`lost-${i}`)).toBe(text);
  store.isAway = false;
  await clock.advance(KEYED_ANSWER_MS);
  expect(await ask("kept")).toBe(text);
  expect(await ask("kept")).toBe(text);
  expect(made).toBe(lost + 1);
});
