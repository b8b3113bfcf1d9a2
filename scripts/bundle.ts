import { bundle } from "./bundle/bundle.ts";
import { repository } from "./gates/gate.ts";

/** `bin/drover` calls it where a source is newer than the last bundle: bundles what it starts. */
await bundle(repository);
