import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canTrace, foreignPeer, straceCommand, systemCalls, touched } from "./system-calls.ts";
import { ROOT, TestCluster } from "./test-cluster.ts";

type Json = ReturnType<typeof JSON.parse>;

/** What users of other servers reported, where only a whole cluster shows it; docs/field-reports.md has the rest. */
describe("clients of other servers", () => {
  let cluster: TestCluster;
  const folder = mkdtempSync(join(tmpdir(), "drover-trace-"));
  const trace = join(folder, "trace");

  beforeAll(async () => {
    // All that is asked below is traced for the last test.
    const wrapper = canTrace() ? straceCommand(trace) : [];
    const flags = ["--cors-origins", "https://a.example"];
    cluster = await TestCluster.start({ expertWorkers: 1, flags, wrapper });
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (path: string, body: object): Promise<Json> => (await cluster.post(path, body)).json();
  const complete = (body: object) => ask("/v1/completions", { model: "nano", max_tokens: 3, ...body });
  const chat = (body: object) => ask("/v1/chat/completions", { model: "nano", max_tokens: 8, temperature: 0, ...body });

  /** A file of one request, answered as a batch. */
  const batchOfOne = async () => {
    const form = new FormData();
    const body = { model: "nano", prompt: "a", max_tokens: 1 };
    const line = JSON.stringify({ custom_id: "1", method: "POST", url: "/v1/completions", body });
    form.set("purpose", "batch");
    form.set("file", new Blob([line]), "a.jsonl");
    const file: Json = await (await fetch(`${cluster.url}/v1/files`, { method: "POST", body: form })).json();
    const asked = { input_file_id: file.id, endpoint: "/v1/completions", completion_window: "24h" };
    const { id } = await ask("/v1/batches", asked);
    const batch = async (): Promise<Json> => (await fetch(`${cluster.url}/v1/batches/${id}`)).json();
    await expect.poll(batch, { interval: 100 }).toMatchObject({ status: "completed" });
    expect((await batch()).request_counts.completed).toBe(1);
  };

  const ownTraces: string[] = [];
  /** Runs a command of Drover's to its end, traced. */
  const traced = async (args: readonly string[]) => {
    const file = join(folder, `trace-${args[0]}`);
    ownTraces.push(file);
    const [command = "", ...wrapped] = straceCommand(file);
    const main = [process.execPath, "--conditions=@drover/source", "apps/drover/src/main.ts"];
    const child = spawn(command, [...wrapped, ...main, ...args], { cwd: ROOT, stdio: "ignore" });
    const [code] = await once(child, "exit");
    // 1: doctor has found something, such as that there is no Redis.
    expect([0, 1], args[0]).toContain(code);
  };

  test("several prompts are answered as each alone", async () => {
    const prompts = ["The capital of", "Once upon", "One, two"];
    const together = await complete({ prompt: prompts, temperature: 0 });
    const alone = await Promise.all(prompts.map((prompt) => complete({ prompt: [prompt], temperature: 0 })));
    expect(together.choices.map(({ text }: Json) => text)).toEqual(alone.map(({ choices }) => choices[0].text));
    expect(together.choices.map(({ index }: Json) => index)).toEqual([0, 1, 2]);
    const sum = alone.reduce((total, { usage }) => total + usage.prompt_tokens, 0);
    expect(together.usage.prompt_tokens).toBe(sum);
  });

  test("lists of ids with echo and log-probabilities are scored as evaluations ask", async () => {
    const body = await complete({
      prompt: [
        [4077, 50],
        [4077, 60],
      ],
      echo: true,
      logprobs: 1,
      max_tokens: 1,
    });
    expect(body.choices).toHaveLength(2);
    for (const { logprobs } of body.choices) {
      expect(logprobs.token_logprobs).toHaveLength(3);
      expect(logprobs.token_logprobs[0]).toBeNull();
    }
  });

  test("a call that was cut short does not end its conversation, and the model sees it", async () => {
    const call = (given?: unknown) => ({ id: "1", type: "function", function: { name: "f", arguments: given } });
    const turns = (given?: unknown) => [
      { role: "user", content: "a" },
      { role: "assistant", content: null, tool_calls: [call(given)] },
      { role: "tool", tool_call_id: "1", content: "bad arguments" },
      { role: "user", content: "go on" },
    ];
    for (const given of ['{"city": "Par', "[1]", "", null, undefined, { city: "Paris" }])
      expect(await chat({ messages: turns(given) }), JSON.stringify(given)).toHaveProperty("choices");
    const { tokens } = await ask("/tokenize", { model: "nano", messages: turns('{"city": "<|eot|>') });
    const { prompt } = await ask("/detokenize", { model: "nano", tokens });
    expect(prompt).toContain("<|eot|>");
  });

  test("a rendered prompt has the tokens of its conversation where it asks for it", async () => {
    const messages = [{ role: "user", content: "What is the capital of France?" }];
    const rendered = await ask("/tokenize", { model: "nano", messages });
    const { prompt } = await ask("/detokenize", { model: "nano", tokens: rendered.tokens });
    const marked = await ask("/tokenize", { model: "nano", prompt, parse_special: true });
    expect(marked.tokens).toEqual(rendered.tokens);
    const answer = await complete({ prompt, parse_special: true, temperature: 0, max_tokens: 20 });
    expect(answer.choices[0].text).toBe("The capital of France is Paris.");
  });

  test("top_p 0 is the likeliest token, and offsets count code points", async () => {
    const messages = [{ role: "user", content: "What is the capital of France?" }];
    const [greedy, narrow] = await Promise.all([chat({ messages }), chat({ messages, top_p: 0, temperature: 2 })]);
    expect(narrow.choices[0].message).toEqual(greedy.choices[0].message);
    const { logprobs } = (await complete({ prompt: "🌧🌧 ab", echo: true, logprobs: 0, max_tokens: 1 })).choices[0];
    expect(
      logprobs.text_offset[logprobs.tokens.indexOf(" a")] ?? logprobs.text_offset[logprobs.tokens.indexOf(" ab")],
    ).toBe(2);
  });

  test("words are banned, tokens allowed, stops shown and prompts cut as vLLM's fields say", async () => {
    const messages = [{ role: "user", content: "What is the capital of France?" }];
    const text = async (body: object) => (await chat({ messages, max_tokens: 12, ...body })).choices[0].message.content;
    expect(await text({ bad_words: ["Paris"] })).not.toContain("Paris");
    expect(await text({ stop: "France", include_stop_str_in_output: true })).toBe("The capital of France");
    expect(await text({ skip_special_tokens: false, include_stop_str_in_output: true })).toMatch(/Paris\.<\|eot\|>$/);
    const { tokens } = await ask("/tokenize", { model: "nano", prompt: "one two", add_special_tokens: false });
    const asked = { prompt: "The capital of", max_tokens: 6, temperature: 1, return_token_ids: true };
    const allowed = (await complete({ ...asked, allowed_token_ids: tokens })).choices[0];
    for (const id of allowed.token_ids) expect(tokens).toContain(id);
    const cut = await complete({ prompt: "The capital of", truncate_prompt_tokens: 1, echo: true, max_tokens: 0 });
    expect([cut.choices[0].text, cut.usage.prompt_tokens]).toEqual([" of", 1]);
    expect((await complete({ prompt: "a", truncate_prompt_tokens: 0 })).error.param).toBe("truncate_prompt_tokens");
  });

  test("a prompt's log-probabilities are those of its echo, whole and streamed", async () => {
    const asked = { prompt: "The capital of France", max_tokens: 1, temperature: 0, prompt_logprobs: 2 };
    const [alone, echoed] = [await complete(asked), await complete({ ...asked, echo: true, logprobs: 1 })];
    const told = alone.choices[0].prompt_logprobs;
    expect(alone.choices[0].logprobs).toBeNull();
    expect(told[0]).toBeNull();
    const { tokens, token_logprobs, top_logprobs } = echoed.choices[0].logprobs;
    for (let i = 1; i < told.length; i++) {
      const own = Object.values<Json>(told[i]).find(({ decoded_token }) => decoded_token === tokens[i]);
      expect(own.logprob).toBe(token_logprobs[i]);
      expect(Object.values<Json>(told[i]).map(({ rank }) => rank)).toEqual(expect.arrayContaining([1, 2]));
      expect(Object.keys(top_logprobs[i]).length).toBeLessThanOrEqual(2);
    }
    expect(echoed.choices[0].prompt_logprobs).toEqual(told);
    const reply = await cluster.post("/v1/completions", { model: "nano", ...asked, stream: true });
    const [first] = (await reply.text()).split("\n\n");
    expect(JSON.parse((first ?? "").slice(6)).choices[0].prompt_logprobs).toEqual(told);
    const messages = [{ role: "user", content: "hi" }];
    const chatted = await chat({ messages, prompt_logprobs: 0 });
    expect(chatted.prompt_logprobs).toHaveLength(chatted.usage.prompt_tokens);
  });

  test("a chat's log-probabilities are of its text", async () => {
    const body = {
      messages: [{ role: "user", content: "What is the capital of France?" }],
      max_tokens: 30,
      logprobs: true,
    };
    for (const stop of [[], ["Paris"], ["ance"]]) {
      const { message, logprobs } = (await chat({ ...body, stop })).choices[0];
      const bytes = logprobs.content.flatMap((entry: Json) => entry.bytes);
      // A token that a stop string cuts in two is told whole.
      expect(new TextDecoder().decode(Uint8Array.from(bytes)).startsWith(message.content)).toBe(true);
      if (stop.length === 0) expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(message.content);
    }
  });

  test("a context that is full is told in words that clients know", async () => {
    const content = "a b c ".repeat(400_000);
    const { error } = await chat({ messages: [{ role: "user", content }] });
    expect(error.code).toBe("context_length_exceeded");
    for (const words of ["This model's maximum context length is", "prompt is too long"])
      expect(error.message).toContain(words);
  });

  test("a page of a named origin may ask, and every answer has an id that the placement knows", async () => {
    const preflight = await fetch(`${cluster.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: {
        origin: "https://a.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://a.example",
    ]);
    const answer = await fetch(`${cluster.url}/v1/completions`, {
      method: "POST",
      headers: { "x-request-id": "ticket-7" },
      body: JSON.stringify({ model: "nano", prompt: "a", max_tokens: 1, stream: true }),
    });
    await answer.text();
    expect(answer.headers.get("x-request-id")).toBe("ticket-7");
    const placement: Json = await (await fetch(`${cluster.url}/debug/placement?request=ticket-7`)).json();
    expect(placement.xRequestId).toBe("ticket-7");
    expect(placement.decisions.length).toBeGreaterThan(0);
  });

  test("no process looked up a name, spoke to anybody but loopback, or touched a file that the documentation does not name", async (context) => {
    if (cluster.process.spawnfile !== "strace") return context.skip("there is no strace here");
    await chat({ messages: [{ role: "user", content: "What is the capital of France?" }] });
    await ask("/v1/responses", { model: "nano", input: "What is 12 + 7?", max_output_tokens: 16 });
    for (const path of ["/", "/docs", "/metrics", "/openapi.json"]) await (await fetch(cluster.url + path)).text();
    await batchOfOne();
    const asked = ["chat", "--url", cluster.url, "--prompt", "What is the capital of Japan?"];
    for (const args of [asked, ["doctor", "--url", cluster.url]]) await traced(args);
    await cluster[Symbol.asyncDispose]();
    const calls = [trace, ...ownTraces].flatMap(systemCalls);
    for (const main of ["router", "scheduler", "worker"])
      expect(calls.some(({ name, text }) => name === "execve" && text.includes(`apps/${main}/src/main.ts`))).toBe(true);
    expect(calls.filter(({ name }) => name === "connect").length).toBeGreaterThan(3);
    expect(calls.flatMap((call) => foreignPeer(call) ?? [])).toEqual([]);

    const compiled = process.env.NODE_COMPILE_CACHE ?? ROOT;
    const ownTemporary = [join(tmpdir(), "drover-up-"), join(tmpdir(), "drover-queue-")];
    const writable = [...ownTemporary, compiled, "/dev/null"];
    const node = realpathSync(process.execPath).replace(/\/bin\/node$/, "");
    const system = ["/dev/", "/etc/", "/lib/", "/lib64/", "/proc/", "/sys/", "/usr/", "/var/run/nscd/"];
    const readable = [...writable, `${ROOT}/`, node, ...system];
    // Memory that two processes have together is opened by the number under which one of them has it.
    const shared = /^\/proc\/\d+\/fd\/\d+$/;
    const isIn = (path: string, folders: readonly string[]) => folders.some((one) => path.startsWith(one));
    const strange = calls.flatMap(touched).filter(({ path, written }) => {
      const whole = resolve(ROOT, path);
      return whole !== ROOT && !shared.test(whole) && !isIn(whole, written ? writable : readable);
    });
    expect(strange).toEqual([]);
  });
});
