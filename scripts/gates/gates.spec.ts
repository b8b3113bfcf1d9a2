import { describe, expect, it } from "vitest";
import { GATES } from "./index.ts";
import { cachedTargets, isInKey } from "./testing/gate-key.ts";
import { PLANTS } from "./testing/planted-violations.ts";
import { PlantedWorkspace } from "./testing/planted-workspace.ts";

describe("the gates", () => {
  it.each(PLANTS)("$gate.name fails for $violation", async ({ gate, files, finding }) => {
    using workspace = new PlantedWorkspace(files);
    const result = await gate.check(workspace.root);
    expect(result.output).toContain(finding);
    expect(result.ok).toBe(false);
  });

  it.each(GATES)("$name passes where nothing is planted", async (gate) => {
    using workspace = new PlantedWorkspace();
    expect(await gate.check(workspace.root)).toMatchObject({ ok: true });
  });

  it.each(PLANTS)("nx runs $gate.name again after $violation", ({ gate, files }) => {
    for (const file of Object.keys(files)) expect(isInKey(gate.name, file), file).toBe(true);
  });

  it.each(GATES)("nx runs $name again after a change of the gates or of the packages", ({ name }) => {
    for (const file of ["scripts/gates/gate.ts", "scripts/gate.ts", "package.json", "pnpm-lock.yaml"]) {
      expect(isInKey(name, file), file).toBe(true);
    }
  });

  it("are the targets whose results nx keeps", () => {
    expect(new Set(cachedTargets())).toEqual(new Set(GATES.map((gate) => gate.name)));
  });

  it("are all proved able to fail", () => {
    expect(new Set(PLANTS.map((plant) => plant.gate))).toEqual(new Set(GATES));
  });
});
