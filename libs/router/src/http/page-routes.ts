import { DroverError } from "@drover/core";
import { type PageFile, type PageFiles, pageFiles } from "@drover/page";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** The page loads nothing from elsewhere, is shown in no other page, and sends what is typed to this router alone. */
const policy = (inlineScripts: readonly string[]): string =>
  [
    "default-src 'none'",
    `script-src 'self' ${inlineScripts.map((hash) => `'${hash}'`).join(" ")}`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");

/**
 * The page for people, at `/` for whoever asks for HTML, and at `/docs`. `welcome` answers others at `/`. `readFiles` is called at the page's first use, and again
 * at the next one where it has rejected.
 */
export function addPageRoutes(
  server: FastifyInstance,
  welcome: (reply: FastifyReply) => FastifyReply,
  readFiles: () => Promise<PageFiles> = pageFiles,
): void {
  let read: Promise<PageFiles> | undefined;
  // At the first use: most routers are asked by programs alone.
  const files = () => {
    read ??= readFiles().catch((error: unknown) => {
      read = undefined;
      throw error;
    });
    return read;
  };
  server.get("/", async (request, reply) =>
    request.headers.accept?.includes("text/html") ? send(request, reply, (await files()).document) : welcome(reply),
  );
  server.get("/docs", async (request, reply) => send(request, reply, (await files()).document));
  server.get<{ Params: { part: string } }>("/page/:part", async (request, reply) => {
    const part = (await files()).parts.get(request.params.part);
    if (part === undefined) throw new DroverError("not_found", `there is no GET /page/${request.params.part}`);
    return send(request, reply, part);
  });
}

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, body, etag, inlineScripts }: PageFile,
): FastifyReply {
  reply.headers({
    etag,
    "cache-control": "no-cache",
    "content-security-policy": policy(inlineScripts),
    "content-type": type,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  return request.headers["if-none-match"] === etag ? reply.code(304).send() : reply.send(body);
}
