import type { IncomingMessage } from "node:http";
import { at, DroverError, type ErrorCode, type Logger } from "@drover/core";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { BatchAnswers } from "../batches/batch-answers.ts";
import { BatchRunner } from "../batches/batch-runner.ts";
import { StoredBatches } from "../batches/stored-batches.ts";
import { StoredFiles } from "../batches/stored-files.ts";
import { timedStore } from "../batches/timed-store.ts";
import type { Bodies } from "../bodies/bodies.ts";
import { readsBody } from "../bodies/body-readers.ts";
import { addApiRoutes } from "./api-routes.ts";
import { addBatchRoutes, type BatchParts } from "./batch-routes.ts";
import { answerBrokenRequest, answerByHand } from "./broken-requests.ts";
import { keepUpWith, limitConnections, serverOptions } from "./certified-server.ts";
import { CrossOrigin } from "./cross-origin.ts";
import { addDebugRoutes } from "./debug-routes.ts";
import { discardBody } from "./discard-body.ts";
import { countReplies } from "./held-reply.ts";
import { fromHttpError, sendError } from "./http-errors.ts";
import type { HttpServerOptions } from "./http-server-options.ts";
import { KnownRoutes } from "./known-routes.ts";
import { addOpenRoutes } from "./open-routes.ts";
import { checkAccounts } from "./request-accounts.ts";
import { requestIdOf, tellRequestId } from "./request-id.ts";
import { whyUnserved } from "./unserved-paths.ts";

/** The OpenAI interface, vLLM's tokenizer routes, and the router's own health, metrics and cluster view. Not yet listening. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { logger, ending, bodies, certificates } = options;
  const server = fastify({
    ...serverOptions(certificates),
    keepAliveTimeout: 75_000,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    genReqId: ({ headers }) => requestIdOf(headers),
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) => sendError(reply, fromHttpError(error)),
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket),
  });
  server.addHook("onRequest", (request, reply, done) => {
    tellRequestId(reply.raw, request.url, request.id);
    if (ending.aborted) reply.raw.setHeader("connection", "close");
    done();
  });
  answerByHand(server);
  limitConnections(server, options.connectionsMax, options.clock, logger);
  if (certificates !== undefined) keepUpWith(server, certificates);
  receiveBodies(server, bodies);
  countReplies(server, options.budgets.unread);
  answerErrors(server, logger);
  new CrossOrigin(options.corsOrigins).addTo(server, refuseUnknownRoutes(server));
  addOpenRoutes(server, options);
  server.register(async (api) => {
    checkAccounts(api, options);
    addDebugRoutes(api, options);
    addApiRoutes(api, options, bodies);
    addBatchRoutes(api, batchParts(server, options, bodies));
  });
  return server;
}

/** Batches, which are worked on from when the server listens until the router is asked to end. */
function batchParts(server: FastifyInstance, options: HttpServerOptions, bodies: Bodies): BatchParts {
  const { deployments, keys, clock, logger, ending } = options;
  const { keptMs, requestsMax, routerId } = options.batches;
  const store = timedStore(deployments.named(undefined).store, clock);
  const files = new StoredFiles(store, clock, keptMs);
  const batches = new StoredBatches(store, keptMs);
  const answers = new BatchAnswers({ bodies, deployments, keys, clock });
  const runner = new BatchRunner({ files, batches, answers, requestsMax, clock, logger, routerId });
  server.addHook("onListen", async () => runner.start());
  server.addHook("preClose", () => runner.close());
  ending.addEventListener("abort", () => void runner.close(), { once: true });
  return { files, batches, runner };
}

const JSON_TYPE = "application/json";
/** A type and a subtype, with whatever parameters. */
const MEDIA_TYPE = /^\s*[\w!#$%&'*.^`|~+-]+\/[\w!#$%&'*.^`|~+-]+\s*(?:;.*)?$/;

/** Every body is JSON, whatever its content type says; nobody reads one that no route asks for. */
function receiveBodies(server: FastifyInstance, bodies: Bodies): void {
  server.removeAllContentTypeParsers();
  // The server refuses by itself what is no media type, such as `json`, before it asks for the parser of all.
  server.addHook("onRequest", (request, _reply, next) => {
    const { headers } = request.raw;
    const type = headers["content-type"];
    if (type !== undefined && type !== JSON_TYPE && !MEDIA_TYPE.test(type)) headers["content-type"] = JSON_TYPE;
    next();
  });
  // Named, it is found at once; else its parameters would be looked at each time.
  server.addContentTypeParser([JSON_TYPE, "*"], async (request: FastifyRequest) =>
    readsBody(request.routeOptions.url) ? bodies.receive(request.raw) : undefined,
  );
  server.addHook("onClose", () => bodies[Symbol.asyncDispose]());
}

/** Every fault has OpenAI's error shape. */
function answerErrors(server: FastifyInstance, logger: Logger): void {
  server.setErrorHandler(async (error, request, reply) => {
    const fault = fromHttpError(error);
    await endBody(request.raw, reply, fault);
    if (fault.code === "internal")
      logger.error("http.internal_error", { x_request_id: request.id, reason: fault.message, stack: fault.stack });
    return sendError(reply, fault);
  });
}

/** Refusals of bodies whose senders may be in the midst of them. */
const OF_BODIES: readonly ErrorCode[] = [
  "payload_too_large",
  "overloaded",
  "unsupported_media_type",
  "invalid_argument",
];

/** What is left of a body that was refused: a slow sender is not waited for, all others are heard to the end, within bounds. */
async function endBody(raw: IncomingMessage, reply: FastifyReply, { code }: DroverError): Promise<void> {
  if (raw.complete) return;
  if (OF_BODIES.includes(code)) await discardBody(raw);
  if (code === "request_timeout") reply.header("connection", "close");
}

/** A path that is served by other methods says which. Returns the routes that are served. */
function refuseUnknownRoutes(server: FastifyInstance): KnownRoutes {
  const routes = new KnownRoutes();
  server.addHook("onRoute", ({ method, url }) => routes.add(url, [method].flat()));
  server.setNotFoundHandler((request, reply) => {
    const path = at(request.url.split("?"), 0);
    const reason = whyUnserved(path, request.method);
    const methods = reason === "" ? routes.methodsOf(path) : [];
    if (methods.length === 0)
      return sendError(reply, new DroverError("not_found", `there is no ${request.method} ${path}${reason}`));
    const allow = methods.join(", ");
    reply.header("allow", allow);
    return sendError(reply, new DroverError("method_not_allowed", `${path} takes ${allow}, not ${request.method}`));
  });
  return routes;
}
