// An engine that computes nothing, in a process of its own: streams completions a token each so many milliseconds, all of its streams at once as a
// batching engine does. What any router adds is what differs from asking it directly. Usage: node paced-backend.ts STEP_MS; says its port.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const stepMs = Number(process.argv[2]);
type Stream = { reply: ServerResponse; left: number };
const streams = new Set<Stream>();

function step(): void {
  for (const stream of streams) {
    stream.left -= 1;
    const reason = stream.left === 0 ? `"length"` : "null";
    const choice = `{"index":0,"text":"w","logprobs":null,"finish_reason":${reason}}`;
    stream.reply.write(
      `data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"nano","choices":[${choice}]}\n\n`,
    );
    if (stream.left > 0) continue;
    stream.reply.end("data: [DONE]\n\n");
    streams.delete(stream);
  }
  setTimeout(step, stepMs);
}

const server = createServer((request, reply) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    // Routers ask after its health and its models.
    if (request.method !== "POST") {
      reply.setHeader("content-type", "application/json");
      reply.end(JSON.stringify({ object: "list", data: [{ id: "nano", object: "model" }] }));
      return;
    }
    const { max_tokens: left } = JSON.parse(Buffer.concat(parts).toString()) as { max_tokens: number };
    reply.writeHead(200, { "content-type": "text/event-stream" });
    const stream = { reply, left };
    streams.add(stream);
    reply.on("close", () => streams.delete(stream));
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log((server.address() as AddressInfo).port);
  step();
});
