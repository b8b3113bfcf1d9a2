import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeDevice } from "../testing/fake-device.ts";
import { DeviceMemory, MEMORY_KINDS } from "./device-memory.ts";

const MIB = 2 ** 20;

test("allocations never overlap, are counted by kind, and the card has all back when the last is freed", () => {
  const step = fc.record({
    kind: fc.constantFrom(...MEMORY_KINDS),
    bytes: fc.integer({ min: 1, max: 40 * MIB }),
    frees: fc.nat(99),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const device = new FakeDevice(2 ** 33);
      const memory = new DeviceMemory(device);
      const live: { address: bigint; bytes: number; kind: string }[] = [];
      for (const { kind, bytes, frees } of steps) {
        const [gone] = frees < 40 && live.length > 0 ? live.splice(frees % live.length, 1) : [];
        if (gone !== undefined) memory.free(gone.address);
        live.push({ address: memory.allocate(kind, bytes), bytes: Math.ceil(bytes / 256) * 256, kind });
        for (const each of MEMORY_KINDS) {
          const own = live.filter((one) => one.kind === each);
          expect(memory.used(each)).toBe(own.reduce((sum, one) => sum + one.bytes, 0));
        }
      }
      const sorted = [...live].sort((a, b) => (a.address < b.address ? -1 : 1));
      for (const [i, { address, bytes }] of sorted.entries()) {
        const next = sorted[i + 1];
        if (next !== undefined) expect(next.address - address).toBeGreaterThanOrEqual(BigInt(bytes));
      }
      expect(device.facts.byteCount - device.freeBytes).toBe(memory.heldBytes);
      for (const { address } of live) memory.free(address);
      expect(device.freeBytes).toBe(device.facts.byteCount);
    }),
    { numRuns: 20 },
  );
});

test("a full card refuses with its own words and nothing is counted", () => {
  const memory = new DeviceMemory(new FakeDevice(100 * MIB));
  memory.allocate("weights", 90 * MIB);
  expect(() => memory.allocate("kv", 20 * MIB)).toThrow(expect.objectContaining({ code: "overloaded" }));
  expect(memory.used("kv")).toBe(0);
});
