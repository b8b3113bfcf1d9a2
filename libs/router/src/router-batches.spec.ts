import { FinishReason } from "@drover/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Router } from "./router.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { startTestRouter } from "./testing/test-router.ts";
import { EOS } from "./testing/worker-events.ts";

let scene = new RouterScene();
let other: Router | undefined;

beforeEach(async () => {
  await scene.startCluster();
  await scene.startRouter();
});

afterEach(async () => {
  await other?.close();
  other = undefined;
  await scene.stop();
  scene = new RouterScene();
});

const line = (id: string, body: object = {}, url = "/v1/chat/completions") =>
  JSON.stringify({
    custom_id: id,
    method: "POST",
    url,
    body: { model: "tiny", messages: [{ role: "user", content: "hi" }], ...body },
  });

async function upload(text: string, purpose = "batch", more: Readonly<Record<string, string>> = {}): Promise<Json> {
  const form = new FormData();
  for (const [name, value] of Object.entries(more)) form.append(name, value);
  form.append("purpose", purpose);
  form.append("file", new Blob([text]), "requests.jsonl");
  return (await fetch(`${scene.url}/v1/files`, { method: "POST", body: form })).json();
}

const get = async (path: string, url = scene.url): Promise<Json> => (await fetch(url + path)).json();
const content = async (id: string, url = scene.url) =>
  (await (await fetch(`${url}/v1/files/${id}/content`)).text())
    .split("\n")
    .filter(Boolean)
    .map((one): Json => JSON.parse(one));

async function create(file: string, body: object = {}): Promise<Json> {
  const asked = { input_file_id: file, endpoint: "/v1/chat/completions", completion_window: "24h", ...body };
  return (await scene.post("/v1/batches", asked)).json();
}

/** The worker answers the requests from this one on, each in its turn, with a letter. */
async function answer(from: number, count: number): Promise<void> {
  for (let job = from; job < from + count; job++) {
    const { requestId } = await scene.cluster.jobs.at(job);
    scene.worker.send(requestId, 0, { case: "started", value: { startIndices: [0] } });
    for (const [index, tokenId] of [97, EOS].entries()) {
      const finish = tokenId === EOS ? FinishReason.STOP : FinishReason.UNSPECIFIED;
      scene.worker.send(requestId, 0, { case: "token", value: { choice: 0, index, tokenId, finish } });
    }
    scene.worker.send(requestId, 0, { case: "done", value: {} });
  }
}

async function ended(id: string, url = scene.url): Promise<Json> {
  return expect
    .poll(() => get(`/v1/batches/${id}`, url), { interval: 50 })
    .toMatchObject({ status: expect.stringMatching(/^(completed|failed|cancelled|expired)$/) })
    .then(() => get(`/v1/batches/${id}`, url));
}

describe("a batch", () => {
  it("has an answer of each of its requests, by their names, and what was refused in a file of errors", async () => {
    const file = await upload([line("a"), "", line("b", { temperature: 9 }), line("c")].join("\r\n"));
    expect(file).toMatchObject({ object: "file", purpose: "batch", filename: "requests.jsonl", status: "processed" });
    const batch = await create(file.id, { metadata: { of: "test" } });
    expect(batch).toMatchObject({ object: "batch", status: "validating", output_file_id: null });
    await answer(0, 2);
    const end = await ended(batch.id);
    expect(end).toMatchObject({
      status: "completed",
      request_counts: { total: 3, completed: 2, failed: 1 },
      metadata: { of: "test" },
    });
    const answers = await content(end.output_file_id);
    expect(answers.map(({ custom_id }) => custom_id).toSorted()).toEqual(["a", "c"]);
    for (const { response, error } of answers) {
      expect([response.status_code, error]).toEqual([200, null]);
      expect(response.body.choices[0].message.content).toBe("a");
    }
    const [refused] = await content(end.error_file_id);
    expect(refused).toMatchObject({
      custom_id: "b",
      response: { status_code: 400, body: { error: { param: "temperature" } } },
    });
    expect((await get("/v1/batches")).data.map(({ id }: Json) => id)).toEqual([batch.id]);
    expect((await get("/v1/files?limit=2")).data).toHaveLength(2);
    expect((await get("/v1/files?limit=2")).has_more).toBe(true);
    const gone = await fetch(`${scene.url}/v1/files/${file.id}`, { method: "DELETE" });
    expect(await gone.json()).toEqual({ id: file.id, object: "file", deleted: true });
    expect((await fetch(`${scene.url}/v1/files/${file.id}`)).status).toBe(404);
  });

  it("is gone on with by another router behind what is answered, when its own ends", async () => {
    const file = await upload([line("a"), line("b")].join("\n"));
    const batch = await create(file.id);
    await scene.cluster.jobs.at(1);
    await answer(0, 1);
    const counted = expect.poll(() => get(`/v1/batches/${batch.id}`));
    await counted.toMatchObject({ request_counts: { completed: 1 } });
    await scene.router?.close();
    const started = await startTestRouter(scene.cluster, {});
    other = started.router;
    await started.ready;
    await answer(2, 1);
    const end = await ended(batch.id, started.url);
    expect(end.request_counts).toEqual({ total: 2, completed: 2, failed: 0 });
    const names = (await content(end.output_file_id, started.url)).map(({ custom_id }) => custom_id);
    expect(names.toSorted()).toEqual(["a", "b"]);
  });

  it("ends when it is cancelled, and keeps what is answered", async () => {
    const batch = await create((await upload([line("a"), line("b")].join("\n"))).id);
    await scene.cluster.jobs.at(1);
    await answer(0, 1);
    const cancelled: Json = await (await scene.post(`/v1/batches/${batch.id}/cancel`, "")).json();
    expect(cancelled.status).toBe("cancelling");
    const end = await ended(batch.id);
    expect([end.status, end.request_counts.completed]).toEqual(["cancelled", 1]);
    expect((await scene.post(`/v1/batches/${batch.id}/cancel`, "")).status).toBe(400);
  });

  it("fails with what is wrong with its lines before anything runs", async () => {
    const lines = [line("a"), line("a"), "{", line("b", {}, "/v1/completions"), line("c", { stream: true }), "[1]"];
    const end = await ended((await create((await upload(lines.join("\n"))).id)).id);
    expect(end.status).toBe("failed");
    expect(end.errors.data.map(({ line: at, code }: Json) => [at, code])).toEqual([
      [2, "duplicate_custom_id"],
      [3, "invalid_json_line"],
      [4, "mismatched_endpoint"],
      [5, "invalid_request"],
      [6, "invalid_json_line"],
    ]);
    expect(scene.cluster.jobs.all).toHaveLength(0);
  });

  it("has a file that goes when its client says, or else when the router's own time is over", async () => {
    const expiry = (seconds: string, anchor = "created_at") =>
      upload(line("a"), "batch", { "expires_after[anchor]": anchor, "expires_after[seconds]": seconds });
    const keptS = ({ created_at, expires_at }: Json): number => expires_at - created_at;
    const [whole, early, late] = [await upload(line("a")), await expiry("3600"), await expiry("2592000")];
    expect([keptS(early), keptS(late)]).toEqual([3600, keptS(whole)]);
    for (const seconds of ["3599", "2592001", "-1", "a"])
      expect((await expiry(seconds)).error.param).toBe("expires_after.seconds");
    expect((await expiry("3600", "last_used")).error.param).toBe("expires_after.anchor");
  });

  it("is refused by the field for what is not kept or not served", async () => {
    const { id } = await upload(line("a"));
    expect((await upload(line("a"), "fine-tune")).error.param).toBe("purpose");
    expect((await upload("")).error.param).toBe("file");
    for (const [file, body, param] of [
      [`file-${"0".repeat(32)}`, {}, "input_file_id"],
      [id, { endpoint: "/v1/embeddings" }, "endpoint"],
      [id, { completion_window: "1h" }, "completion_window"],
    ] as const)
      expect((await create(file, body)).error.param).toBe(param);
    const broken = { body: "--x\r\nno form", headers: { "content-type": "multipart/form-data; boundary=x" } };
    expect((await scene.post("/v1/files", "", broken)).status).toBe(400);
    expect((await scene.post("/v1/files", "{}")).status).toBe(400);
    expect((await get("/v1/batches/batch_none")).error.code).toBe("not_found");
    expect((await get("/v1/files?limit=0")).error.param).toBe("limit");
  });
});
