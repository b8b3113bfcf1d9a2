#!/usr/bin/env node
// Drover's command line in the image: the same mains as bin/drover, compiled.
import "../compat.js";

// The oldest that has all functions of Node's own modules that are used.
const OLDEST = [20, 12];
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(`drover: Node ${OLDEST.join(".")} or newer is needed; this is ${process.version}.\n`);
  process.exit(1);
}

// As in bin/drover, for the processes that this one starts. glibc reads them at start, so the image sets them for its own process.
process.env.MALLOC_MMAP_THRESHOLD_ ??= "16777216";
process.env.MALLOC_TRIM_THRESHOLD_ ??= "33554432";
// ONNX Runtime reports home unless it is told not to (libs/onnx/src/telemetry-off.ts).
process.env.ORT_DISABLE_TELEMETRY = "1";

await import("../apps/drover/src/main.js");
