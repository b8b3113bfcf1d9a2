import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Gate, type GateResult, runTool } from "./gate.ts";

const GENERATED_FOLDER = "libs/proto/src/gen";

/** What `npm run generate` would write is what is there, file by file. */
export const generated: Gate = {
  name: "generated",
  remedy: "`npm run generate` writes libs/proto/src/gen from proto/.",
  check,
};

async function check(root: string): Promise<GateResult> {
  const folder = mkdtempSync(join(tmpdir(), "drover-generated-"));
  try {
    const result = await runTool("buf", ["generate", "--output", folder], root);
    if (!result.ok) return result;
    const fresh = readTree(join(folder, GENERATED_FOLDER));
    const present = readTree(join(root, GENERATED_FOLDER));
    const differing = [...new Set([...fresh.keys(), ...present.keys()])].filter(
      (file) => fresh.get(file) !== present.get(file),
    );
    const lines = differing.map((file) => `${GENERATED_FOLDER}/${file} is not what its .proto says`);
    return { ok: differing.length === 0 && fresh.size > 0, output: lines.join("\n") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readTree(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map();
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), readFileSync(path, "utf8")];
    }),
  );
}
