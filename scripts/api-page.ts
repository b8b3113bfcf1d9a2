import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { API_PAGE, apiPage } from "./api-page/index.ts";
import { repository } from "./gates/gate.ts";

/** npm run api-page: writes the page of the HTTP interface. */
writeFileSync(join(repository, API_PAGE), apiPage());
process.stdout.write(`${API_PAGE}\n`);
