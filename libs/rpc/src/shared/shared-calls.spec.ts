import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { at, type Clock, type Logger, silentLogger, systemClock } from "@drover/core";
import type { PeerCall } from "@drover/exchange";
import { ExpertMemory, SegmentOfferSchema } from "@drover/proto";
import { SharedMemory } from "@drover/shared-memory";
import { SimClock } from "@drover/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { RpcClient } from "../client.ts";
import { expertService } from "../expert-service.ts";
import { ExpertStreamPeer, type Transport } from "../expert-stream-peer.ts";
import { EXPERT_REQUEST_LIMITS, SHARED_SLOT_COUNT } from "../limits.ts";
import { grpcNetwork } from "../network.ts";
import { createServer, listen } from "../server.ts";
import { SEGMENT_BYTES, SEGMENT_LAYOUT } from "./expert-slots.ts";
import { sharedExpertService } from "./shared-answers.ts";

const WIDTH = 1280;
const NETWORK = { ...grpcNetwork, memory: () => SharedMemory.load() };
const STEP_ROWS = 260;
const Z = Float32Array.from({ length: STEP_ROWS * WIDTH }, (_, i) => i % 8191);
const PROCESS = fileURLToPath(new URL("../testing/expert-process.ts", import.meta.url));
/** Experts in a process of their own, which the last test kills. */
let child: ChildProcess;
let port: number;

beforeAll(async () => {
  child = fork(PROCESS, [String(WIDTH)], { execArgv: ["--conditions=@drover/source"] });
  [port] = (await once(child, "message")) as [number];
});

afterAll(() => void child.kill("SIGKILL"));

/** A peer that has memory together with that process. Its time stands still unless a test moves it: no answer is late, however long it takes. */
async function scene(clock: Clock = new SimClock()) {
  const sent: Transport[] = [];
  const meter = { exchanged: () => undefined, sent: (_: string, transport: Transport) => void sent.push(transport) };
  const peer = new ExpertStreamPeer("w", `127.0.0.1:${port}`, clock, silentLogger, meter, NETWORK);
  onTestFinished(() => peer[Symbol.dispose]());
  const transport = async () => {
    if (peer.connected) await peer.call(callOf([0], [0]));
    return sent.at(-1);
  };
  await expect.poll(transport).toBe("shared_memory");
  sent.length = 0;
  return { peer, sent };
}

/** Rows of a step, of which each belongs to an expert. */
function callOf(rows: readonly number[], owners: readonly number[], layer = 1): PeerCall {
  const sorted = owners.toSorted((a, b) => a - b);
  const experts = Int32Array.from(new Set(sorted));
  return {
    layer,
    experts,
    counts: experts.map((expert) => sorted.filter((each) => each === expert).length),
    rows: Int32Array.from(rows),
    z_aD: Z,
    y_aD: new Float32Array(STEP_ROWS * WIDTH).fill(-1),
    width: WIDTH,
  };
}

function answersOf({ rows, z_aD, y_aD }: PeerCall, owners: readonly number[]): Float32Array {
  const expected = y_aD.slice().fill(-1);
  const sorted = owners.toSorted((a, b) => a - b);
  for (const [i, row] of rows.entries())
    for (let d = row * WIDTH; d < (row + 1) * WIDTH; d++) expected[d] = (at(sorted, i) + 1) * at(z_aD, d);
  return expected;
}

const mappedByChild = async (): Promise<number> => {
  child.send("mapped");
  return ((await once(child, "message")) as [number])[0];
};

/** Segments that this process has mapped. */
const mappedHere = () => readFileSync("/proc/self/maps", "utf8").split("memfd:drover").length - 1;

describe.skipIf(process.platform !== "linux")("rows go to a process of the same host through memory", () => {
  test("every row is answered at its own place, in however many frames, also where those are more than fit", async () => {
    const { peer, sent } = await scene();
    const shares = fc
      .uniqueArray(fc.nat(STEP_ROWS - 1), { minLength: 1, maxLength: STEP_ROWS, size: "max" })
      .chain((rows) =>
        fc.tuple(fc.constant(rows), fc.array(fc.nat(3), { minLength: rows.length, maxLength: rows.length })),
      );
    await fc.assert(
      fc.asyncProperty(shares, async ([rows, owners]) => {
        const call = callOf(rows, owners);
        expect(await peer.call(call)).toBe(true);
        expect(Buffer.from(call.y_aD.buffer).equals(Buffer.from(answersOf(call, owners).buffer))).toBe(true);
      }),
      { numRuns: 5 },
    );
    expect(new Set(sent)).toEqual(new Set(["shared_memory"]));
    // A frame each, of few rows: what is on its way is bounded by its number, and a connection that is kept busy for seconds is given up.
    const owners = Array.from({ length: 8 }, (_, i) => i % 4);
    const rows = owners.map((_, row) => row);
    const calls = Array.from({ length: SHARED_SLOT_COUNT + 2 }, () => callOf(rows, owners));
    expect(await Promise.all(calls.map((call) => peer.call(call)))).not.toContain(false);
    expect(new Set(sent)).toEqual(new Set(["shared_memory", "grpc"]));
    const expected = answersOf(at(calls, 0), owners);
    for (const { y_aD } of calls) expect(Buffer.from(y_aD.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  });

  test("a call for what the process does not hold has no answer, and the next one has", async () => {
    const { peer, sent } = await scene();
    expect(await peer.call(callOf([1], [2], 9))).toBe(false);
    expect(await peer.call(callOf([1], [2]))).toBe(true);
    expect(sent).toEqual(["shared_memory", "shared_memory"]);
  });

  test("the process gives its memory back when whoever asked is gone", async () => {
    const { peer } = await scene();
    const mapped = await mappedByChild();
    peer[Symbol.dispose]();
    await expect.poll(mappedByChild).toBeLessThan(mapped);
  });

  test("an answer that comes after its deadline touches no row, of its own layer or of a later one", async () => {
    const clock = new SimClock();
    const { peer, sent } = await scene(clock);
    child.kill("SIGSTOP");
    const late = callOf([3, 4], [1, 1]);
    const asked = peer.call(late);
    for (let ms = 0; ms <= EXPERT_REQUEST_LIMITS.answerMsMax; ms += 100) await clock.advance(100);
    expect(await asked).toBe(false);
    child.kill("SIGCONT");
    const next = callOf([3, 7], [2, 3]);
    expect(await peer.call(next)).toBe(true);
    expect(next.y_aD).toEqual(answersOf(next, [2, 3]));
    expect(late.y_aD.every((value) => value === -1)).toBe(true);
    expect(sent).toEqual(["shared_memory", "shared_memory"]);
  });

  test("a worker that has no memory with others is asked over gRPC, and a segment of another layout is refused", async () => {
    const scaled = { hiddenSize: WIDTH, has: () => true, run: () => undefined };
    const server = createServer();
    onTestFinished(() => server.forceShutdown());
    server.addService(...expertService(scaled));
    const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
    const sent: Transport[] = [];
    const said = Promise.withResolvers<void>();
    const logger: Logger = { ...silentLogger, debug: () => said.resolve(), child: () => logger };
    const meter = { exchanged: () => undefined, sent: (_: string, transport: Transport) => void sent.push(transport) };
    using peer = new ExpertStreamPeer("w", address, systemClock, logger, meter, NETWORK);
    await said.promise;
    expect(await peer.call(callOf([1], [2]))).toBe(true);
    expect(sent).toEqual(["grpc"]);

    const sharing = createServer();
    onTestFinished(() => sharing.forceShutdown());
    sharing.addService(...sharedExpertService(scaled, () => SharedMemory.load()));
    using client = new RpcClient(`127.0.0.1:${await listen(sharing, "127.0.0.1:0")}`);
    const offer = create(SegmentOfferSchema, { layout: SEGMENT_LAYOUT + 1, byteCount: SEGMENT_BYTES });
    const asked = client.unary(ExpertMemory.method.share, offer, new AbortController().signal);
    await expect(asked).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("a process that is killed is noticed, though no deadline comes, and its memory is given back", async () => {
    const { peer } = await scene(new SimClock());
    const mapped = mappedHere();
    const unanswered = peer.call(callOf([1, 5], [0, 2], 2));
    child.kill("SIGKILL");
    expect(await unanswered).toBe(false);
    expect(mappedHere()).toBe(mapped - 1);
    expect(peer.connected).toBe(false);
  });
});
