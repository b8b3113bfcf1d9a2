import type { RequestListener } from "node:http";
import { neverAborted } from "@drover/core";
import { describe, expect, test } from "vitest";
import { ImageFetcher } from "./image-fetcher.ts";
import { guarded, resolve } from "./testing/guarded-fetcher.ts";
import { startServer } from "./testing/local-server.ts";

const IMAGE = Buffer.from("GIF89a and so on");
const answerImage: RequestListener = (_request, response) => response.end(IMAGE);

const refusal = (message: string) => ({ code: "invalid_argument", message: expect.stringContaining(message) });
const NOT_PUBLIC = "not an address of the public internet";

describe("an image fetcher", () => {
  test("gets a public server's bytes", async () => {
    await using server = await startServer(answerImage);
    expect(Buffer.from(await guarded().fetch(`http://images.test:${server.port}/a.gif`, neverAborted))).toEqual(IMAGE);
  });

  test("reads data URLs, also where http is switched off", async () => {
    await using server = await startServer(answerImage);
    const fetcher = guarded({ allowHttp: false });
    const url = `data:image/gif;base64,${IMAGE.toString("base64")}`;
    expect(Buffer.from(await fetcher.fetch(url, neverAborted))).toEqual(IMAGE);
    const http = fetcher.fetch(`http://images.test:${server.port}`, neverAborted);
    await expect(http).rejects.toMatchObject(refusal("switched off"));
    expect(server.requestCount()).toBe(0);
  });

  test.each([
    "inside.test",
    "mixed.test",
    "six.test",
    "mapped.test",
    "zoned.test",
    "127.0.0.2",
    "[::1]",
    "[::ffff:7f00:2]",
  ])("never connects to %s, whose addresses are not all public", async (host) => {
    await using server = await startServer(answerImage, "0.0.0.0");
    const fetched = guarded().fetch(`http://${host}:${server.port}/`, neverAborted);
    await expect(fetched).rejects.toMatchObject(refusal(NOT_PUBLIC));
    expect(server.requestCount()).toBe(0);
  });

  test.each([
    "http://127.0.0.1/",
    "http://localhost/",
    "http://LocalHost/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://0/",
    "http://１２７.０.０.１/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a00:1]/",
    "http://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
  ])("refuses %s by the real rule for addresses", async (url) => {
    const fetcher = new ImageFetcher({ allowHttp: true, allowPrivate: false });
    await expect(fetcher.fetch(url, neverAborted)).rejects.toMatchObject(refusal(NOT_PUBLIC));
  });

  test("connects to private addresses where they are allowed", async () => {
    await using server = await startServer(answerImage, "127.0.0.2");
    const fetcher = new ImageFetcher({ allowHttp: true, allowPrivate: true, resolve });
    for (const host of ["inside.test", "127.0.0.2"]) {
      expect(Buffer.from(await fetcher.fetch(`http://${host}:${server.port}/`, neverAborted))).toEqual(IMAGE);
    }
  });

  test("looks a name up once, and connects to that answer whatever a second one would be", async () => {
    await using server = await startServer(answerImage);
    await using inside = await startServer(answerImage, "127.0.0.2", server.port);
    let lookupCount = 0;
    const rebinding = async () => {
      lookupCount += 1;
      return [{ address: lookupCount === 1 ? "127.0.0.1" : "127.0.0.2", family: 4 }];
    };
    await guarded({ resolve: rebinding }).fetch(`http://rebinding.test:${server.port}/`, neverAborted);
    expect([lookupCount, server.requestCount(), inside.requestCount()]).toEqual([1, 1, 0]);
  });

  test.each([
    ["ftp://images.test/a.gif", "must be a data URL or begin with"],
    ["file:///etc/passwd", "must be a data URL or begin with"],
    ["images.test/a.gif", "must be a data URL or begin with"],
    ["", "must be a data URL or begin with"],
    ["http://", "must be a data URL or begin with"],
    ["http://user@images.test/", "must not hold a user"],
    ["http://:secret@images.test/", "must not hold a user"],
    [`http://images.test/${"a".repeat(8_192)}`, "characters; at most 8192"],
    ["http://unknown.test/", "host is unknown"],
    ["http://nowhere.test/", "host is unknown"],
  ])("refuses %s", async (url, message) => {
    await expect(guarded().fetch(url, neverAborted)).rejects.toMatchObject(refusal(message));
  });

  test("is unavailable where a name cannot be looked up now", async () => {
    const failing = () => Promise.reject(Object.assign(new Error("try again"), { code: "EAI_AGAIN" }));
    const fetched = guarded({ resolve: failing }).fetch("http://images.test/", neverAborted);
    await expect(fetched).rejects.toMatchObject({
      code: "unavailable",
      message: "the image URL's host cannot be looked up",
    });
  });
});

describe("a redirect", () => {
  /** Answers with a redirect by path, and at /image with the image. */
  const redirecting =
    (targets: Readonly<Record<string, string>>): RequestListener =>
    (request, response) => {
      const target = targets[request.url ?? ""];
      if (target === undefined) response.end(IMAGE);
      else response.writeHead(302, { location: target }).end("the body of a redirect");
    };

  test("is followed three times, also to a relative address", async () => {
    await using server = await startServer(redirecting({ "/a/1": "./2", "/a/2": "/b/3", "/b/3": "?4" }));
    const url = `http://images.test:${server.port}/a/1`;
    expect(Buffer.from(await guarded().fetch(url, neverAborted))).toEqual(IMAGE);
    expect(server.requestCount()).toBe(4);
  });

  test("is not followed a fourth time", async () => {
    await using server = await startServer(redirecting({ "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/1" }));
    const fetched = guarded().fetch(`http://images.test:${server.port}/1`, neverAborted);
    await expect(fetched).rejects.toMatchObject(refusal("redirects more than 3 times"));
    expect(server.requestCount()).toBe(4);
  });

  test.each(["http://127.0.0.2:PORT/", "http://inside.test:PORT/", "http://mixed.test:PORT/", "//inside.test:PORT/"])(
    "to %s is refused before anything is asked there",
    async (target) => {
      await using inside = await startServer(answerImage, "127.0.0.2");
      const location = target.replace("PORT", String(inside.port));
      await using server = await startServer((_request, response) => response.writeHead(307, { location }).end());
      const fetched = guarded().fetch(`http://images.test:${server.port}/`, neverAborted);
      await expect(fetched).rejects.toMatchObject(refusal(NOT_PUBLIC));
      expect(inside.requestCount()).toBe(0);
    },
  );

  test.each([
    ["file:///etc/passwd", "must be a data URL or begin with"],
    ["data:image/gif;base64,R0lGODlh", "must be a data URL or begin with"],
    ["http://user:secret@images.test/", "must not hold a user"],
    ["http://[", "must be a data URL or begin with"],
  ])("to %s is refused", async (location, message) => {
    await using server = await startServer((_request, response) => response.writeHead(301, { location }).end());
    const fetched = guarded().fetch(`http://images.test:${server.port}/`, neverAborted);
    await expect(fetched).rejects.toMatchObject(refusal(message));
  });

  test("without a target is no image", async () => {
    await using server = await startServer((_request, response) => response.writeHead(302).end());
    const fetched = guarded().fetch(`http://images.test:${server.port}/`, neverAborted);
    await expect(fetched).rejects.toMatchObject(refusal("answered with status 302"));
  });
});
