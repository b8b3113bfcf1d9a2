import { setImmediate as nextTurn } from "node:timers/promises";
import { kvGeometry } from "@drover/kv";
import { expect, test } from "vitest";
import { fakeEngine, taskOfLength } from "./testing/fake-engine.ts";

const geometry = kvGeometry({ isGlobalLayer: [false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 }, "f32");

test("an engine without work lets what a request was answered leave before its first step", async () => {
  const seen: string[] = [];
  const breathe = () => {
    seen.push("turn");
    return nextTurn();
  };
  const { engine, runner } = fakeEngine({ geometry, kvBytesMax: 400 * geometry.rowBytes, breathe });
  const idle = Promise.withResolvers<void>();
  runner.clock.sleep = (_, signal) => {
    idle.resolve();
    return new Promise((_done, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  };
  const ended = new AbortController();
  const running = engine.run(ended.signal);
  await idle.promise;
  seen.length = 0;
  const first = new Promise<void>((done) => {
    runner.onSubmit = () => {
      seen.push("step");
      done();
    };
  });
  engine.place(taskOfLength("r", 3, 2));
  await first;
  expect(seen).toEqual(["turn", "step"]);
  ended.abort();
  await running;
});
