import { createServer, type Server, type ServerResponse } from "node:http";
import { DroverError } from "@drover/core";
import { ADMIN_CONNECTIONS_MAX, ADMIN_REQUEST_TIMEOUT_MS } from "./limits.ts";
import type { Metrics } from "./metrics.ts";

/** True when all is well; otherwise false, or better a sentence that says what is missing. */
export type Probe = () => boolean | string | Promise<boolean | string>;

export type AdminServerOptions = Readonly<{
  host: string;
  /** 0: any free one. */
  port: number;
  metrics: Metrics;
  /** Is the process alive and its work moving? A supervisor restarts it when not. */
  health: Probe;
  /** May it be given work now? */
  ready: Probe;
  /** JSON answers by path, such as `/debug/worker`, to what is asked after its question mark. */
  routes?: Readonly<Record<string, (query: URLSearchParams) => unknown>>;
}>;

export type AdminServer = Readonly<{ port: number; close(): Promise<void> }>;

type Answer = Readonly<{ status: number; contentType: string; body: string }>;

/** Serves `/health`, `/ready`, `/metrics` and the given JSON routes by GET. Errors: `unavailable` when the address is taken. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = createServer({ requestTimeout: ADMIN_REQUEST_TIMEOUT_MS }, (request, response) => {
    const [path = "/", query = ""] = (request.url ?? "/").split("?", 2);
    const readOnly = request.method === "GET" || request.method === "HEAD";
    const answer = readOnly
      ? answerTo(path, new URLSearchParams(query), options)
      : Promise.resolve(json(405, { error: "only GET is served" }));
    answer.then(
      (found) => send(response, found),
      (error: unknown) => send(response, json(500, { error: error instanceof Error ? error.message : String(error) })),
    );
  });
  server.maxConnections = ADMIN_CONNECTIONS_MAX;
  const port = await listenOn(server, options.host, options.port);
  return { port, close: () => closeServer(server) };
}

async function answerTo(path: string, query: URLSearchParams, options: AdminServerOptions): Promise<Answer> {
  if (path === "/health") return probed(await options.health());
  if (path === "/ready") return probed(await options.ready());
  if (path === "/metrics") {
    return { status: 200, contentType: options.metrics.contentType, body: await options.metrics.text() };
  }
  const route = options.routes !== undefined && Object.hasOwn(options.routes, path) ? options.routes[path] : undefined;
  return route === undefined ? json(404, { error: `nothing is served at ${path}` }) : json(200, await route(query));
}

function probed(result: boolean | string): Answer {
  if (result === true) return json(200, { status: "ok" });
  return json(503, { status: "unavailable", ...(typeof result === "string" ? { reason: result } : {}) });
}

/** 64-bit numbers, which JSON lacks, are written as strings. */
function json(status: number, value: unknown): Answer {
  const body = JSON.stringify(value, (_key, one: unknown) => (typeof one === "bigint" ? one.toString() : one));
  return { status, contentType: "application/json", body: `${body}\n` };
}

function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, { "content-type": answer.contentType }).end(answer.body);
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new DroverError("unavailable", `cannot listen on ${host}:${port}: ${cause.message}`, { cause })),
    );
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
