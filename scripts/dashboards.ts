import { join } from "node:path";
import { DASHBOARD_FOLDER, dashboardFiles } from "./dashboards/index.ts";
import { repository } from "./gates/gate.ts";
import { writeFolder } from "./written-folder.ts";

/** npm run dashboards: writes the dashboards that `scripts/dashboards` describes, and removes those that it does not. */
const files = dashboardFiles();
writeFolder(join(repository, DASHBOARD_FOLDER), files);
process.stdout.write(`${files.size} dashboards in ${DASHBOARD_FOLDER}\n`);
