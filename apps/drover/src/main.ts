import { enterProgram } from "@drover/program";

await enterProgram(new URL("./program.ts", import.meta.url));
