import { createHash } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { releasedStyle } from "../../testing/configs.ts";
import { wholeModel } from "../../testing/whole-model.ts";
import { safetensorsBytes, temporaryFolder } from "../../testing/write-safetensors.ts";
import { type ConversionProgress, convertCheckpoint } from "../convert.ts";
import type { Packer } from "../packing.ts";

/** Packs by turning every byte over, as long as numbers and scales are together: nothing that a CPU does, but as good to be stored. */
export const testPacker: Packer = {
  kind: "test",
  pack: async ({ file, packed, scales }, scratch) => {
    const bytes = await readFile(file);
    const parts = [packed, scales].map(({ offset, length }) => bytes.subarray(offset, offset + length));
    const made = Buffer.concat(parts).map((byte) => byte ^ 0xff);
    const path = join(scratch, "made");
    await writeFile(path, Buffer.concat([Buffer.from("head"), made]));
    const key = `Test+${createHash("sha256").update(made).digest().readUInt32LE()}`;
    return { key, file: path, range: { offset: 4, length: made.length } };
  },
};

export const companions = { "tokenizer.json": '{"a": 1}', "chat_template.jinja": "{{ x }}", "model.onnx": "no" };

/** A folder with the small model. */
export async function sourceFolder(seed = 0) {
  return temporaryFolder({
    ...companions,
    "config.json": JSON.stringify(releasedStyle),
    "model.safetensors": safetensorsBytes(wholeModel(seed)),
  });
}

/** Converts to int4 with blocks of 32; `stop` may end it at a step. */
export async function convert(
  source: string,
  out: string,
  options: Readonly<{ bits?: 4 | 8; packer?: Packer; stop?: (progress: ConversionProgress) => boolean }> = {},
) {
  const ended = new AbortController();
  return convertCheckpoint({
    source,
    out,
    quantization: { bits: options.bits ?? 4, blockSize: 32 },
    packer: options.packer ?? testPacker,
    onProgress: (progress) => {
      if (options.stop?.(progress)) ended.abort();
    },
    signal: ended.signal,
  });
}

/** Every file below a folder and its hash. */
export async function hashesOf(folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const path = join(folder, name);
    if ((await stat(path)).isDirectory()) continue;
    hashes[name] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return hashes;
}
