import { kvGeometry } from "@drover/kv";
import { expect, test } from "vitest";
import { type FakeEngine, fakeEngine, taskOfLength } from "./testing/fake-engine.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 },
  "f32",
);

const engineOfRows = (rows: number) => fakeEngine({ geometry, kvBytesMax: rows * 4 * geometry.rowBytes });

/** What routers were told, by request: its tokens' count, and how it ended. */
function told({ events }: FakeEngine): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { requestId, event } of events) {
    if (event.kind === "token") out[requestId] = `${Number(out[requestId] ?? 0) + 1}`;
    if (event.kind === "failed")
      out[requestId] = `${out[requestId] ?? 0} ${event.handedBack ? "handed back" : "failed"}`;
    if (event.kind === "done") out[requestId] = `${out[requestId] ?? 0} done`;
  }
  return out;
}

test("only what no step has served goes back while a worker finishes what it has begun", async () => {
  const local = engineOfRows(1000);
  local.engine.place(taskOfLength("begun", 3, 5));
  await local.engine.step();
  local.engine.place(taskOfLength("waiting", 3, 5));
  expect(local.engine.handBack("waiting")).toBe(1);
  expect(told(local).waiting).toBe("0 handed back");
  while (local.engine.load().runningCount > 0) await local.engine.step();
  local.engine.flush();
  expect(told(local).begun).toBe("5 done");
});

test("a worker that ends hands back everything behind the tokens that it has sent, and holds no KV after it", async () => {
  const local = engineOfRows(1000);
  local.engine.place(taskOfLength("a", 3, 50));
  local.engine.place(taskOfLength("b", 3, 50, 2));
  for (let step = 0; step < 4; step++) await local.engine.step();
  expect(local.engine.handBack("all")).toBe(2);
  expect(told(local)).toEqual({ a: "4 handed back", b: "8 handed back" });
  expect(local.sequences.kvBytesUsed).toBe(0);
  expect(local.engine.handBack("all")).toBe(0);
});

test("a request whose step runs is handed back once, with nothing of that step", async () => {
  const local = engineOfRows(1000);
  local.engine.place(taskOfLength("a", 3, 50));
  await local.engine.step();
  const step = local.engine.step();
  local.engine.handBack("all");
  await step;
  local.engine.flush();
  expect(told(local)).toEqual({ a: "1 handed back" });
  expect(local.sequences.kvBytesUsed).toBe(0);
});
