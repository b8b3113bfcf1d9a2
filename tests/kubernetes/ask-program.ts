import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { HEAL_MS_MAX, PROMPT_MS_MAX } from "./limits.ts";

/**
 * Runs where the cluster's addresses can be reached: asks over HTTP and over gRPC until both answers are right, and prints as JSON after how
 * many milliseconds that was and how many questions failed before. Exit status 1 when they are not right in time.
 */
const { values } = parseArgs({
  options: { http: { type: "string" }, grpc: { type: "string" }, model: { type: "string" } },
});
const { http = "", grpc = "", model = "nano" } = values;

const QUESTION = "What is the capital of France?";
const RIGHT = "The capital of France is Paris.";
const PAUSE_MS = 250;

const messages = [{ role: "user", content: QUESTION }];

async function askHttp(signal: AbortSignal): Promise<string> {
  const body = JSON.stringify({ model, messages, temperature: 0 });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`http://${http}/v1/chat/completions`, { method: "POST", headers, body, signal });
  if (!response.ok) throw new Error(`HTTP status ${response.status}: ${await response.text()}`);
  const { choices } = (await response.json()) as { choices: readonly { message: { content: string } }[] };
  return choices[0]?.message.content ?? "";
}

async function askGrpc(signal: AbortSignal): Promise<string> {
  using client = new RpcClient(grpc);
  const request = create(publicApi.ChatRequestSchema, { model, messages, options: { temperature: 0 } });
  const replies = client.serverStream(publicApi.Inference.method.chat, request);
  signal.addEventListener("abort", () => replies.cancel(), { once: true });
  let text = "";
  for await (const reply of replies as AsyncIterable<{ text: string }>) text += reply.text;
  return text;
}

const beganMs = performance.now();
let failureCount = 0;
const rightAfter = async (ask: (signal: AbortSignal) => Promise<string>): Promise<number> => {
  for (;;) {
    let failure: string;
    try {
      const answer = await ask(AbortSignal.timeout(PROMPT_MS_MAX));
      if (answer === RIGHT) return Math.round(performance.now() - beganMs);
      // Not a failure that heals: an answer is right or there is none.
      process.stderr.write(`the answer was ${JSON.stringify(answer)}\n`);
      process.exit(1);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    failureCount++;
    if (performance.now() - beganMs > HEAL_MS_MAX) {
      process.stderr.write(`no answer: ${failure}\n`);
      process.exit(1);
    }
    await setTimeout(PAUSE_MS);
  }
};

const httpMs = await rightAfter(askHttp);
const grpcMs = await rightAfter(askGrpc);
process.stdout.write(`${JSON.stringify({ httpMs, grpcMs, failureCount })}\n`);
process.exit(0);
