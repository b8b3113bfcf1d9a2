import { expect, test } from "vitest";
import { sniffImageFormat } from "./image-format.ts";

test.each([
  ["png", "\x89PNG\r\n\x1a\n"],
  ["jpeg", "\xff\xd8\xff\xe0"],
  ["webp", "RIFF\x10\0\0\0WEBPVP8 "],
  ["gif", "GIF87a"],
  ["gif", "GIF89a"],
])("a file's first bytes tell that it is %s", (format, head) => {
  expect(sniffImageFormat(Buffer.from(head, "latin1"))).toBe(format);
});

test.each([
  ["nothing", ""],
  ["half a signature", "\x89PNG"],
  ["SVG", '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  ["XML", '<?xml version="1.0"?><svg/>'],
  ["TIFF", "II*\0\x08\0\0\0"],
  ["HEIF", "\0\0\0\x18ftypheic"],
  ["AVIF", "\0\0\0\x18ftypavif"],
  ["PDF", "%PDF-1.7"],
  ["BMP", "BM\x36\0\0\0"],
  ["JPEG 2000", "\0\0\0\x0cjP  \r\n"],
  ["HTML", "<!doctype html>"],
  ["another RIFF file", "RIFF\x10\0\0\0WAVEfmt "],
])("%s is refused", (_name, head) => {
  expect(() => sniffImageFormat(Buffer.from(head, "latin1"))).toThrow(
    expect.objectContaining({ code: "invalid_argument", message: "the file is not a PNG, JPEG, WebP or GIF image" }),
  );
});
