import { fileURLToPath } from "node:url";
import { DroverError } from "@drover/core";
import { OutputFailures } from "../output-failures.ts";
import { runUp } from "../up/up-command.ts";

/** `drover up` whose children are fakes. */
const fake = fileURLToPath(new URL("fake-main.ts", import.meta.url));
new OutputFailures([process.stdout, process.stderr]);
const options = { argv: process.argv.slice(2), env: process.env, defaultModel: "models/nano" };
try {
  process.exit(await runUp({ ...options, mains: { router: fake, scheduler: fake, worker: fake } }));
} catch (error) {
  if (!(error instanceof DroverError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
