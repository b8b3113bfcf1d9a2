import { join } from "node:path";
import { repository } from "./gates/gate.ts";
import { PAGE_FOLDER, pageModules } from "./page/index.ts";
import { writeFolder } from "./written-folder.ts";

/** npm run page: writes the page's modules as browsers run them, and removes those that are no more. */
const modules = pageModules();
writeFolder(join(repository, PAGE_FOLDER), modules);
process.stdout.write(`${modules.size} modules in ${PAGE_FOLDER}\n`);
