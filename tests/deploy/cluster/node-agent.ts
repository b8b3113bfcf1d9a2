import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
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

async function chat({ address, model, prompt, key }: Extract<NodeCall["ask"], { kind: "chat" }>): Promise<string> {
  const { chat: method } = publicApi.Inference.method;
  const messages = [{ role: "user", content: prompt }];
  const request = create(publicApi.ChatRequestSchema, { model, messages, options: { temperature: 0 } });
  const metadata = new Metadata();
  if (key !== undefined) metadata.set("authorization", `Bearer ${key}`);
  const client = new Client(address, credentials.createInsecure());
  try {
    const replies: AsyncIterable<publicApi.GenerateReply> = client.makeServerStreamRequest(
      `/${publicApi.Inference.typeName}/${method.name}`,
      (message: publicApi.ChatRequest) => Buffer.from(toBinary(publicApi.ChatRequestSchema, message)),
      (bytes: Buffer) => fromBinary(publicApi.GenerateReplySchema, bytes),
      request,
      metadata,
    );
    let text = "";
    for await (const reply of replies) text += reply.text;
    return text;
  } finally {
    client.close();
  }
}
