import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pictureUrl } from "./picture.ts";

it("a file goes as a data URL, a URL as it is, and what cannot be read is named", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-picture-"));
  try {
    const file = join(folder, "a.PNG");
    await writeFile(file, "abc");
    expect(await pictureUrl(file)).toBe("data:image/png;base64,YWJj");
    expect(await pictureUrl("https://example.com/a.png")).toBe("https://example.com/a.png");
    await expect(pictureUrl(join(folder, "none.png"))).rejects.toMatchObject({ code: "invalid_argument" });
    for (const other of [folder, "/dev/zero"])
      await expect(pictureUrl(other)).rejects.toMatchObject({ message: expect.stringContaining("is no file") });
  } finally {
    await rm(folder, { recursive: true });
  }
});
