import { openSync, readdirSync, readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { SharedMemory } from "./shared-memory.ts";

const BYTES = 8192;
const isLinux = process.platform === "linux";
/** Segments that this process has mapped. */
const mapped = () => readFileSync("/proc/self/maps", "utf8").split("memfd:drover").length - 1;
const openFiles = () => readdirSync("/proc/self/fd").length;

test.skipIf(!isLinux)("what one writes the other reads, each wakes the other, and nothing stays", async () => {
  const memory = await SharedMemory.load();
  const [before, files] = [mapped(), openFiles()];
  const { segment, offer, withdraw } = memory.create(BYTES);
  const other = memory.open(offer);
  withdraw();
  const [woken, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  segment.listen(woken.resolve, gone.resolve);
  other.listen(
    () => other.ring(),
    () => undefined,
  );
  segment.bytes[BYTES - 1] = 7;
  expect(other.bytes[BYTES - 1]).toBe(7);
  segment.ring();
  await woken.promise;
  other[Symbol.dispose]();
  await gone.promise;
  expect(segment.isOpen).toBe(false);
  for (const each of [segment, other]) each.unmap();
  expect(mapped()).toBe(before);
  await expect.poll(openFiles).toBe(files);
});

test.skipIf(!isLinux)(
  "an offer of another process, another segment, or another kind of file is refused, and takes nothing",
  async () => {
    const memory = await SharedMemory.load();
    const { segment, offer, withdraw } = memory.create(BYTES);
    const fd = openSync("/dev/null", "r");
    onTestFinished(() => {
      segment[Symbol.dispose]();
      segment.unmap();
      withdraw();
    });
    const [before, files] = [mapped(), openFiles()];
    const refused = [
      [{ ...offer, processId: 2 ** 30 }, "not_found"],
      [{ ...offer, memoryFd: fd }, "not_found"],
      [{ ...offer, wokenFd: fd }, "not_found"],
      [{ ...offer, nonce: offer.nonce.map((byte) => byte ^ 1) }, "not_found"],
      [{ ...offer, byteCount: 2 * BYTES }, "not_found"],
      [{ ...offer, byteCount: 2 ** 40 }, "invalid_argument"],
      [{ ...offer, nonce: new Uint8Array(3) }, "invalid_argument"],
    ] as const;
    for (const [wrong, code] of refused) expect(() => memory.open(wrong)).toThrow(expect.objectContaining({ code }));
    expect(mapped()).toBe(before);
    await expect.poll(openFiles).toBe(files);
  },
);
