import { createServer as plainServer } from "node:net";
import { create } from "@bufbuild/protobuf";
import { type Clock, neverAborted, systemClock } from "@drover/core";
import * as proto from "@drover/proto";
import type { handleUnaryCall, Server } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { RpcClient } from "../client.ts";
import { createServer, listen } from "../server.ts";
import { serviceDefinition } from "../service.ts";
import { Certificates, type CertificateTexts } from "./certificates.ts";
import { makeCertificates } from "./make-certificates.ts";

const DAY_MS = 86_400_000;
const make = (...names: string[]) => makeCertificates({ names, nowMs: Date.now(), validMs: DAY_MS });

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.forceShutdown();
});

async function serve(certificates: Certificates | undefined): Promise<string> {
  const server = createServer({ membership: { ...(certificates && { certificates }) } });
  const explain: handleUnaryCall<unknown, unknown> = (_call, reply) => reply(null, create(proto.ExplainReplySchema));
  server.addService(serviceDefinition(proto.Cluster), { explain });
  servers.push(server);
  return `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
}

async function ask(address: string, certificates?: Certificates): Promise<string> {
  using client = new RpcClient(address, { membership: { ...(certificates && { certificates }) } });
  const limited = AbortSignal.any([neverAborted, AbortSignal.timeout(10_000)]);
  return await client.unary(proto.Cluster.method.explain, create(proto.ExplainRequestSchema), limited).then(
    () => "answered",
    (error) => error.code,
  );
}

describe("mutual TLS between processes", () => {
  const one = make("drover.internal", "a");

  it("answers who has a certificate of the authority that shares a name, and nobody else", async () => {
    const address = await serve(new Certificates(one));
    expect(await ask(address, new Certificates(one))).toBe("answered");
    expect(await ask(address, new Certificates(make("drover.internal")))).toBe("unavailable");
    expect(await ask(address)).toBe("unavailable");
  });

  it("trusts no server that is none of the cluster, whether it has another authority's certificate or none", async () => {
    const client = new Certificates(one);
    expect(await ask(await serve(new Certificates(make("drover.internal"))), client)).toBe("unavailable");
    expect(await ask(await serve(undefined), client)).toBe("unavailable");
  });

  it("goes on with new certificates for new connections, without listening anew", async () => {
    const next = make("drover.internal");
    const server = new Certificates(one);
    const address = await serve(server);
    const both = { ...next, ca: `${one.ca}${next.ca}` };
    expect(await ask(address, new Certificates(both))).toBe("unavailable");
    server.replace({ ...one, ca: both.ca });
    expect(await ask(address, new Certificates(both))).toBe("answered");
    server.replace(next);
    expect(await ask(address, new Certificates({ ...one, ca: both.ca }))).toBe("unavailable");
    expect(await ask(address, new Certificates(next))).toBe("answered");
  });
});

describe("Certificates", () => {
  const one = make("drover.internal");
  const late: Clock = { ...systemClock, now: () => Date.now() + 2 * DAY_MS };
  const early: Clock = { ...systemClock, now: () => Date.now() - DAY_MS };
  const wrong: readonly (readonly [string, CertificateTexts, RegExp, Clock?])[] = [
    ["no certificate", { ...one, certificate: "" }, /no certificate in PEM/],
    ["a broken certificate", { ...one, certificate: one.certificate.replace(/M/g, "A") }, /cannot be read/],
    ["no key", { ...one, key: one.certificate }, /the key is none/],
    ["another's key", { ...one, key: make("drover.internal").key }, /not the certificate's/],
    ["another's authority", { ...one, ca: make("drover.internal").ca }, /not the authority's/],
    ["no name", make("10.0.0.1"), /no DNS name/],
    ["one that is over", one, /was good until/, late],
    ["one that has not begun", one, /good only from/, early],
  ];

  it.each(wrong.map(([what, ...rest]) => [what, rest] as const))(
    "refuses %s, and keeps what it had",
    (_what, [texts, sentence, clock]) => {
      expect(() => new Certificates(texts, clock)).toThrow(sentence);
      if (clock !== undefined) return;
      const certificates = new Certificates(one);
      expect(() => certificates.replace(texts)).toThrow(sentence);
      expect(certificates.texts).toBe(one);
    },
  );

  it("takes one whose authority is known through others that come with it", () => {
    const [leaf, other] = [make("x"), make("y")];
    // What comes behind and leads nowhere does no harm.
    expect(new Certificates({ ...leaf, certificate: leaf.certificate + other.certificate }).name).toBe("x");
    expect(new Certificates({ ...leaf, certificate: leaf.certificate + leaf.ca }).name).toBe("x");
  });

  it("a name that two certificates of one authority do not share makes no member", () => {
    const certificates = new Certificates(make("a.example", "shared.example"));
    const der = (names: string[]) =>
      Buffer.from(make(...names).certificate.replace(/-----[^-]+-----|\s/g, ""), "base64");
    expect(certificates.isPeer(der(["b.example", "shared.example"]))).toBe(true);
    expect(certificates.isPeer(der(["b.example"]))).toBe(false);
    expect(certificates.isPeer(der(["*.example"]))).toBe(false);
  });
});

it("a plain server that hangs up is a fault of the peer's", async () => {
  const server = plainServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  expect(await ask(`127.0.0.1:${port}`, new Certificates(make("a")))).toBe("unavailable");
  server.close();
});
