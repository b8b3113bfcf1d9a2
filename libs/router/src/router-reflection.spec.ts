import { once } from "node:events";
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";

let scene: RouterScene;
beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
  await scene.startRouter();
});
afterEach(() => scene.stop());

it("reflection tells of health too, so that tools which know no service can ask for it", async () => {
  const client = new Client(scene.grpc, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  const ask = async (field: number, text: string) => {
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const call = client.makeBidiStreamRequest(path, same, same);
    call.write(Buffer.concat([Buffer.from([(field << 3) | 2, text.length]), Buffer.from(text)]));
    const [reply] = await once(call, "data");
    call.end();
    return (reply as Buffer).toString("latin1");
  };
  // grpc.reflection.v1.ServerReflectionRequest: list_services = 7, file_containing_symbol = 4.
  const services = await ask(7, "");
  expect(services).toContain("drover.v1.Inference");
  expect(services).toContain("grpc.health.v1.Health");
  expect(services).toContain("inference.GRPCInferenceService");
  expect(await ask(4, "inference.GRPCInferenceService")).toContain("ModelStreamInferResponse");
  expect(await ask(4, "grpc.health.v1.Health")).toContain("HealthCheckRequest");
  client.close();
});

it("what cannot be read or unpacked is the caller's fault in every service, health and reflection too", async () => {
  const session = connect(`http://${scene.grpc}`);
  try {
    /** A call of one message, by its own bytes: gRPC's clients write none that is broken. Gives the status and what is said of it. */
    const refused = (path: string, sent: Buffer, headers: OutgoingHttpHeaders = {}) =>
      new Promise<readonly [unknown, string]>((resolve, reject) => {
        const call = session.request({
          ":method": "POST",
          ":path": path,
          "content-type": "application/grpc",
          te: "trailers",
          ...headers,
        });
        const told = (found: IncomingHttpHeaders) => {
          if (found["grpc-status"] !== undefined)
            resolve([Number(found["grpc-status"]), decodeURIComponent(String(found["grpc-message"]))]);
        };
        call.on("response", told).on("trailers", told).on("error", reject).resume();
        // One byte that says whether it is compressed, four of its length.
        const head = Buffer.from([headers["grpc-encoding"] === undefined ? 0 : 1, 0, 0, 0, sent.byteLength]);
        call.end(Buffer.concat([head, sent]));
      });
    const broken = Buffer.from([0xff, 0xff]);
    const reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const services = [
      "grpc.health.v1.Health/Check",
      reflection,
      "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ];
    for (const path of services)
      expect(await refused(`/${path}`, broken), path).toEqual([
        status.INVALID_ARGUMENT,
        expect.stringContaining("cannot be read"),
      ]);
    expect(await refused("/drover.v1.Inference/ListModels", Buffer.alloc(0), { "grpc-timeout": "abc" })).toEqual([
      status.INVALID_ARGUMENT,
      expect.stringContaining("cannot be read"),
    ]);
    const cutShort = gzipSync(Buffer.alloc(1000)).subarray(0, 20);
    const own = ["Inference/Chat", "Inference/Generate", "Inference/Tokenize", "Inference/ListModels"];
    const paths = [
      ...own.map((one) => `drover.v1.${one}`),
      "inference.GRPCInferenceService/ModelInfer",
      "inference.GRPCInferenceService/ModelStreamInfer",
    ];
    for (const path of paths)
      for (const sent of [broken, cutShort])
        expect(await refused(`/${path}`, sent, { "grpc-encoding": "gzip" }), path).toEqual([
          status.INVALID_ARGUMENT,
          expect.stringContaining("cannot be read"),
        ]);
  } finally {
    session.destroy();
  }
});

it("every answer tells its call's id: the client's own, or one that is made, also where the call is refused", async () => {
  const client = new Client(scene.grpc, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  const given = new Metadata();
  given.set("x-request-id", "mine");
  const unary = (method: string, sent: Buffer, metadata: Metadata) =>
    new Promise<string>((resolve) => {
      let told: unknown;
      const done = (error: ServiceError | null) => resolve(String(told ?? error?.metadata.get("x-request-id")[0]));
      const path = `/drover.v1.Inference/${method}`;
      const call = client.makeUnaryRequest(path, same, same, sent, metadata, done);
      call.on("metadata", (metadata: Metadata) => {
        [told] = metadata.get("x-request-id");
      });
    });
  expect(await unary("ListModels", Buffer.alloc(0), given)).toBe("mine");
  expect(await unary("ListModels", Buffer.alloc(0), new Metadata())).toMatch(/^[0-9a-f-]{36}$/);
  expect(await unary("Tokenize", Buffer.from([0xff]), given)).toBe("mine");
  const stream = client.makeServerStreamRequest("/drover.v1.Inference/Chat", same, same, Buffer.from([0xff]), given);
  stream.on("error", () => undefined).resume();
  const { metadata } = await new Promise<{ metadata: Metadata }>((resolve) => stream.on("status", resolve));
  expect(metadata.get("x-request-id")).toEqual(["mine"]);
  client.close();
});
