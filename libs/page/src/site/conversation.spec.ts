import { expect, test } from "vitest";
import { NO_SETTINGS, readSettings } from "./chat-settings.ts";
import { clusterChanges } from "./cluster-changes.ts";
import type { ClusterState, WorkerState } from "./cluster-state.ts";
import { askedTurn, chatBody, speedOf } from "./conversation.ts";

const settings = readSettings({ ...NO_SETTINGS, system: "Be short.", temperature: "0.5", seed: "7" });

test("a question goes with its files, what was answered before, and only the settings that were typed", () => {
  if ("problem" in settings) throw new Error(settings.problem);
  const first = { ...askedTurn("Hi", [], 0), answer: "Hello." };
  const attachments = [
    { name: "a.txt", text: "words" },
    { name: "b.png", url: "data:image/png;base64,AA" },
  ];
  const body = chatBody([first, askedTurn("And this?", attachments, 5)], "nano", settings);
  expect(body).toEqual({
    ...{ model: "nano", stream: true, stream_options: { include_usage: true }, temperature: 0.5, seed: 7 },
    messages: [
      { role: "system", content: "Be short." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello." },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:image/png;base64,AA" } },
          { type: "text", text: "a.txt:\nwords\n\nAnd this?" },
        ],
      },
    ],
  });
});

test("a setting that is no number or no JSON is named", () => {
  expect(readSettings({ ...NO_SETTINGS, topP: "much" })).toEqual({ problem: "top_p is no number" });
  expect(readSettings({ ...NO_SETTINGS, schema: "{" })).toEqual({ problem: expect.stringContaining("no JSON") });
});

test("speed is of the tokens behind the first", () => {
  const turn = { ...askedTurn("", [], 100), firstMs: 300, lastMs: 1300, tokenCount: 11 };
  expect(speedOf(turn)).toEqual({ firstTokenMs: 200, perSecond: 10 });
  expect(speedOf(askedTurn("", [], 100))).toBeUndefined();
  expect(speedOf({ ...turn, tokenCount: 1, lastMs: 300 })).toEqual({ firstTokenMs: 200 });
});

const worker = (workerId: string, more: Partial<WorkerState> = {}): WorkerState => ({
  ...{ workerId, incarnation: "1", roles: [], silentMs: 0, expertCount: 4, kvDtype: "" },
  ...more,
});
const cluster = (workers: readonly WorkerState[], more: Partial<ClusterState> = {}): ClusterState => ({
  ...{
    modelId: "nano",
    schedulerId: "scheduler-12345678-9",
    leaderEpoch: "1",
    ready: true,
    workers,
    lanes: [],
    routerIds: [],
  },
  expertMap: { epoch: "1", complete: true, holders: [], layers: [] },
  ...more,
});

test("what happens between two looks is told, and nothing at the first", () => {
  const before = cluster([worker("a"), worker("b"), worker("c")]);
  const after = cluster(
    [worker("a", { incarnation: "2" }), worker("b", { silentMs: 5000 }), worker("d"), worker("e", { expertCount: 6 })],
    { schedulerId: "scheduler-87654321-0", ready: false, expertShortage: "memory is short" },
  );
  expect(clusterChanges(undefined, after)).toEqual([]);
  expect(clusterChanges(before, before)).toEqual([]);
  expect(clusterChanges(before, after)).toEqual([
    "scheduler-87654321 leads now.",
    "The cluster is not ready.",
    "c is gone.",
    "a was started again.",
    "b is silent; it was starting.",
    "d has come.",
    "e has come.",
    "memory is short",
  ]);
  expect(clusterChanges(cluster([worker("a")]), cluster([worker("a", { expertCount: 1 })]))).toEqual([
    "a holds 1 experts, 3 fewer.",
  ]);
  expect(clusterChanges(before, undefined)).toEqual(["No scheduler leads."]);
});
