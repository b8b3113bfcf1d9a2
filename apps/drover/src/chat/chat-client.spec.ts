import { createServer, type Server, type ServerResponse } from "node:http";
import { neverAborted } from "@drover/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ChatClient } from "./chat-client.ts";

type Seen = { path: string; key: string | undefined; body: string };

let server: Server;
let url: string;
let seen: Seen[];
let reply: (response: ServerResponse) => void;

beforeEach(async () => {
  seen = [];
  server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    seen.push({ path: request.url ?? "", key: request.headers.authorization, body });
    reply(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
});

afterEach(() => void server.close());

const json = (status: number, value: unknown) => (response: ServerResponse) =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));

const events =
  (...lines: string[]) =>
  (response: ServerResponse) =>
    void response
      .writeHead(200, { "content-type": "text/event-stream" })
      .end(lines.map((line) => `${line}\n\n`).join(""));

const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}`;
const question = [{ role: "user" as const, content: "Hi" }];

describe("ChatClient", () => {
  it("asks with the server's own settings and returns the answer's text", async () => {
    reply = json(200, { choices: [{ message: { content: "Paris." } }] });
    const client = new ChatClient({ url: `${url}/v1/`, apiKey: "k" });
    expect(await client.answer("nano", question, neverAborted)).toBe("Paris.");
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ path: "/v1/chat/completions", key: "Bearer k" });
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ model: "nano", messages: question });
  });

  it("finds the model that is served", async () => {
    reply = json(200, { data: [{ id: "nano" }] });
    expect(await new ChatClient({ url }).modelName(neverAborted)).toBe("nano");
    expect(seen[0]).toMatchObject({ path: "/v1/models", key: undefined });
  });

  it("gives a streamed answer piece by piece", async () => {
    reply = events(delta("Par"), 'data: {"choices": [{"delta": {}}]}', delta("is."), "data: [DONE]");
    expect(await Array.fromAsync(new ChatClient({ url }).stream("nano", question, neverAborted))).toEqual([
      { text: "Par" },
      { text: "is." },
    ]);
  });

  it("fails when the stream carries an error, and when it ends before its time", async () => {
    const all = () => Array.fromAsync(new ChatClient({ url }).stream("nano", question, neverAborted));
    reply = events(delta("Par"), 'event: error\ndata: {"error": {"message": "the worker is gone"}}');
    await expect(all()).rejects.toThrow("the worker is gone");
    reply = events(delta("Par"));
    await expect(all()).rejects.toThrow("cut off");
  });

  it.each([
    [400, "invalid_argument"],
    [401, "unauthenticated"],
    [404, "not_found"],
    [429, "overloaded"],
    [500, "internal"],
    [503, "unavailable"],
  ])("turns status %d into %s with the server's words", async (status, code) => {
    reply = json(status, { error: { message: "because" } });
    const answer = new ChatClient({ url }).answer("nano", question, neverAborted);
    await expect(answer).rejects.toMatchObject({ code, message: expect.stringMatching(/^because/) });
  });

  it("is unavailable where nobody listens", async () => {
    const answer = new ChatClient({ url: "http://127.0.0.1:1" }).answer("nano", question, neverAborted);
    await expect(answer).rejects.toMatchObject({ code: "unavailable" });
  });
});
