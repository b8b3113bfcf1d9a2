import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DASHBOARD_FOLDER, dashboardFiles } from "./dashboards/index.ts";
import { repository } from "./gates/gate.ts";

/** npm run dashboards: writes the dashboards that `scripts/dashboards` describes, and removes those that it does not. */
const folder = join(repository, DASHBOARD_FOLDER);
mkdirSync(folder, { recursive: true });
const files = dashboardFiles();
for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(join(folder, name));
for (const [name, text] of files) writeFileSync(join(folder, name), text);
process.stdout.write(`${files.size} dashboards in ${DASHBOARD_FOLDER}\n`);
