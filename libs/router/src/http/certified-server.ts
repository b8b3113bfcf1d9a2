import { Server } from "node:https";
import { assert, type Clock, type Logger } from "@drover/core";
import type { Certificates } from "@drover/rpc";
import type { FastifyInstance, FastifyServerOptions } from "fastify";
import {
  CONNECTIONS_FULL_SAID_MS,
  HANDSHAKE_MS_MAX,
  HEADERS_BYTES_MAX,
  HEADERS_CHECK_MS,
  HEADERS_MS_MAX,
} from "../limits.ts";

/** What a server of HTTP, or HTTPS, bears of who connects. */
const LIMITS = {
  headersTimeout: HEADERS_MS_MAX,
  connectionsCheckingInterval: HEADERS_CHECK_MS,
  maxHeaderSize: HEADERS_BYTES_MAX,
  // Node would answer by itself, with nothing but a status.
  requireHostHeader: false,
};

/** How Fastify makes its server: with TLS where there is a certificate. Its types tell http from https all the way down, and nothing here does. */
export function serverOptions(certificates: Certificates | undefined): Partial<FastifyServerOptions> {
  if (certificates === undefined) return { http: LIMITS } as Partial<FastifyServerOptions>;
  const https = { ...LIMITS, handshakeTimeout: HANDSHAKE_MS_MAX, ...contextOf(certificates) };
  return { https } as Partial<FastifyServerOptions>;
}

/** Closes connections beyond `max` as they come, and says so now and then. */
export function limitConnections({ server }: FastifyInstance, max: number, clock: Clock, logger: Logger): void {
  server.maxConnections = max;
  let saidAtMs = Number.NEGATIVE_INFINITY;
  server.on("drop", () => {
    if (clock.monotonic() - saidAtMs < CONNECTIONS_FULL_SAID_MS) return;
    saidAtMs = clock.monotonic();
    logger.warn("http.connections_full", { connectionsMax: max });
  });
}

/** Uses each new certificate for the connections that come after it; those that are there go on. */
export function keepUpWith(instance: FastifyInstance, certificates: Certificates): void {
  const server: unknown = instance.server;
  assert(server instanceof Server, "a server with certificates speaks TLS");
  const listening = certificates.onChange(() => server.setSecureContext(contextOf(certificates)));
  instance.addHook("onClose", async () => listening[Symbol.dispose]());
}

const contextOf = ({ texts: { certificate, key } }: Certificates) => ({ cert: certificate, key });
