#!/usr/bin/env node
// Drover's command line in the image: the same mains as bin/drover, compiled.
import "../compat.js";

// As in bin/drover, for the processes that this one starts. glibc reads them at start, so the image sets them for its own process.
process.env.MALLOC_MMAP_THRESHOLD_ ??= "16777216";
process.env.MALLOC_TRIM_THRESHOLD_ ??= "33554432";

await import("../apps/drover/src/main.js");
