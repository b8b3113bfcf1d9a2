import { DroverError } from "@drover/core";
import { expect, test } from "vitest";
import { PINNED } from "../limits.ts";
import { FakeDevice } from "../testing/fake-device.ts";
import { PinnedStream } from "./pinned-stream.ts";

const CARD_BYTES = 2 ** 30;

/** What is read and in which order it is over, in the test's hand. */
function reads() {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const fill = async (first: number, bytes: Uint8Array): Promise<void> => {
    begun.push(first);
    await new Promise<void>((resolve) => ends.push(resolve));
    bytes.fill(1 + begun.indexOf(first));
  };
  return { begun, ends, fill };
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

test("as many parts are read at once as there is pinned memory, and what runs between them runs in its order, whichever is read first", async () => {
  const device = new FakeDevice(CARD_BYTES);
  const pinned = new PinnedStream(device, device.createStream());
  const { begun, ends, fill } = reads();
  const lineBytes = PINNED.bytes / 2;
  const target = device.allocate(lineBytes * 2 * (PINNED.count + 1));
  const asked = pinned.lines(target, lineBytes, 2 * (PINNED.count + 1), fill);
  await turns(20);
  expect(begun).toEqual(Array.from({ length: PINNED.count }, (_, i) => 2 * i));
  const seen = new Uint8Array(1);
  // The last is over first: nothing is copied, since parts before it are not there.
  ends.at(-1)?.();
  await turns(20);
  device.read(target + BigInt(2 * lineBytes * (PINNED.count - 1)), seen);
  expect(seen[0]).toBe(0);
  for (const end of ends.splice(0)) end();
  await turns(20);
  for (const end of ends.splice(0)) end();
  await asked;
  let ran: number | undefined;
  pinned.run(() => {
    device.read(target + BigInt(2 * lineBytes * PINNED.count), seen);
    ran = seen[0];
  });
  await pinned.drain();
  expect(ran).toBe(PINNED.count + 1);
  pinned.close();
});

test("a read that fails is told once, by the next call that waits, and nothing that was asked for before is enqueued", async () => {
  const device = new FakeDevice(CARD_BYTES);
  const pinned = new PinnedStream(device, device.createStream());
  const target = device.allocate(16);
  const fault = new DroverError("invalid_argument", "model.safetensors: ends at byte 7: it is truncated");
  await pinned.lines(target, 16, 1, () => Promise.reject(fault));
  let hasRun = false;
  pinned.run(() => {
    hasRun = true;
  });
  await expect(pinned.drain()).rejects.toBe(fault);
  expect(hasRun).toBe(false);
  await pinned.bytes(target, Uint8Array.of(7));
  await pinned.drain();
  const seen = new Uint8Array(1);
  device.read(target, seen);
  expect(seen[0]).toBe(7);
  pinned.close();
});
