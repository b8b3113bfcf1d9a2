import { expect, test, vi } from "vitest";
import { StandardError } from "./standard-error.ts";

/** A file with room for so many bytes, which fails as a full disk does; or as `code` says. */
class Disk {
  room = Number.POSITIVE_INFINITY;
  code = "ENOSPC";
  text = "";

  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    if (taken === 0) throw Object.assign(new Error(this.code), { code: this.code });
    this.room -= taken;
    this.text += String(Buffer.from(bytes.subarray(0, taken)));
    return taken;
  }
}

function scene(room: number) {
  const disk = new Disk();
  disk.room = room;
  const onRegained = vi.fn();
  const output = new StandardError({ onRegained, write: (bytes) => disk.write(bytes) });
  return { disk, output, onRegained };
}

test("what a full disk does not take is dropped and counted, and what follows is written once there is room", () => {
  const { disk, output, onRegained } = scene(4);
  for (const line of ["one\n", "two\n", "three\n"]) output.write(line);
  expect([disk.text, onRegained.mock.calls]).toEqual(["one\n", []]);
  disk.room = 100;
  output.write("four\n");
  output.write("five\n");
  expect([disk.text, onRegained.mock.calls]).toEqual(["one\nfour\nfive\n", [[2]]]);
});

test("a line of which the disk took only the beginning is ended before the next one", () => {
  const { disk, output, onRegained } = scene(6);
  output.write("one\n");
  output.write("two\n");
  output.write("three\n");
  expect(disk.text).toBe("one\ntw");
  disk.room = 1;
  output.write("four\n");
  disk.room = 100;
  output.write("five\n");
  expect([disk.text, onRegained.mock.calls]).toEqual(["one\ntwo\nfive\n", [[2]]]);
});

test("a pipe that takes parts gets all of it, and one whose reader hangs holds nobody for long", () => {
  const { disk, output } = scene(100);
  const write = vi.spyOn(disk, "write");
  write.mockImplementationOnce((bytes) => {
    disk.text += Buffer.from(bytes.subarray(0, 2));
    return 2;
  });
  output.write("parts\n");
  expect(disk.text).toBe("parts\n");
  disk.room = 0;
  disk.code = "EAGAIN";
  output.write("a\n");
  write.mockClear();
  output.write("b\n");
  expect(write).toHaveBeenCalledTimes(1);
});

test("a reader that has gone ends nobody", () => {
  const { disk, output } = scene(0);
  disk.code = "EPIPE";
  expect(() => output.write("one\n")).not.toThrow();
});
