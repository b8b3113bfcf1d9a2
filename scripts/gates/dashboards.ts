import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DASHBOARD_FOLDER, dashboardFiles } from "../dashboards/index.ts";
import type { Gate, GateResult } from "./gate.ts";

/** What `npm run dashboards` would write is what is there, file by file. */
export const dashboards: Gate = {
  name: "dashboards",
  remedy: "`npm run dashboards` writes them from scripts/dashboards.",
  check,
};

async function check(root: string): Promise<GateResult> {
  const folder = join(root, DASHBOARD_FOLDER);
  const present = existsSync(folder) ? readdirSync(folder) : [];
  const fresh = dashboardFiles();
  const differing = [...new Set([...fresh.keys(), ...present])].filter(
    (name) => !present.includes(name) || readFileSync(join(folder, name), "utf8") !== fresh.get(name),
  );
  const lines = differing.map((name) => `${DASHBOARD_FOLDER}/${name} is not what scripts/dashboards says`);
  return { ok: differing.length === 0 && fresh.size > 0, output: lines.join("\n") };
}
