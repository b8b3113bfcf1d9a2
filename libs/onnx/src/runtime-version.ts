import { createRequire } from "node:module";
import { loadRuntime } from "./session.ts";

/** The version of ONNX Runtime, whose native part it loads: who gets an answer knows that it loads here. */
export function runtimeVersion(): string {
  loadRuntime();
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return version;
}
