import { request } from "node:https";
import { create } from "@bufbuild/protobuf";
import { neverAborted } from "@drover/core";
import { publicApi } from "@drover/proto";
import { Certificates, makeCertificates, serviceDefinition } from "@drover/rpc";
import { PATIENCE_MS } from "@drover/testkit";
import { credentials, makeClientConstructor } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

let scene: RouterScene;
beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
});
afterEach(() => scene.stop());

const make = () => makeCertificates({ names: ["127.0.0.1"], nowMs: Date.now(), validMs: 86_400_000 });
/** As the router has them: clients show none. */
const atDoor = ({ certificate, key }: ReturnType<typeof make>) => ({ certificate, key });

/** GET over a new connection by who trusts `ca` alone; the status, or why there is none. */
function get(path: string, ca: string): Promise<number | string> {
  return new Promise((resolve) => {
    const call = request(`${scene.url}${path}`, { ca, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    call.end();
  });
}

/** Asks for the models over gRPC, likewise. */
function listModels(ca: string): Promise<string> {
  const Inference = makeClientConstructor(serviceDefinition(publicApi.Inference), "Inference");
  const client = new Inference(scene.grpc, credentials.createSsl(Buffer.from(ca)));
  const deadline = Date.now() + PATIENCE_MS;
  return new Promise((resolve) => {
    client.waitForReady(deadline, () => undefined);
    client["listModels"]?.(
      create(publicApi.ListModelsRequestSchema),
      { deadline } as never,
      (error: { code: number } | null, reply: { models: { id: string }[] }) => {
        client.close();
        resolve(error === null ? reply.models.map(({ id }) => id).join() : `code ${error.code}`);
      },
    );
  });
}

it("HTTP and gRPC speak TLS with a certificate, health too, and new connections see a new one", async () => {
  const [first, second] = [make(), make()];
  const certificates = new Certificates(atDoor(first));
  await scene.startRouter({ certificates });
  expect(await get("/health", first.ca ?? "")).toBe(200);
  expect(await get("/ready", first.ca ?? "")).toBe(200);
  expect(await listModels(first.ca ?? "")).toBe("tiny");
  expect(await get("/health", second.ca ?? "")).toMatch(/SELF_SIGNED|UNABLE_TO/);
  certificates.replace(atDoor(second));
  expect(await get("/health", second.ca ?? "")).toBe(200);
  expect(await listModels(second.ca ?? "")).toBe("tiny");
  expect(await get("/health", first.ca ?? "")).toMatch(/SELF_SIGNED|UNABLE_TO/);
  // A plain request gets no plain answer.
  await expect(fetch(`${scene.url.replace("https", "http")}/health`, { signal: neverAborted })).rejects.toThrow();
});

it("a reply that is being streamed goes on over a change of the certificate", async () => {
  const first = make();
  const certificates = new Certificates(atDoor(first));
  await scene.startRouter({ certificates });
  const body = JSON.stringify({ model: "tiny", prompt: "ab", max_tokens: 2, stream: true, ignore_eos: true });
  const received = new Promise<string>((resolve, reject) => {
    const call = request(`${scene.url}/v1/completions`, { method: "POST", ca: first.ca }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(text)).on("error", reject);
    });
    call.on("error", reject);
    call.end(body);
  });
  const { requestId } = await scene.cluster.jobs.at(0);
  scene.worker.send(requestId, 0, started(0));
  scene.worker.sendText(requestId, 0, "a");
  certificates.replace(atDoor(make()));
  scene.worker.send(requestId, 0, end(1), done);
  expect(await received).toContain("data: [DONE]");
});
