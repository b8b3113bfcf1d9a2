import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadImageSettings, parseImageSettings, readImages } from "./image-settings.ts";

const complete = {
  size: { height: 112, width: 112 },
  max_patches: 4,
  do_resize: true,
  do_rescale: true,
  do_normalize: true,
  resample: 2,
  rescale_factor: 0.00392156862745098,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  resize_to_max_canvas: false,
};

describe("image settings", () => {
  test("are a tile's side and the most tiles", () => {
    expect(parseImageSettings(complete)).toEqual({ tileSize: 112, tileCountMax: 4 });
    expect(parseImageSettings({ size: 336, max_patches: 16 })).toEqual({ tileSize: 336, tileCountMax: 16 });
  });

  test.each([
    ["size", { size: undefined }],
    ["size.width", { size: { height: 112 } }],
    ["size", { size: { height: 112, width: 224 } }],
    ["size.height", { size: { height: 1.5, width: 1.5 } }],
    ["size", { size: 1e9 }],
    ["max_patches", { max_patches: null }],
    ["max_patches", { max_patches: 0 }],
    ["max_patches", { size: 2_048, max_patches: 256 }],
    ["do_rescale", { do_rescale: false }],
    ["do_normalize", { do_normalize: "yes" }],
    ["resample", { resample: 3 }],
    ["rescale_factor", { rescale_factor: 1 }],
    ["image_mean", { image_mean: [0.48, 0.46, 0.41] }],
    ["image_std", { image_std: [0.5, 0.5] }],
    ["resize_to_max_canvas", { resize_to_max_canvas: true }],
  ])("name %s where it is not Llama 4's: %j", (field, change) => {
    expect(() => parseImageSettings({ ...complete, ...change })).toThrow(
      expect.objectContaining({ code: "invalid_argument", field, message: expect.stringContaining(field) }),
    );
  });
});

describe("a checkpoint's folder", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-settings-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const load = async (files: Readonly<Record<string, string>>) => {
    for (const name of ["config.json", "preprocessor_config.json", "processor_config.json"])
      await rm(join(folder, name), { force: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return loadImageSettings(folder);
  };
  const vision = JSON.stringify({ vision_config: {} });
  const settings = JSON.stringify(complete);

  test("has image settings where it has a vision encoder, or no config.json to say so", async () => {
    expect(await load({ "config.json": vision, "preprocessor_config.json": settings })).toBeDefined();
    expect(await load({ "preprocessor_config.json": settings })).toBeDefined();
  });

  test("has none where it is of text alone", async () => {
    expect(await load({ "config.json": "{}", "preprocessor_config.json": settings })).toBeUndefined();
    expect(await load({ "config.json": "{}" })).toBeUndefined();
    expect(await load({})).toBeUndefined();
  });

  test("has them as transformers 5 writes them, which come before those of an older file", async () => {
    const nested = {
      image_processor: { ...complete, image_processor_type: "Llama4ImageProcessorFast" },
      patch_size: 14,
    };
    expect(await load({ "config.json": vision, "processor_config.json": JSON.stringify(nested) })).toEqual({
      tileSize: 112,
      tileCountMax: 4,
    });
    const older = JSON.stringify({ ...complete, max_patches: 9 });
    const both = { "config.json": vision, "preprocessor_config.json": older };
    expect(await load({ ...both, "processor_config.json": JSON.stringify(nested) })).toMatchObject({ tileCountMax: 4 });
    expect(await load({ ...both, "processor_config.json": '{"patch_size": 14}' })).toMatchObject({ tileCountMax: 9 });
  });

  test.each([
    ["there is no preprocessor_config.json, and no processor_config.json with an image_processor", {}],
    [
      "preprocessor_config.json: resample must be 2",
      { "preprocessor_config.json": JSON.stringify({ ...complete, resample: 3 }) },
    ],
    [
      "processor_config.json: image_processor.max_patches is missing",
      {
        "processor_config.json": JSON.stringify({ image_processor: { size: 112 } }),
        "preprocessor_config.json": settings,
      },
    ],
  ])("serves text alone, and says why: %s", async (because, files) => {
    expect(await load({ "config.json": vision, ...files })).toBeUndefined();
    expect((await readImages(folder, "unknown")).because).toContain(because);
  });

  test("serves text alone where the checkpoint has no weights of a vision encoder", async () => {
    await load({ "config.json": vision, "preprocessor_config.json": settings });
    expect((await readImages(folder, "present")).because).toBeUndefined();
    expect((await readImages(folder, "absent")).because).toContain("no tensors of a vision encoder");
  });

  test.each([
    [
      "processor_config.json",
      { "config.json": vision, "processor_config.json": "{", "preprocessor_config.json": settings },
    ],
    ["preprocessor_config.json", { "preprocessor_config.json": "{" }],
    ["preprocessor_config.json", { "preprocessor_config.json": "[]" }],
    ["config.json", { "config.json": "null" }],
    ["config.json", { "config.json": " ".repeat(2 ** 20 + 1) }],
  ])("is refused naming %s when it is damaged", async (field, files) => {
    await expect(load(files)).rejects.toMatchObject({
      code: "invalid_argument",
      field,
      message: expect.stringContaining(field),
    });
  });
});
