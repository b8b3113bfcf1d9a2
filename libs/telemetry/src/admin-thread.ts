import { createServer, type IncomingMessage } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { MEMBER_HEADER } from "@drover/core";
import type {
  AdminAnswer,
  AdminQuestion,
  AdminThreadSettings,
  FromAdminThread,
  ToAdminThread,
} from "./admin-messages.ts";
import { AdminPages } from "./admin-pages.ts";
import { ADMIN_CONNECTIONS_MAX, ADMIN_REQUEST_TIMEOUT_MS } from "./limits.ts";

/**
 * The program of the thread behind the admin port: it listens and answers probes by itself, so that a main loop that computes for seconds
 * cannot fail them. What it does not know, it asks the main loop.
 */
const settings = workerData as AdminThreadSettings;
const port = parentPort;
const waiting = new Map<number, (answer: AdminAnswer) => void>();
let asked = 0;

const tell = (message: FromAdminThread): void => port?.postMessage(message);

const pages = new AdminPages({
  ...settings,
  now: () => process.hrtime.bigint(),
  ask: (question, signal) =>
    new Promise((resolve) => {
      const id = ++asked;
      waiting.set(id, resolve);
      signal.addEventListener("abort", () => waiting.delete(id), { once: true });
      tell({ kind: "ask", id, question });
    }),
});

port?.on("message", (message: ToAdminThread) => {
  if (message.kind === "readiness") pages.readiness = message.reason;
  else {
    waiting.get(message.id)?.(message.answer);
    waiting.delete(message.id);
  }
});

const server = createServer({ requestTimeout: ADMIN_REQUEST_TIMEOUT_MS }, async (request, response) => {
  const { status, contentType, body } = await pages.answer(questionOf(request));
  response.writeHead(status, { "content-type": contentType }).end(request.method === "HEAD" ? "" : body);
});
server.maxConnections = ADMIN_CONNECTIONS_MAX;
server.once("error", ({ message }) => tell({ kind: "failed", reason: message }));
server.listen(settings.port, settings.host, () => {
  const address = server.address();
  tell({ kind: "listening", port: typeof address === "object" && address !== null ? address.port : settings.port });
});

/** HEAD is GET without the body. */
function questionOf({ method, url = "/", headers }: IncomingMessage): AdminQuestion | undefined {
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? "" : url.slice(mark + 1);
  const proof = [headers[MEMBER_HEADER]].flat()[0];
  if (method === "GET" || method === "HEAD") return { method: "GET", path, query, proof };
  return method === "POST" ? { method, path, query, proof } : undefined;
}
