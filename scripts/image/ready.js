// Exit status 0 when the process of this container is ready, by its admin port: a health check for engines that have no HTTP probe.
import { get } from "node:http";

const TIMEOUT_MS = 4000;
const port = process.argv[2] ?? process.env.DROVER_ADMIN_PORT ?? "9400";

get({ host: "127.0.0.1", port, path: "/readyz", timeout: TIMEOUT_MS }, (response) => {
  process.exitCode = response.statusCode === 200 ? 0 : 1;
  response.resume();
})
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1));
