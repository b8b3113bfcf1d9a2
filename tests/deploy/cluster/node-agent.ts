import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import type { NodeAnswer, NodeCall } from "./node.ts";

/** Runs in the node's network and does there what the test asks for over its channel: what a kubelet and a client would do. */
process.on("message", (call: NodeCall) => {
  void answer(call).then((reply) => process.send?.(reply));
});

async function answer({ id, ask }: NodeCall): Promise<NodeAnswer> {
  try {
    return ask.kind === "http" ? { id, ...(await http(ask)) } : { id, status: 200, text: await chat(ask) };
  } catch (error) {
    return {
      id,
      status: 0,
      text: error instanceof Error ? `${error.message} ${String(error.cause ?? "")}` : String(error),
    };
  }
}

async function http({ url, body, headers, timeoutMs }: Extract<NodeCall["ask"], { kind: "http" }>) {
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(
    url,
    body === undefined ? { headers, signal } : { method: "POST", headers, body, signal },
  );
  return { status: response.status, text: await response.text() };
}

async function chat({ address, model, prompt }: Extract<NodeCall["ask"], { kind: "chat" }>): Promise<string> {
  using client = new RpcClient(address);
  const messages = [{ role: "user", content: prompt }];
  const request = create(publicApi.ChatRequestSchema, { model, messages, options: { temperature: 0 } });
  let text = "";
  for await (const reply of client.serverStream(publicApi.Inference.method.chat, request)) text += reply.text;
  return text;
}
