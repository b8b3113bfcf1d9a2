import { join } from "node:path";
import { DASHBOARD_FOLDER, dashboardFiles } from "../dashboards/index.ts";
import { differingFiles } from "../written-folder.ts";
import type { Gate } from "./gate.ts";

/** What `npm run dashboards` would write is what is there, file by file. */
export const dashboards: Gate = {
  name: "dashboards",
  remedy: "`npm run dashboards` writes them from scripts/dashboards.",
  check: async (root) => {
    const fresh = dashboardFiles();
    const differing = differingFiles(join(root, DASHBOARD_FOLDER), fresh);
    const lines = differing.map((name) => `${DASHBOARD_FOLDER}/${name} is not what scripts/dashboards says`);
    return { ok: differing.length === 0 && fresh.size > 0, output: lines.join("\n") };
  },
};
