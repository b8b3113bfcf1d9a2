import { existsSync } from "node:fs";
import { join } from "node:path";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "../e2e/test-cluster.ts";
import { checkFile, runGoldens, SHARED } from "./run-goldens.ts";
import { testedSettings } from "./settings.ts";

const present = existsSync(SHARED);
if (!present && process.env.CI) throw new Error("the goldens are read from ../shared, which is absent");
const binary = redisBinary();

describe.skipIf(!present)("the goldens hold through the public interface (needs ../shared)", async () => {
  const redis = binary === undefined ? undefined : new TestRedis(binary, await freePort());
  beforeAll(() => redis?.start());
  afterAll(() => redis?.[Symbol.asyncDispose]());

  test("and hold behind what the cache has of them", async () => {
    await using cluster = await TestCluster.start({
      model: join(SHARED, "nano"),
      expertWorkers: 2,
      attentionWorkers: 2,
    });
    // Without questions about the prompt, which reuse nothing, the second time around is of hits.
    for (const _ of ["cold", "warm"])
      expect(await checkFile("nano/goldens.jsonl", cluster.url, 8, ["logprobs", "experts"])).toMatch(/goldens hold/);
    const { workers } = (await (await fetch(`${cluster.url}/debug/cluster`)).json()) as {
      workers: { status?: { prefix?: { cachedTokenCount: string } } }[];
    };
    const hits = workers.map(({ status }) => Number(status?.prefix?.cachedTokenCount ?? 0));
    expect(Math.max(...hits)).toBeGreaterThan(1000);
  });

  for (const settings of testedSettings()) {
    const {
      checkpoint,
      expertWorkers,
      attentionWorkers,
      contextWorkers,
      prefillChunk,
      concurrency,
      queue,
      prefixCache,
    } = settings;
    const name = `${checkpoint}: ${expertWorkers} expert and ${attentionWorkers} attention and ${contextWorkers} context workers, chunks of ${prefillChunk}, ${concurrency} at a time, ${queue}, prefix cache ${prefixCache}`;
    test.skipIf(queue === "redis" && redis === undefined)(name, async () => {
      expect(await runGoldens(settings, redis?.url)).toMatch(/goldens hold/);
    });
  }
});
