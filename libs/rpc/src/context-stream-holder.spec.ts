import { setImmediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { silentLogger } from "@drover/core";
import { type ContextReply, ContextReplySchema, type ContextRequest, ContextWorker } from "@drover/proto";
import { SimClock } from "@drover/testkit";
import { Metadata } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { ContextStreamHolder } from "./context-stream-holder.ts";
import { bytesOf } from "./expert-frames.ts";
import { rpcService } from "./rpc-service.ts";
import { createServer, listen } from "./server.ts";

const CALL = {
  layer: 0,
  queries: [{ sequenceId: "a", endSegment: 1, segmentCount: 1, segments: [0], rowCount: 1 }],
  q_aQ: Float32Array.of(1, 2),
  trace: undefined,
};

/** A context worker that answers queries with themselves, or keeps them until it is let. */
async function openWorker() {
  const server = createServer();
  const kept: (() => void)[] = [];
  const worker = { isFrozen: false, askedCount: 0 };
  const answer = ({ correlationId, request }: ContextRequest): ContextReply => {
    if (request.case !== "attend") return create(ContextReplySchema, { correlationId });
    const attended = request.value.rows;
    return create(ContextReplySchema, { correlationId, attended, lse: bytesOf(Float32Array.of(0)) });
  };
  const service = rpcService(ContextWorker, {
    hold: (stream) => {
      stream.sendMetadata(new Metadata());
      stream.on("error", () => undefined);
      stream.on("data", (request: ContextRequest) => {
        worker.askedCount += 1;
        const reply = () => stream.write(answer(request));
        if (worker.isFrozen) kept.push(reply);
        else reply();
      });
    },
    get: () => undefined,
  });
  server.addService(...service);
  const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  const thaw = () => {
    worker.isFrozen = false;
    for (const reply of kept.splice(0)) reply();
  };
  return { worker, address, thaw, [Symbol.dispose]: () => server.forceShutdown() };
}

it("a context worker that falls silent holds a step up by its own times, and is not asked again before it has answered", async () => {
  using opened = await openWorker();
  const { worker, address, thaw } = opened;
  const clock = new SimClock();
  using holder = new ContextStreamHolder("w", address, clock, silentLogger);
  await expect.poll(() => holder.connected).toBe(true);
  for (let i = 0; i < 20; i++) expect((await holder.attend(CALL))?.attended_aQ).toEqual(CALL.q_aQ);
  worker.isFrozen = true;
  let isOver = false;
  const answer = holder.attend(CALL).finally(() => {
    isOver = true;
  });
  const frozenAtMs = clock.monotonic();
  while (!isOver) {
    await clock.advance(10);
    await setImmediate();
  }
  expect(await answer).toBeUndefined();
  expect(clock.monotonic() - frozenAtMs).toBeLessThan(2000);
  const { askedCount } = worker;
  expect(await holder.attend(CALL)).toBeUndefined();
  expect(worker.askedCount).toBe(askedCount);
  thaw();
  await expect.poll(async () => (await holder.attend(CALL))?.lse_aH).toEqual(Float32Array.of(0));
});
