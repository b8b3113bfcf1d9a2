import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { API_PAGE, apiPage } from "../api-page/index.ts";
import type { Gate, GateResult } from "./gate.ts";

/** What `npm run api-page` would write is what is there. */
export const apiPageGate: Gate = {
  name: "api-page",
  remedy: "`npm run api-page` writes it from the schemas in libs/openai.",
  check,
};

async function check(root: string): Promise<GateResult> {
  const path = join(root, API_PAGE);
  const ok = existsSync(path) && readFileSync(path, "utf8") === apiPage();
  return { ok, output: ok ? "" : `${API_PAGE} is not what libs/openai says` };
}
