import { DroverError } from "@drover/core";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { channelOptions } from "./settings.ts";

/** A grpc-js server with the settings that all of Drover's processes share. */
export function createServer(): Server {
  return new Server(channelOptions);
}

/** Binds `host:port` (port 0: any free one) and returns the port. Errors: `unavailable` when the address is taken. */
export function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
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
