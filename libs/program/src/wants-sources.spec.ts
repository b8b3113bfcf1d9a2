import { expect, it } from "vitest";
import { wantsSources } from "./wants-sources.ts";

it("wants the sources for what changes modules or measures, whether the command line or NODE_OPTIONS says so", () => {
  expect(wantsSources(["--import=./hook.ts"], undefined)).toBe(true);
  expect(wantsSources([], "--max-old-space-size=100 --import=./hook.ts")).toBe(true);
  expect(wantsSources([], "-r ./hook.cjs")).toBe(true);
  expect(wantsSources(["--conditions=@drover/source"], "--max-old-space-size=100")).toBe(false);
  expect(wantsSources([], undefined)).toBe(false);
});
