import { create } from "@bufbuild/protobuf";
import { DroverError, neverAborted } from "@drover/core";
import { GetPayloadReplySchema, type GetPayloadRequest, GetPayloadRequestSchema, JobQueue } from "@drover/proto";
import { Server } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { RpcClient } from "../client.ts";
import { rpcService } from "../rpc-service.ts";
import { createServer, listen } from "../server.ts";
import { traceOf } from "../trace-metadata.ts";

type Handlers = Parameters<typeof rpcService<typeof JobQueue>>[1];
type Call = Parameters<Handlers["getPayload"]>[1];

const left = new DroverError("cancelled", "the client has left");
const { getPayload } = JobQueue.method;
const keyed = (key: string) => create(GetPayloadRequestSchema, { key });
/** Only a call of gRPC's own knows its peer. */
const isCarried = (call: Call) => !("getPeer" in call);

describe("RpcClient.carried", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  /** A server that answers what asks for a payload, and a client of it. */
  async function connect(answer: (request: GetPayloadRequest, call: Call) => unknown, server: Server = createServer()) {
    const notCalled = () => {
      throw new DroverError("internal", "nobody asks for this");
    };
    const others = { addJobs: notCalled, cancelJobs: notCalled, putPayload: notCalled, deletePayloads: notCalled };
    server.addService(...rpcService(JobQueue, { ...others, getPayload: answer as Handlers["getPayload"] }));
    const client = new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`);
    ends.push(
      () => client[Symbol.dispose](),
      () => server.forceShutdown(),
    );
    return { client, server };
  }

  const saying = (text: string) =>
    create(GetPayloadReplySchema, { found: true, bytes: new TextEncoder().encode(text) });
  /** Says how each call has come; a key `wait` is answered when `go` is called. */
  async function connectUp(onWait: (call: Call) => Promise<unknown> = () => Promise.resolve({})) {
    const seen: string[] = [];
    const connected = await connect(({ key }, call) => {
      seen.push(key);
      if (key.startsWith("wait")) return onWait(call);
      if (key === "fault") throw new DroverError("overloaded", "full", { field: "key", retryAfterMs: 700 });
      if (key === "traced") return saying(traceOf(call.metadata)?.traceparent ?? "");
      return saying(isCarried(call) ? "carried" : "alone");
    });
    const ask = async (key = "how", signal = neverAborted) =>
      new TextDecoder().decode((await connected.client.carried(getPayload, keyed(key), signal)).bytes);
    await expect.poll(() => ask()).toBe("carried");
    return { ...connected, ask, seen };
  }

  it("makes the first call as one of its own, and carries those that follow once its stream is up", async () => {
    const { ask } = await connectUp();
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(["carried", "carried", "carried"]);
  });

  it("tells of a handler's fault by its code, field and time, and of the caller's span", async () => {
    const { client, ask } = await connectUp();
    await expect(ask("fault")).rejects.toMatchObject({ code: "overloaded", field: "key", retryAfterMs: 700 });
    const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "" };
    const { bytes } = await client.carried(getPayload, keyed("traced"), neverAborted, trace);
    expect(new TextDecoder().decode(bytes)).toBe(trace.traceparent);
  });

  it("gives a call up for the signal's own reason, and its handler learns of it", async () => {
    const begun = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    const { ask } = await connectUp((call) => {
      call.on("cancelled", () => told.resolve());
      begun.resolve();
      return new Promise(() => undefined);
    });
    const caller = new AbortController();
    const asked = ask("wait", caller.signal);
    await begun.promise;
    caller.abort(left);
    await expect(asked).rejects.toBe(left);
    await told.promise;
  });

  it("never has a handler begin what was given up in the turn in which it was made", async () => {
    const { ask, seen } = await connectUp();
    const caller = new AbortController();
    const asked = ask("left", caller.signal);
    await Promise.resolve();
    caller.abort(left);
    await expect(asked).rejects.toBe(left);
    await ask("next");
    expect(seen).toContain("next");
    expect(seen).not.toContain("left");
  });

  it("makes every call as one of its own before a peer that knows no such streams", async () => {
    const { client } = await connect((_, call) => saying(isCarried(call) ? "carried" : "alone"), new Server());
    for (let call = 0; call < 20; call++) {
      const { bytes } = await client.carried(getPayload, keyed("how"), neverAborted);
      expect(new TextDecoder().decode(bytes)).toBe("alone");
    }
  });

  it("has a large request go alone", async () => {
    const { ask } = await connectUp();
    expect(await ask("x".repeat(100_000))).toBe("alone");
  });

  it("is answered by a server that shuts down meanwhile, which waits for nothing else", async () => {
    const go = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    const { server, ask } = await connectUp(() => {
      begun.resolve();
      return go.promise;
    });
    const asked = ask("wait");
    await begun.promise;
    const shut = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    go.resolve(saying("answered"));
    expect(await asked).toBe("answered");
    await shut;
  });

  it("fails as unavailable when the connection is lost", async () => {
    const begun = Promise.withResolvers<void>();
    const { server, ask } = await connectUp(() => {
      begun.resolve();
      return new Promise(() => undefined);
    });
    const asked = ask("wait");
    await begun.promise;
    server.forceShutdown();
    await expect(asked).rejects.toMatchObject({ code: "unavailable" });
  });
});
