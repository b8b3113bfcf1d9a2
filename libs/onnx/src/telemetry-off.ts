import { isMainThread } from "node:worker_threads";
import { assert } from "@drover/core";

const SWITCH = "ORT_DISABLE_TELEMETRY";

/*
 * ONNX Runtime's own builds have telemetry in them: at its defaults the library writes a device's id into the user's cache folder and sends
 * events to its maker. It reads this variable while it is loaded, so this file is imported before the binding.
 */
if (isMainThread) process.env[SWITCH] = "1";

// A thread's environment is a copy that the library does not see: what counts is what the main thread has set before.
assert(process.env[SWITCH] === "1", "the main thread imports @drover/onnx before one of its threads does");
