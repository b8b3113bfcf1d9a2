import { existsSync } from "node:fs";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runGoldens, SHARED } from "./run-goldens.ts";
import { pairwiseSettings } from "./settings.ts";

const present = existsSync(SHARED);
if (!present && process.env.CI) throw new Error("the goldens are read from ../shared, which is absent");
const binary = redisBinary();

describe.skipIf(!present)("the goldens hold through the public interface (needs ../shared)", async () => {
  const redis = binary === undefined ? undefined : new TestRedis(binary, await freePort());
  beforeAll(() => redis?.start());
  afterAll(() => redis?.[Symbol.asyncDispose]());

  for (const settings of pairwiseSettings()) {
    const { checkpoint, expertWorkers, attentionWorkers, prefillChunk, concurrency, queue, prefixCache } = settings;
    const name = `${checkpoint}: ${expertWorkers} expert and ${attentionWorkers} attention workers, chunks of ${prefillChunk}, ${concurrency} at a time, ${queue}, prefix cache ${prefixCache}`;
    test.skipIf(queue === "redis" && redis === undefined)(name, { timeout: 300_000 }, async () => {
      expect(await runGoldens(settings, redis?.url)).toMatch(/goldens hold/);
    });
  }
});
