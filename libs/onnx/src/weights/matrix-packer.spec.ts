import { expect, test, vi } from "vitest";
import { packingKind } from "./matrix-packer.ts";

test("a temporary folder that takes no files is said with how to name another", async () => {
  vi.stubEnv("TMPDIR", "/dev/null/none");
  await expect(packingKind({ bits: 4, blockSize: 32 })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(
      /^the temporary folder \S+ takes no files \(ENOTDIR\); make room there, or name .*TMPDIR$/,
    ),
  });
  vi.unstubAllEnvs();
});
