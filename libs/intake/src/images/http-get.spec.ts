import type { RequestListener } from "node:http";
import { neverAborted } from "@drover/core";
import { describe, expect, test } from "vitest";
import type { ImageFetcherOptions } from "./image-fetcher.ts";
import { guarded } from "./testing/guarded-fetcher.ts";
import { startServer } from "./testing/local-server.ts";

const IMAGE = Buffer.from("GIF89a and so on");
const answerImage: RequestListener = (_request, response) => response.end(IMAGE);

const refusal = (message: string) => ({ code: "invalid_argument", message: expect.stringContaining(message) });

describe("an image's server", () => {
  const fetchFrom = async (listener: RequestListener, options: Partial<ImageFetcherOptions> = {}) => {
    await using server = await startServer(listener);
    return await guarded(options).fetch(`http://images.test:${server.port}/`, neverAborted);
  };

  test.each([
    [404, "invalid_argument"],
    [403, "invalid_argument"],
    [204, "invalid_argument"],
    [304, "invalid_argument"],
    [429, "unavailable"],
    [500, "unavailable"],
    [503, "unavailable"],
  ])("that answers with status %i is reported by that alone", async (status, code) => {
    const answer = fetchFrom((_request, response) => {
      response.writeHead(status, "secret reason", { "x-secret": "yes" }).end("secret body");
    });
    await expect(answer).rejects.toMatchObject({ code, message: `the image's server answered with status ${status}` });
  });

  test("that announces too many bytes is left at once", async () => {
    const answer = fetchFrom(
      (_request, response) => response.writeHead(200, { "content-length": "101" }).flushHeaders(),
      {
        bytesMax: 100,
      },
    );
    await expect(answer).rejects.toMatchObject(refusal("more than the 100 bytes"));
  });

  test("that sends without end is left at the limit", async () => {
    let sentBytes = 0;
    let isLeft = false;
    const answer = fetchFrom(
      (_request, response) => {
        response.on("close", () => {
          isLeft = true;
        });
        const send = () => {
          while (!isLeft && response.write(Buffer.alloc(10_000))) sentBytes += 10_000;
        };
        response.on("drain", send);
        send();
      },
      { bytesMax: 1_000_000 },
    );
    await expect(answer).rejects.toMatchObject(refusal("more than the 1000000 bytes"));
    // What is in flight when it is left depends on the system's buffers.
    expect(sentBytes).toBeLessThan(50_000_000);
  });

  test("that breaks off is unavailable", async () => {
    const answer = fetchFrom((_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("GIF89a", () => response.destroy());
    });
    await expect(answer).rejects.toMatchObject({ code: "unavailable", message: "the image's server broke off" });
  });

  test("that is not there, or speaks no HTTP or TLS, is unavailable", async () => {
    const gone = await startServer(answerImage);
    await gone[Symbol.asyncDispose]();
    await using garbled = await startServer((request) => request.socket.end("hello\r\n\r\n"));
    for (const origin of [
      `http://images.test:${gone.port}`,
      `http://images.test:${garbled.port}`,
      `https://images.test:${garbled.port}`,
    ]) {
      await expect(guarded().fetch(origin, neverAborted)).rejects.toMatchObject({
        code: "unavailable",
        message: "the image's server cannot be reached",
      });
    }
  });

  test.each([
    ["never answers", () => undefined],
    ["never ends", (_request, response) => response.write("GIF89a")],
  ] satisfies [string, RequestListener][])("that %s is left at the deadline", async (_name, listener) => {
    const answer = fetchFrom(listener, { fetchMsMax: 100 });
    await expect(answer).rejects.toMatchObject({
      code: "unavailable",
      message: "the image took longer than 100 ms to fetch",
    });
  });

  test("that compresses unasked is refused, for a small body may be a large one", async () => {
    const answer = fetchFrom((request, response) => {
      expect(request.headers["accept-encoding"]).toBe("identity");
      response.writeHead(200, { "content-encoding": "gzip" }).end("xx");
    });
    await expect(answer).rejects.toMatchObject(refusal("compressed"));
  });

  test("is left as soon as the caller has gone, also while its name is looked up", async () => {
    const gone = new AbortController();
    await using server = await startServer(() => gone.abort(new Error("gone")));
    const fetched = guarded().fetch(`http://images.test:${server.port}/`, gone.signal);
    await expect(fetched).rejects.toThrow("gone");
    const later = new AbortController();
    const never = () => {
      later.abort(new Error("gone as well"));
      return new Promise<never>(() => undefined);
    };
    await expect(guarded({ resolve: never }).fetch("http://images.test/", later.signal)).rejects.toThrow(
      "gone as well",
    );
  });

  test("is not asked when too many are, until one of them has answered", async () => {
    const answered = Promise.withResolvers<void>();
    await using server = await startServer(async (_request, response) => {
      await answered.promise;
      response.end(IMAGE);
    });
    const fetcher = guarded({ fetchesMax: 1 });
    const url = `http://images.test:${server.port}/`;
    const first = fetcher.fetch(url, neverAborted);
    await expect(fetcher.fetch(url, neverAborted)).rejects.toMatchObject({ code: "overloaded" });
    answered.resolve();
    expect((await first).length).toBe(IMAGE.length);
    expect((await fetcher.fetch(url, neverAborted)).length).toBe(IMAGE.length);
  });
});
