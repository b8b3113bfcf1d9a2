import { type Logger, type RowLinks, type SharedRoom, silentLogger, systemClock } from "@drover/core";
import { SharedMemory } from "@drover/shared-memory";
import { expect, onTestFinished, test } from "vitest";
import { expertService } from "../expert-service.ts";
import { ExpertStreamPeer } from "../expert-stream-peer.ts";
import { grpcNetwork } from "../network.ts";
import { createServer, listen } from "../server.ts";
import { sharedExpertService } from "./shared-answers.ts";

const NETWORK = { ...grpcNetwork, memory: () => SharedMemory.load() };
const BYTES = 8192;
const RUNNER = { hiddenSize: 4, has: () => true, run: () => undefined };

/** A peer whose worker's device takes memory of so many bytes; what happened to it, in order. */
async function scene(byteCount: number) {
  const events: string[] = [];
  const rooms: { asking?: SharedRoom; answering?: SharedRoom } = {};
  const server = createServer();
  onTestFinished(() => server.forceShutdown());
  server.addService(...expertService(RUNNER));
  const answer = (room: SharedRoom) => {
    rooms.answering = room;
    room.listen(
      () => undefined,
      () => events.push("the other side is gone"),
    );
  };
  server.addService(...sharedExpertService(RUNNER, () => SharedMemory.load(), undefined, { byteCount, answer }));
  const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  const links: RowLinks = {
    byteCount: BYTES,
    open: (workerId, room) => {
      rooms.asking = room;
      events.push(`${workerId} opened`);
      return {
        begin: () => events.push("begun"),
        [Symbol.dispose]: () => {
          if (events.at(-1) !== "ended") events.push("ended");
        },
      };
    },
  };
  // Beside it processes offer each other memory of their own.
  const log = (event: string) => {
    if (event !== "peer.shares_memory") events.push(event);
  };
  const logger: Logger = { ...silentLogger, info: log, child: () => logger };
  const peer = new ExpertStreamPeer(
    "w",
    address,
    systemClock,
    logger,
    { exchanged: () => undefined },
    NETWORK,
    Promise.resolve(links),
  );
  onTestFinished(() => peer[Symbol.dispose]());
  return { events, rooms, peer };
}

test("devices of both sides get one memory, and each learns that the other has ended", async () => {
  const { events, rooms, peer } = await scene(BYTES);
  await expect.poll(() => events).toContain("peer.shares_card_memory");
  expect(events).toEqual(["peer.connected", "w opened", "begun", "peer.shares_card_memory"]);
  rooms.asking?.bytes.set([42], BYTES - 1);
  expect(rooms.answering?.bytes[BYTES - 1]).toBe(42);
  peer[Symbol.dispose]();
  await expect.poll(() => events.slice(-2)).toEqual(["ended", "the other side is gone"]);
});

test("a device that does not take the memory is asked as others are, and what was made for it is ended", async () => {
  const { events, rooms } = await scene(2 * BYTES);
  await expect.poll(() => events).toContain("peer.shares_no_card_memory");
  expect(events).toEqual(["peer.connected", "w opened", "ended", "peer.shares_no_card_memory"]);
  expect(rooms.answering).toBeUndefined();
});
