import { join } from "node:path";
import { repository } from "./gates/gate.ts";
import { assembleImage } from "./image/assemble.ts";

/** npm run image: assembles dist/image, from which deploy/Dockerfile makes the image for this machine's architecture. */
if (process.platform !== "linux") {
  process.stderr.write("drover: the image is assembled on Linux, whose native packages it takes.\n");
  process.exit(1);
}
const { fileCount, byteCount, packageCount } = assembleImage(repository, join(repository, "dist", "image"));
const megabytes = (byteCount / 1e6).toFixed(0);
process.stdout.write(`dist/image: ${megabytes} MB in ${fileCount} files, ${packageCount} packages\n`);
