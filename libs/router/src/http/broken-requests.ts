import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { DroverError } from "@drover/core";
import { errorReply } from "@drover/openai";
import type { FastifyInstance } from "fastify";
import { HEADERS_BYTES_MAX, REFUSED_MS_MAX } from "../limits.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "./request-id.ts";

/** The replies that sockets are to get. */
const repliesOf = new WeakMap<Duplex, Set<ServerResponse>>();

/**
 * Answers as every other fault is answered what Node and Fastify would answer by themselves, without a body that says why and without an id, or not at all: an
 * `expect` that nobody does, a tunnel, a request without a host, and one that comes while the server closes. Needs `requireHostHeader` and `return503OnClosing` off.
 */
export function answerByHand(instance: FastifyInstance): void {
  const { server } = instance;
  let isClosing = false;
  instance.addHook("preClose", async () => {
    isClosing = true;
  });
  instance.addHook("onRequest", (request, reply, done) => {
    const { raw } = request;
    const replies = repliesOf.get(raw.socket);
    if (replies === undefined) repliesOf.set(raw.socket, new Set([reply.raw]));
    else replies.add(reply.raw);
    const refused = isClosing ? new DroverError("unavailable", "this router has ended") : withoutHost(raw);
    if (refused !== undefined) reply.raw.setHeader("connection", "close");
    done(refused);
  });
  instance.addHook("onResponse", ({ raw }, reply, done) => {
    repliesOf.get(raw.socket)?.delete(reply.raw);
    done();
  });
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    const sentence = "the router does not do what the header expect asks for: it knows 100-continue";
    const body = JSON.stringify(errorReply(new DroverError("invalid_argument", sentence)));
    response.writeHead(417, headersOf(body, request)).end(body);
  });
  server.on("connect", (request: IncomingMessage, socket: Duplex) => {
    socket.on("error", () => undefined);
    write(socket, "405 Method Not Allowed", new DroverError("method_not_allowed", "the router is no proxy"), request);
  });
}

/** Source: RFC 9112, 3.2. */
function withoutHost({ httpVersion, headers }: IncomingMessage): DroverError | undefined {
  if (httpVersion !== "1.1" || headers.host !== undefined) return undefined;
  return new DroverError("invalid_argument", "the request has no host header");
}

function refusalOfBroken(code: string | undefined): readonly [string, DroverError] {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return ["408 Request Timeout", new DroverError("request_timeout", "the request's headers were sent too slowly")];
    case "HPE_HEADER_OVERFLOW": {
      const sentence = `the request's line and headers may have at most ${HEADERS_BYTES_MAX} bytes`;
      return ["431 Request Header Fields Too Large", new DroverError("invalid_argument", sentence)];
    }
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return ["413 Payload Too Large", new DroverError("payload_too_large", "the extensions of a chunk are too long")];
    default:
      return ["400 Bad Request", new DroverError("invalid_argument", "the request is not valid HTTP")];
  }
}

/** Answers what is not even HTTP, and closes the connection; where an answer to what came before is under way, that ends here and nothing is written into it. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex): void {
  const isUnderWay = [...(repliesOf.get(socket) ?? [])].some((reply) => reply.headersSent && !reply.writableFinished);
  if (error.code === "ECONNRESET" || isUnderWay || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  write(socket, ...refusalOfBroken(error.code));
}

/** Who has its answer and does not close, or goes on sending, keeps its connection no longer than a moment: nobody else looks after it any more. */
function write(socket: Duplex, status: string, fault: DroverError, request?: IncomingMessage): void {
  const body = JSON.stringify(errorReply(fault));
  const lines = Object.entries(headersOf(body, request)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n${body}`);
  // A tunnel's is read by nobody, and its end would not be seen.
  socket.resume();
  const closing = setTimeout(() => socket.destroy(), REFUSED_MS_MAX);
  socket.once("close", () => clearTimeout(closing));
}

const headersOf = (body: string, request?: IncomingMessage) => ({
  "content-type": "application/json; charset=utf-8",
  "content-length": Buffer.byteLength(body),
  [REQUEST_ID_HEADER]: requestIdOf(request?.headers ?? {}),
  connection: "close",
});
