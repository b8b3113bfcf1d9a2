import { describe, expect, test } from "vitest";
import { cpuCardLibraries, hasCpuCard } from "../testing/cpu-card.ts";
import { deviceFault } from "./device-fault.ts";
import { inspectCards } from "./inspect-cards.ts";
import { countCards, openCuda } from "./open-cuda.ts";

test("a result of the driver is a fault with its own words: full memory is overload, a missing card is unavailable, the rest internal", () => {
  expect(deviceFault("cuMemAlloc_v2", 2, "CUDA_ERROR_OUT_OF_MEMORY, out of memory")).toMatchObject({
    code: "overloaded",
    message: "CUDA: cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY, out of memory (2)",
  });
  expect(deviceFault("cuInit", 100, "").code).toBe("unavailable");
  expect(deviceFault("cuEventQuery", 700, "").code).toBe("internal");
});

test("a machine without the driver says so, and what to do", async () => {
  const missing = { driver: ["libno-such-driver.so.1"], compiler: [] };
  await expect(openCuda(0, missing)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/^NVIDIA's driver cannot be loaded .*libno-such-driver.*--device cpu/),
  });
});

test("looking at a machine without the driver is no error: it is told what is missing", async () => {
  const missing = { driver: ["libno-such-driver.so.1"], compiler: [] };
  expect(await inspectCards(missing)).toEqual({ kind: "no driver", fault: expect.stringMatching(/no-such-driver/) });
});

describe.skipIf(!hasCpuCard)("through the driver's own calls (a CPU in a card's place; needs g++)", () => {
  test("memory, pinned copies and what a graph has recorded", async () => {
    const libraries = cpuCardLibraries();
    expect(await countCards(libraries)).toBe(1);
    const { device } = await openCuda(0, libraries);
    const free = device.freeBytes;
    const [a, b] = [device.allocate(64), device.allocate(64)];
    expect(device.freeBytes).toBe(free - 128);
    const host = device.allocateHost(64);
    const stream = device.createStream();
    device.beginCapture(stream);
    device.copyFromHost(a, host, 0, 64, stream);
    device.copy(b, a, 64, stream);
    device.copyToHost(host, 32, b, 32, stream);
    const graph = device.endCapture(stream);
    host.bytes.set([1, 2, 3, 4]);
    device.launchGraph(graph, stream);
    device.synchronize(stream);
    expect([...host.bytes.subarray(32, 36)]).toEqual([1, 2, 3, 4]);
    device.destroyGraph(graph);
    device.destroyStream(stream);
    device.freeHost(host);
    for (const address of [a, b]) device.free(address);
    expect(device.freeBytes).toBe(free);
    device.close();
  });

  test("what a machine has, and a compiler that it lacks", async () => {
    const { driver } = cpuCardLibraries();
    const found = await inspectCards({ driver, compiler: ["libno-such-compiler.so.1"] });
    expect(found).toMatchObject({
      kind: "driver",
      cudaVersion: "13.0",
      compiler: { fault: expect.stringMatching(/no-such-compiler.*LD_LIBRARY_PATH/) },
      cards: [{ ordinal: 0, freeBytes: 2 ** 32, facts: { byteCount: 2 ** 32 } }],
      apart: [],
    });
  });

  test("a card that is not there, memory that is not there, and code that does not compile", async () => {
    await expect(openCuda(7, cpuCardLibraries())).rejects.toMatchObject({ code: "unavailable" });
    const { device, compiler } = await openCuda(0, cpuCardLibraries());
    expect(() => device.allocate(2 ** 40)).toThrow(expect.objectContaining({ code: "overloaded" }));
    expect(() => compiler.compile("nonsense", [])).toThrow(/NVRTC: .*nonsense/);
    device.close();
  });
});
