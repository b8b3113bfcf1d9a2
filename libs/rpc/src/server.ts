import { DroverError } from "@drover/core";
import { Calls } from "@drover/proto";
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { CarriedAnswers } from "./carried/carried-answers.ts";
import type { Certificates } from "./certificates/certificates.ts";
import { guardedService } from "./guarded-service.ts";
import { membersOnly } from "./membership/members-only.ts";
import { type Membership, ownMembership } from "./membership/membership.ts";
import { PROTOCOL, type Protocol } from "./protocol.ts";
import { rpcService } from "./rpc-service.ts";
import { serverOptions } from "./settings.ts";

/** Who a process is to its peers, where that is not what its build and `joinCluster` say. */
export type PeerIdentity = Readonly<{ protocol?: Protocol; membership?: Membership }>;

/**
 * A grpc-js server with the settings that all of Drover's processes share. Strangers are refused before anything of theirs is read; its services
 * refuse callers whose protocol does not agree.
 */
export function createServer({ protocol = PROTOCOL, membership = ownMembership() }: PeerIdentity = {}): Server {
  return new GuardedServer(protocol, membership);
}

class GuardedServer extends Server {
  readonly #protocol: Protocol;
  readonly certificates: Certificates | undefined;
  readonly #carried = new CarriedAnswers();

  constructor(protocol: Protocol, membership: Membership) {
    super({ ...serverOptions, interceptors: [membersOnly(membership)] });
    this.#protocol = protocol;
    this.certificates = membership.certificates;
    const [definition, service] = rpcService(Calls, { carry: (stream) => this.#carried.serve(stream) });
    super.addService(definition, guardedService(service, protocol));
  }

  override addService(definition: ServiceDefinition, service: UntypedServiceImplementation): void {
    const guarded = guardedService(service, this.#protocol);
    // Whoever brings a service of these names answers it.
    for (const { path } of Object.values(definition)) this.unregister(path);
    this.#carried.add(definition, guarded);
    super.addService(definition, guarded);
  }

  /** Streams that carry calls would have it wait for their peers. */
  override tryShutdown(callback: (error?: Error) => void): void {
    this.#carried.end();
    super.tryShutdown(callback);
  }

  override forceShutdown(): void {
    this.#carried.drop();
    super.forceShutdown();
  }
}

/**
 * Binds `host:port` (port 0: any free one) and returns the port. With certificates it speaks TLS; a server for peers has those of its membership.
 * Errors: `unavailable` when the address is taken.
 */
export function listen(
  server: Server,
  address: string,
  certificates = server instanceof GuardedServer ? server.certificates : undefined,
): Promise<number> {
  const credentials = certificates?.forServers ?? ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error)
        reject(new DroverError("unavailable", `cannot listen on ${address}: ${error.message}`, { cause: error }));
      else resolve(port);
    });
  });
}

/** Stops listening, and ends each connection when its calls are over; what is not over in time is cut off. */
export async function shutDown(server: Server, msMax: number): Promise<void> {
  const late = setTimeout(() => server.forceShutdown(), msMax);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  clearTimeout(late);
}
