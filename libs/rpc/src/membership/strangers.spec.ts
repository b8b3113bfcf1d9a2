import { create, type DescMethod, type DescService } from "@bufbuild/protobuf";
import { type Clock, neverAborted, systemClock } from "@drover/core";
import * as proto from "@drover/proto";
import { internalServices, knock } from "@drover/testkit";
import { Client, credentials, Metadata, type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RpcClient } from "../client.ts";
import { PROOF_MS_MAX } from "../limits.ts";
import { PROTOCOL, setProtocol } from "../protocol.ts";
import { createServer, listen } from "../server.ts";
import { serviceDefinition } from "../service.ts";
import { ClusterSecret } from "./cluster-secret.ts";
import { setProof } from "./membership.ts";

const SECRET = "a-secret-of-this-test-alone";
const at = (offsetMs: number): Clock => ({ ...systemClock, now: () => Date.now() + offsetMs });

const pathOf = (service: DescService, method: DescMethod) => `/${service.typeName}/${method.name}`;
const METHODS = internalServices().flatMap((service) =>
  service.methods.map((method) => [pathOf(service, method), method] as const),
);

describe("every method between processes", () => {
  const reached: string[] = [];
  let server: Server;
  let address: string;

  beforeAll(async () => {
    server = createServer({ membership: { secret: new ClusterSecret([SECRET, "the-one-before-this"]) } });
    for (const service of internalServices()) {
      const handlers = service.methods.map((method) => {
        const handle = (
          call: ServerDuplexStream<unknown, unknown>,
          callback?: (error: null, reply: unknown) => void,
        ) => {
          reached.push(pathOf(service, method));
          if (callback !== undefined) callback(null, create(method.output));
          else call.end();
        };
        return [method.localName, handle];
      });
      server.addService(serviceDefinition(service), Object.fromEntries(handlers));
    }
    address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  });
  afterAll(() => server.forceShutdown());

  it("is among those of the protos", () => {
    expect(METHODS.length).toBeGreaterThanOrEqual(17);
    expect(METHODS.map(([path]) => path)).toContain("/drover.internal.v1.Cluster/Join");
  });

  const metadataOf = (path: string, secret?: ClusterSecret) =>
    setProof(setProtocol(new Metadata(), PROTOCOL), path, { ...(secret && { secret }) });

  it.each(METHODS)("%s has no answer and no handler for who is no member", async (path, method) => {
    reached.length = 0;
    const member = new ClusterSecret([SECRET]);
    const strangers: readonly Metadata[] = [
      metadataOf(path),
      metadataOf(path, new ClusterSecret(["another-cluster's-secret"])),
      // What was overheard: of another method, and of some minutes ago.
      metadataOf("/drover.internal.v1.Cluster/Other", member),
      metadataOf(path, new ClusterSecret([SECRET], at(-PROOF_MS_MAX - 60_000))),
      metadataOf(path, new ClusterSecret([SECRET], at(PROOF_MS_MAX + 60_000))),
    ];
    for (const metadata of strangers)
      expect(await knock(address, method, metadata)).toMatchObject({ code: status.UNAUTHENTICATED, replies: 0 });
    expect(reached).toEqual([]);
  });

  it.each(METHODS)("%s is answered for members, also with the secret that is being replaced", async (path, method) => {
    reached.length = 0;
    const members = [
      new ClusterSecret([SECRET]),
      new ClusterSecret(["the-one-before-this"]),
      new ClusterSecret([SECRET], at(-60_000)),
    ];
    for (const member of members)
      expect(await knock(address, method, metadataOf(path, member))).toMatchObject({ code: status.OK });
    expect(reached).toEqual([path, path, path]);
  });

  it("says to a stranger what is missing, and nothing of a message is read", async () => {
    using client = new RpcClient(address, { membership: {} });
    const explain = client.unary(proto.Cluster.method.explain, create(proto.ExplainRequestSchema), neverAborted);
    await expect(explain).rejects.toMatchObject({
      code: "not_a_member",
      message: expect.stringContaining("--cluster-secret-file"),
    });
    // A message that no decoder takes: who reads it says INTERNAL.
    const plain = new Client(address, credentials.createInsecure());
    const broken = Buffer.from([255, 255, 255]);
    const code = await new Promise((resolve) =>
      plain.makeUnaryRequest(
        "/drover.internal.v1.Cluster/Explain",
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        broken,
        (error) => resolve(error?.code),
      ),
    );
    plain.close();
    expect(code).toBe(status.UNAUTHENTICATED);
  });
});
