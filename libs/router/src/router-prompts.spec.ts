import type { QueueJob } from "@drover/core";
import { FinishReason } from "@drover/proto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { INLINE_BODY_BYTES_MAX } from "./limits.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { done, EOS, end, started } from "./testing/worker-events.ts";

let scene = new RouterScene();

beforeEach(async () => {
  await scene.startCluster();
  await scene.startRouter();
});

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

const complete = (body: object, init: RequestInit = {}) =>
  scene.post("/v1/completions", { model: "tiny", max_tokens: 9, ...body }, init);

/** A job's prompt, whose ids are 32-bit numbers on the wire. */
function promptOf({ payload }: QueueJob): Uint32Array {
  return new Uint32Array(Uint8Array.from(scene.cluster.request(payload).promptTokenIds).buffer);
}

/** The ids of the requests that a body of so many prompts became, by the text of each prompt. */
async function jobsOf(count: number): Promise<ReadonlyMap<string, string>> {
  await scene.cluster.jobs.at(count - 1);
  return new Map(
    scene.cluster.jobs.all.map((job) => {
      const ids = promptOf(job).filter((id) => id < 256);
      return [String.fromCharCode(...ids), job.requestId];
    }),
  );
}

const idOf = (jobs: ReadonlyMap<string, string>, prompt: string) => {
  const id = jobs.get(prompt);
  if (id === undefined) throw new Error(`no job for ${prompt}`);
  return id;
};

/** Writes a one-choice answer to its end. */
function answer(requestId: string, text: string): void {
  scene.worker.send(requestId, 0, started(0));
  scene.worker.sendText(requestId, 0, text);
  scene.worker.send(requestId, 0, end(text.length), done);
}

describe("a completion of several prompts", () => {
  it("has the choices in the order of the prompts, whichever ends first, and the usage of all", async () => {
    const reply = complete({ prompt: ["ab", "c", "def"] });
    const jobs = await jobsOf(3);
    answer(idOf(jobs, "def"), "3");
    answer(idOf(jobs, "ab"), "1");
    answer(idOf(jobs, "c"), "22");
    const body: Json = await (await reply).json();
    expect(body.choices.map(({ index, text }: Json) => [index, text])).toEqual([
      [0, "1"],
      [1, "22"],
      [2, "3"],
    ]);
    // Each prompt has a begin token, and each answer an end token.
    expect(body.usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 7, total_tokens: 16 });
  });

  it("of one entry is that prompt's, as ids or as text", async () => {
    for (const prompt of [["ab"], [[97, 98]]]) {
      const at = scene.cluster.jobs.all.length;
      const reply = complete({ prompt });
      answer((await scene.cluster.jobs.at(at)).requestId, "x");
      expect(await (await reply).json()).toMatchObject({ choices: [{ index: 0, text: "x" }] });
    }
  });

  it("has each prompt's n choices beside one another", async () => {
    const reply = complete({ prompt: ["a", "b"], n: 2, return_token_ids: true });
    const jobs = await jobsOf(2);
    for (const prompt of ["b", "a"]) {
      const id = idOf(jobs, prompt);
      scene.worker.send(id, 0, started(0, 0));
      for (const choice of [1, 0]) {
        const token = { choice, index: 0, tokenId: prompt.charCodeAt(0) + choice, finish: FinishReason.LENGTH };
        scene.worker.send(id, 0, { case: "token", value: token });
      }
      scene.worker.send(id, 0, done);
    }
    const body: Json = await (await reply).json();
    expect(body.choices.map(({ index, text, prompt_token_ids: ids }: Json) => [index, text, ids.at(-1)])).toEqual([
      [0, "a", 97],
      [1, "b", 97],
      [2, "b", 98],
      [3, "c", 98],
    ]);
  });

  it("streams chunks that name their choice, each choice's text and end, and one usage", async () => {
    const reply = complete({ prompt: ["a", "b"], echo: true, stream: true, stream_options: { include_usage: true } });
    const jobs = await jobsOf(2);
    answer(idOf(jobs, "b"), "xy");
    answer(idOf(jobs, "a"), "z");
    const events = (await (await reply).text()).split("\n\n").filter((event) => event !== "");
    expect(events.at(-1)).toBe("data: [DONE]");
    const chunks: Json[] = events.slice(0, -1).map((event) => JSON.parse(event.slice("data: ".length)));
    const texts = ["", ""];
    for (const { choices } of chunks) for (const { index, text } of choices) texts[index] += text;
    expect(texts).toEqual(["az", "bxy"]);
    const ends = chunks.flatMap(({ choices }) => choices).filter(({ finish_reason: reason }) => reason !== null);
    expect(ends.map(({ index, finish_reason: reason }) => [index, reason]).sort()).toEqual([
      [0, "stop"],
      [1, "stop"],
    ]);
    expect(chunks.at(-1).usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 5 });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  it("tells each prompt's own log-probabilities, with echo, whole and streamed", async () => {
    for (const stream of [false, true]) {
      const at = scene.cluster.jobs.all.length;
      const reply = complete({ prompt: [[97, 98], [99]], echo: true, logprobs: 1, max_tokens: 1, stream });
      await scene.cluster.jobs.at(at + 1);
      for (const job of scene.cluster.jobs.all.slice(at)) {
        const count = promptOf(job).length;
        const values = Array.from({ length: count }, (_, i) => -i);
        const prompt = { start: 0, count, logprobs: values, tops: values.map(() => ({})) };
        scene.worker.send(job.requestId, 0, started(0), { case: "prompt", value: prompt });
        const token = { index: 0, tokenId: 65, logprob: -count / 2, top: {}, finish: FinishReason.LENGTH };
        scene.worker.send(job.requestId, 0, { case: "token", value: token }, done);
      }
      const text = await (await reply).text();
      const parts: Json[] = stream
        ? text.split("\n\n").flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6))] : []))
        : [JSON.parse(text)];
      const told = [0, 1].map((index) => {
        const own = parts.flatMap(({ choices }) => choices).filter((choice: Json) => choice.index === index);
        const all = own.flatMap(({ logprobs }: Json) => (logprobs === null ? [] : [logprobs]));
        return {
          tokens: all.flatMap(({ tokens }: Json) => tokens),
          values: all.flatMap(({ token_logprobs: given }: Json) => given),
          offsets: all.flatMap(({ text_offset: given }: Json) => given),
        };
      });
      expect(told).toEqual([
        { tokens: ["a", "b", "A"], values: [null, -1, -1], offsets: [0, 1, 2] },
        { tokens: ["c", "A"], values: [null, -0.5], offsets: [0, 1] },
      ]);
    }
  });

  it("that is too large to be read where it comes is the same, of texts and of ids", async () => {
    // What is larger than this is read on a thread and comes back packed.
    const long = (char: string) => char.repeat(Math.floor(INLINE_BODY_BYTES_MAX / 2) + 100);
    const pad = "x".repeat(INLINE_BODY_BYTES_MAX + 1);
    const asked = [
      { prompt: ["ab", "c"], user: pad },
      { prompt: [[97, 98], [99]], user: pad },
      { prompt: ["ab", "c"], echo: true, user: pad },
      ...(2 * long("a").length < 20_000 ? [{ prompt: [long("a"), long("b")] }] : []),
    ];
    for (const body of asked) {
      const at = scene.cluster.jobs.all.length;
      const reply = complete(body);
      await scene.cluster.jobs.at(at + 1);
      const jobs = scene.cluster.jobs.all.slice(at);
      for (const job of jobs) answer(job.requestId, String(promptOf(job).filter((id) => id < 256).length));
      const { choices }: Json = await (await reply).json();
      const texts = body.prompt.map((prompt) => ("echo" in body ? prompt : "") + String(prompt.length));
      expect(choices.map(({ text }: Json) => text)).toEqual(texts);
    }
  });

  it("that is refused names the prompt at fault, and nothing of it waits", async () => {
    const refusal = async (body: object): Promise<string> =>
      ((await (await complete(body)).json()) as Json).error.message;
    expect(await refusal({ prompt: [[1], [300]] })).toBe("prompt[1]: must hold token ids from 0 to 257");
    expect(await refusal({ prompt: [[1], []] })).toBe("prompt[1]: must not be empty");
    expect(await refusal({ prompt: ["a", "\ud800"] })).toBe("prompt[1]: must be valid Unicode text");
    expect(await refusal({ prompt: ["a", ""], add_special_tokens: false })).toBe("prompt[1]: must not be empty");
    expect(await refusal({ prompt: ["a", "b".repeat(20_000)] })).toMatch(/^prompt\[1\]: the prompt has 20001 tokens/);
    expect(await refusal({ prompt: [[1], Array(20_001).fill(1)] })).toMatch(
      /^prompt\[1\]: the prompt has 20001 tokens/,
    );
    expect(await refusal({ prompt: Array(129).fill("a") })).toBe(
      "prompt: may ask for at most 128 choices: prompts times n",
    );
    expect(await refusal({ prompt: ["a", "b", "c"], n: 43 })).toMatch(/^prompt: may ask for at most 128/);
    expect(await refusal({ prompt: ["a", "b"], best_of: 2 })).toBe("best_of: is not supported above n");
    expect(await refusal({ prompt: [1, "a"] })).toBe("prompt: must hold token ids from 0 to 257");
    expect(scene.cluster.jobs.all).toEqual([]);
  });

  it("whose client leaves is cancelled whole", async () => {
    const client = new AbortController();
    const reply = complete({ prompt: ["a", "b", "c"], stream: true }, { signal: client.signal }).catch(() => undefined);
    const jobs = await jobsOf(3);
    scene.worker.send(idOf(jobs, "a"), 0, started(0));
    client.abort();
    await scene.cluster.queueCancels.at(2);
    expect(new Set(scene.cluster.queueCancels.all)).toEqual(new Set(jobs.values()));
    await reply;
    await expect.poll(() => scene.metrics()).toMatch(/^drover_router_requests_in_flight\{.*\} 0$/m);
  });

  it("of which one fails is an error, and the others end", async () => {
    const reply = complete({ prompt: ["a", "b"] });
    const jobs = await jobsOf(2);
    scene.worker.send(idOf(jobs, "a"), 0, started(0));
    scene.worker.send(idOf(jobs, "b"), 0, started(0), {
      case: "failed",
      value: { code: "invalid_argument", message: "no", retryable: false },
    });
    expect((await reply).status).toBe(400);
    await expect.poll(() => scene.worker.cancels.all.map(({ requestId }) => requestId)).toContain(idOf(jobs, "a"));
  });
});

describe("what a completion tells of its text", () => {
  it("counts the offsets of tokens in code points, of the prompt's and of the answer's", async () => {
    const reply = complete({ prompt: "🌧é ", echo: true, logprobs: 0, max_tokens: 6 });
    const job = await scene.cluster.jobs.at(0);
    const { requestId } = job;
    const count = promptOf(job).length;
    const prompt = { start: 0, count, logprobs: Array(count).fill(-1), tops: Array(count).fill({}) };
    scene.worker.send(requestId, 0, started(0), { case: "prompt", value: prompt });
    scene.worker.sendText(requestId, 0, "🌧!");
    scene.worker.send(requestId, 0, end(5), done);
    const { logprobs, text } = ((await (await reply).json()) as Json).choices[0];
    expect(text).toBe("🌧é 🌧!");
    // A begin token, four and two bytes, a space; then four bytes, a mark and the end.
    expect(logprobs.text_offset).toEqual([0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 5]);
    expect(logprobs.tokens).toHaveLength(14);
  });

  it("has no entry for the end in a chat, and none for what a stop string cut off whole", async () => {
    const messages = [{ role: "user", content: "hi" }];
    for (const stream of [false, true])
      for (const [written, stop, kept] of [
        ["ab", [], "ab"],
        ["abXYc", ["XY"], "ab"],
        ["abX", ["XY"], "abX"],
        ["é🌧", [], "é🌧"],
      ] as const) {
        const at = scene.cluster.jobs.all.length;
        const body = { model: "tiny", messages, logprobs: true, stop, stream, return_token_ids: true };
        const reply = scene.post("/v1/chat/completions", body);
        const { requestId } = await scene.cluster.jobs.at(at);
        scene.worker.send(requestId, 0, started(0));
        const tokens = [...new TextEncoder().encode(written), EOS];
        tokens.forEach((tokenId, index) => {
          const finish = tokenId === EOS ? FinishReason.STOP : FinishReason.UNSPECIFIED;
          scene.worker.send(requestId, 0, { case: "token", value: { index, tokenId, logprob: -1, finish } });
        });
        scene.worker.send(requestId, 0, done);
        const text = await (await reply).text();
        const choices: Json[] = stream
          ? text
              .split("\n\n")
              .flatMap((event) => (event.startsWith("data: {") ? JSON.parse(event.slice(6)).choices : []))
          : JSON.parse(text).choices;
        const content = choices.map(({ delta, message }) => (delta ?? message).content ?? "").join("");
        const entries = choices.flatMap(({ logprobs }) => logprobs?.content ?? []);
        expect(content).toBe(kept);
        expect(new TextDecoder().decode(Uint8Array.from(entries.flatMap(({ bytes }: Json) => bytes)))).toBe(kept);
      }
  });

  it("is one line an event for every reader of lines, and the same text", async () => {
    const prompt = "a\u0085\u2028\u2029\v\f\x1c\x1d\x1e\r\nb";
    const reply = complete({ prompt, echo: true, stream: true });
    answer((await scene.cluster.jobs.at(0)).requestId, "x\u2028y\u0085");
    const text = await (await reply).text();
    for (const end of "\u0085\u2028\u2029\v\f\x1c\x1d\x1e\r") expect(text).not.toContain(end);
    const chunks: Json[] = text
      .split("\n\n")
      .flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6))] : []));
    expect(chunks.flatMap(({ choices }) => choices.map((choice: Json) => choice.text)).join("")).toBe(
      `${prompt}x\u2028y\u0085`,
    );
  });
});
