import type { ImageTiles } from "@drover/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";

const BOS = 256;
const TILE: ImageTiles = {
  grid: { rows: 1, cols: 1 },
  tileSize: 2,
  pixels: new Uint8Array(12),
  contentHash: "00".repeat(32),
};

let scene = new RouterScene();

beforeEach(() => scene.startCluster());

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

/** The value of a series of the router's, whatever its labels are. */
async function figure(name: string): Promise<number | undefined> {
  const line = (await scene.metrics()).split("\n").find((one) => one.startsWith(`${name}{`));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

describe("what images cost the router", () => {
  it("is counted: opened, kept until the request ends, and waited for at the vision workers", async () => {
    const second = Promise.withResolvers<ImageTiles>();
    const open = async (url: string) => (url === "first" ? TILE : second.promise);
    // The begin token stands for the first image's patch; the second has no pixels and so no patches.
    await scene.startRouter({ images: { intake: { open }, patchTokenId: BOS, patchesPerTile: 1 } });
    const part = (url: string) => ({ type: "image_url", image_url: { url } });
    const messages = [{ role: "user", content: [part("first"), part("second")] }];
    const reply = scene.post("/v1/chat/completions", { model: "tiny", messages });
    await expect.poll(() => figure("drover_router_image_bytes_held")).toBe(12);
    expect(await figure("drover_router_image_open_seconds_count")).toBe(1);
    second.resolve({ ...TILE, pixels: new Uint8Array() });
    // No vision worker is there.
    expect((await reply).status).toBe(503);
    expect(await figure("drover_router_image_open_seconds_count")).toBe(2);
    expect(await figure("drover_router_image_encode_seconds_count")).toBe(2);
    expect(await scene.metrics()).toMatch(/drover_router_image_encode_seconds_count\{[^}]*outcome="failed"/);
    await expect.poll(() => figure("drover_router_image_bytes_held")).toBe(0);
  });
});
