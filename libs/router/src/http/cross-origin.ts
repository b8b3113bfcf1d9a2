import { DroverError } from "@drover/core";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { PREFLIGHT_AGE_S } from "../limits.ts";
import type { KnownRoutes } from "./known-routes.ts";
import { REQUEST_ID_HEADER } from "./request-id.ts";

const ANY = "*";
/** As browsers write an origin: a scheme, a host and perhaps a port, and nothing behind them. */
const ORIGIN = /^(?:null|[a-z][a-z0-9+.-]*:\/\/[^/?#\s,]+)$/;
/** Names of headers, as a preflight asks for them. */
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;
/** What a page may read of an answer besides its body. */
const RATE_LIMITS = ["limit", "remaining", "reset"].flatMap((figure) =>
  ["requests", "tokens"].map((what) => `x-ratelimit-${figure}-${what}`),
);
const EXPOSED = [REQUEST_ID_HEADER, "request-id", "retry-after", ...RATE_LIMITS].join(", ");

/** The pages that may use the API from a browser. Without any, no answer says that one may. Source: https://fetch.spec.whatwg.org/#http-cors-protocol. */
export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;

  /** Errors: `invalid_argument` for what is no origin. */
  constructor(origins: readonly string[]) {
    for (const origin of origins)
      if (origin !== ANY && !ORIGIN.test(origin))
        throw new DroverError("invalid_argument", `${origin} is no origin, such as https://app.example, nor *`, {
          field: "cors-origins",
        });
    this.#origins = new Set(origins);
  }

  /** Answers preflights and marks all other answers, errors and streams too. To be added before keys are asked for. */
  addTo(server: FastifyInstance, routes: KnownRoutes): void {
    if (this.#origins.size === 0) return;
    server.addHook("onRequest", async (request, reply) => {
      const origin = this.#mark(request, reply);
      if (origin === undefined || request.method !== "OPTIONS") return;
      const methods = routes.methodsOf(request.url.split("?", 1)[0] ?? "");
      const asked = request.headers["access-control-request-method"];
      if (asked === undefined || methods.length === 0) return;
      return preflight(request, reply, methods);
    });
  }

  /** The origin of a page that may read the answer. */
  #mark({ headers: { origin } }: FastifyRequest, { raw }: FastifyReply): string | undefined {
    const isAny = this.#origins.has(ANY);
    if (!isAny) raw.setHeader("vary", "origin");
    if (origin === undefined || !(isAny || this.#origins.has(origin))) return undefined;
    raw.setHeader("access-control-allow-origin", isAny ? ANY : origin);
    raw.setHeader("access-control-expose-headers", EXPOSED);
    return origin;
  }
}

/** A browser asks, before the request itself and without its key, whether it may be made. */
function preflight({ headers }: FastifyRequest, reply: FastifyReply, methods: readonly string[]): FastifyReply {
  const { raw } = reply;
  raw.setHeader("access-control-allow-methods", methods.join(", "));
  const names = headers["access-control-request-headers"];
  if (names !== undefined && HEADER_NAMES.test(names)) raw.setHeader("access-control-allow-headers", names);
  if (headers["access-control-request-private-network"] === "true")
    raw.setHeader("access-control-allow-private-network", "true");
  raw.setHeader("access-control-max-age", String(PREFLIGHT_AGE_S));
  return reply.code(204).send();
}
