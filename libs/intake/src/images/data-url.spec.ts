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
    `data:image/gif; base64,${GIF}`,
    ` \n data:image/gif;base64,${GIF}`,
    `data:image/gif;base64, ${GIF} `,
    `data:image/gif;base64,${GIF.slice(0, 4)}\n${GIF.slice(4)}\n`,
    `data:image/gif;base64,${GIF.slice(0, 5)}\r\n\t\f ${GIF.slice(5)}`,
    `data:image/gif;base64,${GIF.slice(0, 4)}%0D%0a${GIF.slice(4)}`,
    `data:image/gif;base64,${GIF}QQ`,
    `data:image/gif;base64,${GIF}QQ%3d%3D`,
    `data:image/gif;base64,${GIF}QR==`,
    `data:image/gif;base64,${GIF}Q Q =\n=`,
    `data:image/gif;base64,${GIF}%2B%2F%41%41`,
  ])("may be written as %s", (url) => {
    expect(isDataUrl(url)).toBe(true);
    expect(readDataUrl(url).length).toBeGreaterThan(0);
  });

  test("in lines, as MIME encoders write it, gives the same bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(64, 76), (tail, width) => {
        const file = Buffer.concat([Buffer.from(HEADS.png, "latin1"), tail]);
        const lines = file.toString("base64").replaceAll(new RegExp(`.{${width}}`, "g"), (line) => `${line}\r\n`);
        expect(Buffer.from(readDataUrl(`data:image/png;base64,${lines}`)).equals(file)).toBe(true);
      }),
    );
  });

  test.each([
    ["no comma", `data:image/gif;base64`, "form"],
    ["a comma too far away", `data:image/gif;${"x".repeat(100)};base64,${GIF}`, "form"],
    ["no base64", "data:image/gif,GIF89a", "must be base64"],
    ["an SVG in it", `data:image/svg+xml;base64,${Buffer.from("<svg/>").toString("base64")}`, "not a PNG"],
    ["another medium", `data:text/html;base64,${GIF}`, "media type"],
    ["nothing in it", "data:image/gif;base64,", "not a PNG"],
    ["a digit alone at its end", `data:image/gif;base64,${GIF}Q`, "not valid base64"],
    ["a mark between its digits", `data:image/gif;base64,${GIF.slice(0, 4)}!${GIF.slice(4)}`, "not valid base64"],
    ["a space that is no ASCII", `data:image/gif;base64,${GIF.slice(0, 4)}\u00a0${GIF.slice(4)}`, "not valid base64"],
    ["a vertical tab", `data:image/gif;base64,${GIF.slice(0, 4)}\v${GIF.slice(4)}`, "not valid base64"],
    ["a percent sign alone", `data:image/gif;base64,${GIF}%`, "not valid base64"],
    ["half a percent code", `data:image/gif;base64,${GIF}%4`, "not valid base64"],
    ["a zero byte by percent code", `data:image/gif;base64,${GIF}%00`, "not valid base64"],
    ["too much padding", `data:image/gif;base64,${GIF}====`, "not valid base64"],
    ["padding in its midst", `data:image/gif;base64,QQ==${GIF}`, "not valid base64"],
    ["the alphabet of URLs", `data:image/gif;base64,${GIF}--__`, "not valid base64"],
    ["padding where none is due, by percent codes", `data:image/gif;base64,${GIF}%3D%3D`, "not valid base64"],
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
