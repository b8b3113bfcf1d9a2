import { DroverError, type ImageTiles, neverAborted } from "@drover/core";
import { describe, expect, it } from "vitest";
import type { ServedImages } from "../served-model.ts";
import { tinyModel } from "../testing/tiny-model.ts";
import { readChatRequest } from "./chat-request.ts";

const PATCH = 200;
const SIDE = 2;

const tiles = (rows: number, cols: number): ImageTiles => ({
  grid: { rows, cols },
  tileSize: SIDE,
  pixels: new Uint8Array((rows * cols === 1 ? 1 : rows * cols + 1) * SIDE * SIDE * 3),
  contentHash: "00".repeat(32),
});

/** URLs are `RxC`; the prompt has for each tile two patch tokens and one other. */
function model(open: (url: string) => ImageTiles = (url) => tiles(Number(url[0]), Number(url[2]))) {
  const images: ServedImages = { intake: { open: async (url) => open(url) }, patchTokenId: PATCH, patchesPerTile: 2 };
  const tiny = tinyModel();
  return {
    ...tiny,
    images,
    prompts: {
      ...tiny.prompts,
      encodeChat: async (_input: unknown, grids: readonly { rows: number; cols: number }[]) =>
        Uint32Array.from(
          grids.flatMap(({ rows, cols }) => {
            const count = rows * cols === 1 ? 1 : rows * cols + 1;
            return [1, ...Array.from({ length: count }, () => [PATCH, PATCH, 2]).flat()];
          }),
        ),
    },
  };
}

const context = {
  contextTokensMax: 1000,
  drawnSeed: 1,
  signal: neverAborted,
  holdBytes: (_: number) => undefined,
  timeImage: () => () => undefined,
};
const image = (url: unknown) => ({ type: "image_url", image_url: { url } });
const ask = (content: unknown) => ({ model: "tiny", messages: [{ role: "user", content }] });

async function fault(run: Promise<unknown>): Promise<{ code: string; field: string | undefined }> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DroverError)) throw new Error("no DroverError was thrown");
  return { code: error.code, field: error.field };
}

describe("a request's images", () => {
  it("take the rows of their own patch tokens, in order", async () => {
    const content = [image("1x1"), { type: "text", text: "and" }, image("2x1")];
    const { request } = await readChatRequest(ask(content), model(), context);
    expect(request.images.map(({ runs }) => runs)).toEqual([
      [{ start: 1, count: 2 }],
      [
        { start: 5, count: 2 },
        { start: 8, count: 2 },
        { start: 11, count: 2 },
      ],
    ]);
  });

  it("are refused by a model of text alone, by their field", async () => {
    const wanted = { code: "invalid_argument", field: "messages[0].content[1].image_url.url" };
    const content = [{ type: "text", text: "x" }, image("1x1")];
    expect(await fault(readChatRequest(ask(content), tinyModel(), context))).toEqual(wanted);
  });

  it.each([
    [[{ type: "image_url" }], "messages[0].content[0].image_url"],
    [[{ type: "image_url", image_url: {} }], "messages[0].content[0].image_url.url"],
    [[image(7)], "messages[0].content[0].image_url.url"],
    [[{ type: "image_url", image_url: { url: "1x1", detail: "huge" } }], "messages[0].content[0].image_url.detail"],
    [[{ type: "input_audio" }], "messages[0].content[0].input_audio"],
    [Array.from({ length: 17 }, () => image("1x1")), "messages[0].content[16].image_url"],
  ])("%# are refused by the field %s", async (content, field) => {
    expect(await fault(readChatRequest(ask(content), model(), context))).toEqual({ code: "invalid_argument", field });
  });

  it("that cannot be opened are refused by their field", async () => {
    const broken = model(() => {
      throw new DroverError("invalid_argument", "this is no image");
    });
    expect(await fault(readChatRequest(ask([image("x")]), broken, context))).toEqual({
      code: "invalid_argument",
      field: "messages[0].content[0].image_url.url",
    });
  });

  it("count against the router's memory before they wait for anything else", async () => {
    let held = 0;
    const counting = {
      ...context,
      holdBytes: (byteCount: number) => {
        held += byteCount;
      },
    };
    await readChatRequest(ask([image("1x1"), image("2x1")]), model(), counting);
    expect(held).toBe((1 + 3) * SIDE * SIDE * 3);
  });
});
