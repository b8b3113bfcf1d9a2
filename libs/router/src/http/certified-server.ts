import { Server } from "node:https";
import { assert } from "@drover/core";
import type { Certificates } from "@drover/rpc";
import type { FastifyInstance, FastifyServerOptions } from "fastify";

/** Has Fastify speak TLS where there is a certificate. Its types tell http from https all the way down, and nothing here does. */
export function httpsOptions(certificates: Certificates | undefined): Partial<FastifyServerOptions> {
  if (certificates === undefined) return {};
  return { https: contextOf(certificates) } as Partial<FastifyServerOptions>;
}

/** Uses each new certificate for the connections that come after it; those that are there go on. */
export function keepUpWith(instance: FastifyInstance, certificates: Certificates): void {
  const server: unknown = instance.server;
  assert(server instanceof Server, "a server with certificates speaks TLS");
  const listening = certificates.onChange(() => server.setSecureContext(contextOf(certificates)));
  instance.addHook("onClose", async () => listening[Symbol.dispose]());
}

const contextOf = ({ texts: { certificate, key } }: Certificates) => ({ cert: certificate, key });
