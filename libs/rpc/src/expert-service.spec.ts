import { create, toBinary } from "@bufbuild/protobuf";
import { at, type ExpertRunner, silentLogger, systemClock } from "@drover/core";
import { ActivationType, ExpertReplySchema, ExpertRequestSchema, ExpertWorker } from "@drover/proto";
import { Client, credentials, type Server, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { expertService } from "./expert-service.ts";
import { ExpertStreamPeer } from "./expert-stream-peer.ts";
import { plainCodec } from "./message-codec.ts";
import { PROTOCOL, setProtocol } from "./protocol.ts";
import { createServer, listen } from "./server.ts";
import { traceMetadata } from "./trace-metadata.ts";

const WIDTH = 1280;
const EXPERT_COUNT = 4;

/** Expert e of layer 1 multiplies its rows by e + 1. */
class ScalingExperts implements ExpertRunner {
  readonly hiddenSize = WIDTH;
  runCount = 0;
  copyCount = 0;

  has(layer: number, expert: number): boolean {
    return layer === 1 && expert < EXPERT_COUNT;
  }

  run(_: number, experts: ArrayLike<number>, counts: ArrayLike<number>, z: Float32Array, y: Float32Array): undefined {
    this.runCount += 1;
    // A view is of the buffer that the whole message was received in.
    if (z.buffer.byteLength === z.byteLength) this.copyCount += 1;
    let next = 0;
    for (let i = 0; i < experts.length; i++)
      for (const end = next + at(counts, i) * WIDTH; next < end; next++) y[next] = at(z, next) * (at(experts, i) + 1);
  }
}

let server: Server;
let address: string;
let experts: ScalingExperts;

beforeEach(async () => {
  experts = new ScalingExperts();
  server = createServer();
  server.addService(...expertService(experts));
  address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
});

afterEach(() => server.forceShutdown());

it("every row that a peer is asked for is answered at its own place, in however many frames, and computed where it was received", async () => {
  using peer = new ExpertStreamPeer("w", address, systemClock, silentLogger, { exchanged: () => undefined });
  await expect.poll(() => peer.connected).toBe(true);
  const stepRows = 120;
  const shares = fc
    .uniqueArray(fc.nat(stepRows - 1), { minLength: 1, maxLength: stepRows, size: "max" })
    .chain((rows) =>
      fc.tuple(fc.constant(rows), fc.array(fc.nat(3), { minLength: rows.length, maxLength: rows.length })),
    );
  await fc.assert(
    fc.asyncProperty(shares, async ([rows, owners]) => {
      const sorted = owners.toSorted((a, b) => a - b);
      const held = [...new Set(sorted)];
      const call = {
        layer: 1,
        experts: Int32Array.from(held),
        counts: Int32Array.from(held, (expert) => sorted.filter((each) => each === expert).length),
        rows: Int32Array.from(rows),
        z_aD: Float32Array.from({ length: stepRows * WIDTH }, (_, i) => i % 8191),
        y_aD: new Float32Array(stepRows * WIDTH).fill(-1),
        width: WIDTH,
      };
      const expected = call.y_aD.slice();
      for (const [i, row] of rows.entries())
        for (let d = row * WIDTH; d < (row + 1) * WIDTH; d++) expected[d] = (at(sorted, i) + 1) * (d % 8191);
      expect(await peer.call(call)).toBe(true);
      expect(Buffer.from(call.y_aD.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    }),
    { numRuns: 10 },
  );
  expect(experts.runCount).toBeGreaterThan(10);
  expect(experts.copyCount).toBe(0);
});

/** One stream whose messages are given as they are, to a server that reads them as a peer's. */
function rawStream() {
  const client = new Client(address, credentials.createInsecure());
  const path = `/${ExpertWorker.typeName}/${ExpertWorker.method.exchange.name}`;
  const read = plainCodec(ExpertReplySchema).deserialize;
  const stream = client.makeBidiStreamRequest(
    path,
    (b: Buffer) => b,
    read,
    setProtocol(traceMetadata(undefined), PROTOCOL),
  );
  const first = new Promise<unknown>((resolve) => {
    stream.once("data", resolve);
    stream.on("error", resolve);
  });
  return { stream, first, [Symbol.dispose]: () => client.close() };
}

const frame = (rowCounts: number[], rows: number, layer = 1) =>
  create(ExpertRequestSchema, {
    ...{ correlationId: 7n, layer, activationType: ActivationType.F32, experts: [2], rowCounts },
    rows: new Uint8Array(new Float32Array(rows * WIDTH).fill(3).buffer),
  });

it("a caller that writes and reads plain protobuf is answered", async () => {
  using raw = rawStream();
  raw.stream.write(Buffer.from(toBinary(ExpertRequestSchema, frame([2], 2))));
  const rows = Buffer.from(new Float32Array(2 * WIDTH).fill(9).buffer);
  expect(await raw.first).toMatchObject({ correlationId: 7n, errorCode: "", rows });
});

it("a frame whose rows are not what it says is refused in the error table's codes, and one that is cut off ends the stream", async () => {
  for (const [request, code] of [
    [frame([3], 2), "invalid_argument"],
    [frame([1, 1], 2), "invalid_argument"],
    [frame([2], 2, 5), "not_found"],
    [{ ...frame([2], 2), activationType: ActivationType.BF16 }, "invalid_argument"],
  ] as const) {
    using raw = rawStream();
    raw.stream.write(Buffer.from(toBinary(ExpertRequestSchema, request)));
    expect(await raw.first).toMatchObject({ correlationId: 7n, errorCode: code });
  }
  using raw = rawStream();
  raw.stream.write(Buffer.from(toBinary(ExpertRequestSchema, frame([2], 2))).subarray(0, -1));
  expect(await raw.first).toMatchObject({ code: status.INTERNAL });
  expect(experts.runCount).toBe(0);
});
