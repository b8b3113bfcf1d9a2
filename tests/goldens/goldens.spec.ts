import { existsSync } from "node:fs";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestCluster } from "../e2e/test-cluster.ts";
import { checkFile, runGoldens, SHARED } from "./run-goldens.ts";
import { type Settings, testedSettings } from "./settings.ts";

const present = existsSync(SHARED);
if (!present && process.env.CI) throw new Error("the goldens are read from ../shared, which is absent");
const binary = redisBinary();

/** Those of a quantized checkpoint whose prompts are short are asked a second time, of the same cluster, as a cluster costs more than the answers. */
const isAskedTwice = ({ checkpoint, prefixCache }: Settings) => checkpoint === "nano-fp8" && prefixCache === "on";
if (!testedSettings().some(isAskedTwice)) throw new Error("no cluster of these is asked behind what its cache has");

async function holdsBehindCache(cluster: TestCluster, settings: Settings): Promise<void> {
  const { checkpoint, concurrency } = settings;
  if (!isAskedTwice(settings)) return;
  // Without questions about the prompt, which reuse nothing: what the first time around has left is hit.
  const asked = [`${checkpoint}/goldens.jsonl`, cluster.url, concurrency, ["logprobs", "experts"]] as const;
  expect(await checkFile(...asked)).toMatch(/goldens hold/);
  const { workers } = (await (await fetch(`${cluster.url}/debug/cluster`)).json()) as {
    workers: { status?: { prefix?: { cachedTokenCount: string } } }[];
  };
  const hits = workers.map(({ status }) => Number(status?.prefix?.cachedTokenCount ?? 0));
  expect(Math.max(...hits)).toBeGreaterThan(1000);
}

describe.skipIf(!present)("the goldens hold through the public interface (needs ../shared)", async () => {
  const redis = binary === undefined ? undefined : new TestRedis(binary, await freePort());
  beforeAll(() => redis?.start());
  afterAll(() => redis?.[Symbol.asyncDispose]());

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
      expect(await runGoldens(settings, redis?.url, holdsBehindCache)).toMatch(/goldens hold/);
    });
  }
});
