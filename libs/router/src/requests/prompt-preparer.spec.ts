import { DroverError, type ImageTiles, neverAborted, silentLogger, systemClock } from "@drover/core";
import type { ChatPrompt } from "@drover/openai";
import { RecordingLogger } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import { ANYBODY } from "../api-keys.ts";
import type { ServedImages } from "../served-model.ts";
import { tinyModel } from "../testing/tiny-model.ts";
import { PromptPreparer } from "./prompt-preparer.ts";

const PATCH = 200;
const SIDE = 2;

const tiles = (rows: number, cols: number): ImageTiles => ({
  grid: { rows, cols },
  tileSize: SIDE,
  pixels: new Uint8Array((rows * cols === 1 ? 1 : rows * cols + 1) * SIDE * SIDE * 3),
  contentHash: "00".repeat(32),
});

/** URLs are `RxC`; the prompt has for each tile two patch tokens and one other. */
function preparer(open: (url: string) => ImageTiles = (url) => tiles(Number(url[0]), Number(url[2]))) {
  const images: ServedImages = {
    intake: { open: async (url) => open(String(url)) },
    patchTokenId: PATCH,
    patchesPerTile: 2,
  };
  const tiny = tinyModel();
  const encodeChat = async (_input: unknown, grids: readonly { rows: number; cols: number }[]) =>
    Uint32Array.from(
      grids.flatMap(({ rows, cols }) => {
        const count = rows * cols === 1 ? 1 : rows * cols + 1;
        return [1, ...Array.from({ length: count }, () => [PATCH, PATCH, 2]).flat()];
      }),
    );
  const model = { ...tiny, images, prompts: { ...tiny.prompts, encodeChat } };
  return new PromptPreparer({
    model,
    clock: systemClock,
    logger: silentLogger,
    metrics: { imageOpened: () => undefined },
  });
}

const chat = (...urls: string[]): ChatPrompt => ({
  kind: "chat",
  field: "messages",
  input: { messages: [{ role: "user", content: "" }], addGenerationPrompt: true },
  images: urls.map((url, i) => ({ url, field: `messages[0].content[${i}].image_url.url` })),
});

describe("a prompt is prepared", () => {
  it("from text, with the token before it, and echoed as it was", async () => {
    const query = {
      kind: "text",
      field: "prompt",
      text: "hi",
      first: 256,
      isMarked: false,
      looksMarked: false,
    } as const;
    expect(await preparer().prepare(query, true, undefined, neverAborted)).toEqual({
      tokenIds: Uint32Array.of(256, 104, 105),
      images: [],
      echoText: "hi",
    });
    const empty = { ...query, text: "", first: undefined };
    await expect(preparer().prepare(empty, false, undefined, neverAborted)).rejects.toMatchObject({ field: "prompt" });
  });

  it("from marked text, with no second begin token", async () => {
    const tiny = tinyModel();
    const encodeText = async (text: string, _signal: AbortSignal, isMarked?: boolean) =>
      Uint32Array.of(...(isMarked === true ? [256] : []), ...Buffer.from(text));
    const model = { ...tiny, prompts: { ...tiny.prompts, encodeText } };
    const logger = new RecordingLogger();
    const metrics = { imageOpened: () => undefined };
    const marked = new PromptPreparer({ model, clock: systemClock, logger, metrics });
    const query = { kind: "text", field: "prompt", text: "hi", first: 256, looksMarked: true } as const;
    const ids = async (isMarked: boolean) =>
      (await marked.prepare({ ...query, isMarked }, false, undefined, neverAborted)).tokenIds;
    expect(await ids(true)).toEqual(Uint32Array.of(256, 104, 105));
    expect(logger.lines).toEqual([]);
    // What is read as text although it has marks is told once, without its words.
    expect(await ids(false)).toEqual(Uint32Array.of(256, 104, 105));
    await ids(false);
    expect(logger.lines).toMatchObject([{ level: "warn", event: "prompt.special_tokens_are_text" }]);
    expect(JSON.stringify(logger.lines)).not.toContain('"hi"');
  });

  it("from token ids, as they are, and echoed as their text", async () => {
    const query = { kind: "tokens", field: "prompt", ids: Uint32Array.of(104, 105) } as const;
    const { tokenIds, echoText } = await preparer().prepare(query, true, undefined, neverAborted);
    expect([tokenIds, echoText]).toEqual([query.ids, "hi"]);
  });

  it("with images that take the rows of their own patch tokens, in order", async () => {
    const { images } = await preparer().prepare(chat("1x1", "2x1"), false, undefined, neverAborted);
    expect(images.map(({ runs }) => runs)).toEqual([
      [{ start: 1, count: 2 }],
      [
        { start: 5, count: 2 },
        { start: 8, count: 2 },
        { start: 11, count: 2 },
      ],
    ]);
  });

  it("not where an image cannot be opened, which is refused by its field", async () => {
    const broken = preparer(() => {
      throw new DroverError("invalid_argument", "this is no image");
    });
    await expect(broken.prepare(chat("x"), false, undefined, neverAborted)).rejects.toMatchObject({
      code: "invalid_argument",
      field: "messages[0].content[0].image_url.url",
    });
  });

  it("while its images count against the router's memory", async () => {
    let held = 0;
    const holder = {
      trace: undefined,
      account: ANYBODY,
      holdImage: (byteCount: number) => {
        held += byteCount;
      },
    };
    await preparer().prepare(chat("1x1", "2x1"), false, holder, neverAborted);
    expect(held).toBe((1 + 3) * SIDE * SIDE * 3);
  });
});
