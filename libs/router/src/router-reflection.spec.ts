import { once } from "node:events";
import { Client, credentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";

const scene = new RouterScene();
beforeEach(async () => {
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
