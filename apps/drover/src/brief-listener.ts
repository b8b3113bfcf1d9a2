import { type AddressInfo, createServer, type ListenOptions } from "node:net";

/**
 * Listens at an address for as long as `during` takes, which is given the port, and resolves with its result once the address is free again. Whoever
 * connects meanwhile, such as a prober that waits for what is about to start, is cut off: nobody is kept, and the end waits for nobody.
 * Errors: those of listening, as Node gives them, and those of `during`.
 */
export async function listenBriefly<T>(options: ListenOptions, during: (port: number) => T | Promise<T>): Promise<T> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(options, resolve));
  try {
    return await during((server.address() as AddressInfo).port);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
