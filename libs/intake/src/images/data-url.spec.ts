import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isDataUrl, readDataUrl } from "./data-url.ts";

const HEADS = {
  png: "\x89PNG\r\n\x1a\n",
  jpeg: "\xff\xd8\xff",
  webp: "RIFF1234WEBP",
  gif: "GIF89a",
} as const;
const GIF = Buffer.from("GIF89a---", "latin1").toString("base64");

describe("a data URL", () => {
  test("gives the bytes that were written into it", () => {
    const format = fc.constantFrom("png", "jpeg", "webp", "gif");
    fc.assert(
      fc.property(format, fc.uint8Array({ maxLength: 50 }), (name, tail) => {
        const file = Buffer.concat([Buffer.from(HEADS[name], "latin1"), tail]);
        const url = `data:image/${name};base64,${file.toString("base64")}`;
        expect(isDataUrl(url)).toBe(true);
        expect(Buffer.from(readDataUrl(url)).equals(file)).toBe(true);
      }),
    );
  });

  test.each([
    `DATA:IMAGE/GIF;BASE64,${GIF}`,
    `data:;base64,${GIF}`,
    `data:application/octet-stream;base64,${GIF}`,
    `data:image/png;base64,${GIF}`,
    `data:image/gif;charset=utf-8;base64,${GIF}`,
    `data:image/jpg;base64,${Buffer.from(HEADS.jpeg, "latin1").toString("base64")}`,
  ])("may be written as %s", (url) => {
    expect(isDataUrl(url)).toBe(true);
    expect(readDataUrl(url).length).toBeGreaterThan(0);
  });

  test.each([
    ["no comma", `data:image/gif;base64`, "form"],
    ["a comma too far away", `data:image/gif;${"x".repeat(100)};base64,${GIF}`, "form"],
    ["no base64", "data:image/gif,GIF89a", "must be base64"],
    ["an SVG in it", `data:image/svg+xml;base64,${Buffer.from("<svg/>").toString("base64")}`, "not a PNG"],
    ["another medium", `data:text/html;base64,${GIF}`, "media type"],
    ["nothing in it", "data:image/gif;base64,", "not a PNG"],
    ["a space", `data:image/gif;base64, ${GIF}`, "not valid base64"],
    ["a line's end", `data:image/gif;base64,${GIF.slice(0, 4)}\n${GIF.slice(4)}`, "not valid base64"],
    ["no padding", `data:image/gif;base64,${GIF}QQ`, "not valid base64"],
    ["too much padding", `data:image/gif;base64,${GIF}====`, "not valid base64"],
    ["padding in its midst", `data:image/gif;base64,QQ==${GIF}`, "not valid base64"],
    ["the alphabet of URLs", `data:image/gif;base64,${GIF}--__`, "not valid base64"],
    ["percent signs", `data:image/gif;base64,${GIF}%3D%3D`, "not valid base64"],
    ["bits after its end", `data:image/gif;base64,${GIF}QR==`, "not valid base64"],
    ["letters of other scripts", `data:image/gif;base64,${GIF}ЖЖЖЖ`, "not valid base64"],
  ])("is refused with %s", (_name, url, message) => {
    expect(() => readDataUrl(url)).toThrow(
      expect.objectContaining({ code: "invalid_argument", message: expect.stringContaining(message) }),
    );
  });

  test("is refused unread when its image has too many bytes", () => {
    const url = `data:image/gif;base64,${"A".repeat(28 * 2 ** 20)}`;
    expect(() => readDataUrl(url)).toThrow(
      expect.objectContaining({ message: expect.stringContaining("at most 20971520") }),
    );
  });

  test("never gives anything but bytes or a complaint", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const url of [`data:${text}`, `data:image/gif;base64,${text}`]) {
          expect(() => readDataUrl(url)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
        }
      }),
    );
  });
});
