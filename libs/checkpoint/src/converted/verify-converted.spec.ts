import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { neverAborted } from "@drover/core";
import { expect, it } from "vitest";
import { readManifest } from "./manifest.ts";
import { convert, sourceFolder } from "./testing/conversions.ts";
import { verifyConverted } from "./verify-converted.ts";

it("a byte that was changed in either half of any file is found, and a folder that was not converted is said to be none", async () => {
  await using source = await sourceFolder();
  const out = join(source.path, "converted");
  await convert(source.path, out);
  await expect(verifyConverted(out, neverAborted)).resolves.toBeUndefined();
  const files = (await readManifest(out))?.files ?? [];
  expect(files.length).toBeGreaterThan(2);
  for (const { file, byteCount } of files) {
    for (const at of [0, byteCount - 1]) {
      const path = join(out, file);
      const before = await readFile(path);
      const handle = await open(path, "r+");
      await handle.write(Buffer.of((before[at] ?? 0) ^ 1), 0, 1, at);
      await handle.close();
      await expect(verifyConverted(out, neverAborted), `${file}, byte ${at}`).rejects.toThrow(file);
      await writeFile(path, before);
    }
  }
  await expect(verifyConverted(source.path, neverAborted)).rejects.toMatchObject({ code: "invalid_argument" });
});
