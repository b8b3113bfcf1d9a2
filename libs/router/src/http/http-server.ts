import { DroverError, type Logger } from "@drover/core";
import { type FastifyInstance, fastify } from "fastify";
import { BODY_BYTES_MAX } from "../limits.ts";
import { addApiRoutes } from "./api-routes.ts";
import { addDebugRoutes } from "./debug-routes.ts";
import { discardBody } from "./discard-body.ts";
import { answerBrokenRequest, fromHttpError, sendError } from "./http-errors.ts";
import type { HttpServerOptions } from "./http-server-options.ts";
import { addOpenRoutes } from "./open-routes.ts";
import { parseJson } from "./request-json.ts";

/** The OpenAI interface, vLLM's tokenizer routes, and the router's own health, metrics and cluster view. Not yet listening. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { keys, logger, ending } = options;
  const server = fastify({
    bodyLimit: BODY_BYTES_MAX,
    keepAliveTimeout: 75_000,
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) => sendError(reply, fromHttpError(error)),
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket),
  });
  server.addHook("onRequest", async (_request, reply) => {
    if (ending.aborted) reply.raw.setHeader("connection", "close");
  });
  readJsonBodies(server);
  answerErrors(server, logger);
  addOpenRoutes(server, options);
  server.register(async (api) => {
    api.addHook("onRequest", async (request) =>
      keys.check(request.headers.authorization ?? bearer(request.headers["x-api-key"])),
    );
    addDebugRoutes(api, options);
    addApiRoutes(api, options);
  });
  return server;
}

/** The header by which clients of Anthropic's interface say their key. */
const bearer = (key: string | string[] | undefined) => (typeof key === "string" ? `Bearer ${key}` : undefined);

/** Every body is JSON, whatever its content type says. */
function readJsonBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
    try {
      done(null, parseJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** Every fault has OpenAI's error shape. */
function answerErrors(server: FastifyInstance, logger: Logger): void {
  server.setErrorHandler(async (error, request, reply) => {
    const fault = fromHttpError(error);
    if (fault.code === "payload_too_large") await discardBody(request.raw);
    if (fault.code === "internal") logger.error("http.internal_error", { reason: fault.message, stack: fault.stack });
    return sendError(reply, fault);
  });
  server.setNotFoundHandler((request, reply) =>
    sendError(reply, new DroverError("not_found", `there is no ${request.method} ${request.url.split("?")[0]}`)),
  );
}
