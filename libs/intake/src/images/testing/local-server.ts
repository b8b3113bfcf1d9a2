import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export type LocalServer = AsyncDisposable & Readonly<{ port: number; requestCount: () => number }>;

/** An HTTP server on a loopback address. */
export async function startServer(listener: RequestListener, address = "127.0.0.1", port = 0): Promise<LocalServer> {
  let requestCount = 0;
  const server = createServer((request, response) => {
    requestCount += 1;
    listener(request, response);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, address, resolve));
  const { port: ownPort } = server.address() as AddressInfo;
  return {
    port: ownPort,
    requestCount: () => requestCount,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
