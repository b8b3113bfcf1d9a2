import { parentPort, workerData } from "node:worker_threads";
import { assert, DroverError } from "@drover/core";
import { cutTiles } from "./cut-tiles.ts";
import { decodeImage } from "./decode-image.ts";
import type { ImageSettings } from "./image-settings.ts";
import type { ThreadReply, ThreadRequest } from "./thread-messages.ts";

/** A thread of the pool: decodes and cuts one image after the other. What it does not expect ends it, and the pool replaces it. */
const port = parentPort;
assert(port !== null, "image-worker.ts runs as a thread of the pool");
const settings: ImageSettings = workerData;

port.on("message", async ({ file }: ThreadRequest) => {
  try {
    const tiles = cutTiles(await decodeImage(file), settings);
    assert(tiles.pixels.buffer instanceof ArrayBuffer, "tiles lie in a buffer of their own");
    port.postMessage({ kind: "tiles", tiles } satisfies ThreadReply, [tiles.pixels.buffer]);
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    port.postMessage({ kind: "refused", code: error.code, message: error.message } satisfies ThreadReply);
  }
});
