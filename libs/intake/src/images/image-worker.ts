import { assert, type ImageTiles } from "@drover/core";
import { serveThread } from "@drover/threads";
import { cutTiles } from "./cut-tiles.ts";
import { decodeImage } from "./decode-image.ts";
import type { ImageSettings } from "./image-settings.ts";

/** A thread of the image pool: decodes and cuts one file after the other. */
await serveThread(async (settings: ImageSettings) => ({
  answer: async (file: Uint8Array) => cutTiles(await decodeImage(file), settings),
  buffersOf: ({ pixels }: ImageTiles) => {
    assert(pixels.buffer instanceof ArrayBuffer, "tiles lie in a buffer of their own");
    return [pixels.buffer];
  },
}));
