import { join } from "node:path";
import { PAGE_FOLDER, pageModules } from "../page/index.ts";
import { differingFiles } from "../written-folder.ts";
import type { Gate } from "./gate.ts";

/** What `npm run page` would write is what is there, module by module. */
export const pageModulesGate: Gate = {
  name: "page-modules",
  remedy: "`npm run page` writes them from libs/page/src/site.",
  check: async (root) => {
    const fresh = pageModules();
    const differing = differingFiles(join(root, PAGE_FOLDER), fresh);
    const lines = differing.map((name) => `${PAGE_FOLDER}/${name} is not what libs/page/src/site says`);
    return { ok: differing.length === 0 && fresh.size > 0, output: lines.join("\n") };
  },
};
