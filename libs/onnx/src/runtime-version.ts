import { createRequire } from "node:module";

/** The version of ONNX Runtime. This library's other files load the native part of it, so that who gets an answer knows that it loads here. */
export function runtimeVersion(): string {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return version;
}
