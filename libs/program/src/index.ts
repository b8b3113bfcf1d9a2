export { BUNDLE_FOLDER, BUNDLE_MARK, bundledFile, freshBundle } from "./bundle.ts";
export { enterProgram } from "./enter-program.ts";
