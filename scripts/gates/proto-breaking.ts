import { type Gate, type GateResult, runTool } from "./gate.ts";

/** The protos as they were in the last release, as buf builds them; `npm run release-protos` writes it. */
export const RELEASED_PROTOS = "proto/released.binpb";

/** Clients compile `drover.v1` into their code, so that its names are as fixed as its numbers. */
const FOR_CLIENTS = JSON.stringify({
  version: "v2",
  modules: [{ path: "proto" }],
  breaking: { use: ["FILE"], ignore: ["proto/drover/internal", "proto/drover/onnx"] },
});

/** Whatever the last release has sent can be read, and the other way round; and code that was written for `drover.v1` compiles. */
export const protoBreaking: Gate = {
  name: "proto-breaking",
  remedy:
    "Give a field that changes its meaning or type a new number; reserve the number and the name of one that goes. What clients use of drover.v1 stays.",
  check,
};

async function check(root: string): Promise<GateResult> {
  const against = ["breaking", "--against", RELEASED_PROTOS];
  const results = [
    await runTool("buf", against, root),
    await runTool("buf", [...against, "--config", FOR_CLIENTS], root),
  ];
  const output = [...new Set(results.flatMap((result) => result.output.split("\n")))].join("\n");
  return { ok: results.every((result) => result.ok), output };
}
