import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { promisify } from "node:util";
import { fastify } from "fastify";
import { afterEach, beforeEach, expect, it } from "vitest";
import { answerBrokenRequest, answerByHand } from "./broken-requests.ts";

let server: Server;
let closeServer: () => Promise<unknown>;
const opened: Socket[] = [];
beforeEach(async () => {
  const instance = fastify({ clientErrorHandler: answerBrokenRequest, forceCloseConnections: true });
  answerByHand(instance);
  await instance.listen({ port: 0, host: "127.0.0.1" });
  server = instance.server.on("connection", (socket: Socket) => opened.push(socket));
  closeServer = () => instance.close();
});
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy();
  await closeServer();
});

const connectionCount = () => promisify(server.getConnections.bind(server))();

const TUNNEL = "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n";

it.each([
  ["is no HTTP and whose client does not close", "HELLO\r\n\r\n", ""],
  ["asks for a tunnel and whose client does not close", TUNNEL, ""],
  ["asks for a tunnel and whose client goes on sending", TUNNEL, "x".repeat(100_000)],
])("a connection that %s is closed after its answer", async (_, request, more) => {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined).write(request);
  await once(socket, "data");
  socket.write(more);
  await expect.poll(connectionCount).toBe(0);
  socket.destroy();
});

it("a tunnel's connection goes with its client, whatever came of it", async () => {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  socket.on("error", () => undefined).write(TUNNEL);
  await once(socket, "data");
  socket.write("x".repeat(100_000));
  socket.destroy();
  await expect.poll(connectionCount).toBe(0);
});
