import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CudaLibraries } from "../driver/open-cuda.ts";

const FOLDER = join(import.meta.dirname, "cpu-card");
const FLAGS = ["-std=c++17", "-O1", "-w", "-fPIC"];

/** Whether this machine can stand in for a card: it needs a C++ compiler. */
export const hasCpuCard = spawnSync("g++", ["--version"]).status === 0;
if (!hasCpuCard && process.env.CI) throw new Error("these tests need g++, which compiles kernels for a CPU");

/**
 * A library that stands in for NVIDIA's driver and compiler: see cpu-card/card.cc. Made once for each state of its source, in the folder for temporary
 * files. Throws with what g++ says.
 */
export function cpuCardLibraries(): CudaLibraries {
  const library = join(cardFolder(), "card.so");
  return { driver: [library], compiler: [library] };
}

/** Where what g++ makes of kernels is kept from one test to the next, beside the library that makes it. */
export function cpuCardKernels(): string {
  return join(cardFolder(), "kernels");
}

function cardFolder(): string {
  const sources = ["card.cc", "block.hpp"].map((name) => readFileSync(join(FOLDER, name)));
  const key = createHash("sha256").update(Buffer.concat(sources)).digest("hex").slice(0, 16);
  const folder = join(tmpdir(), `drover-cpu-card-${key}`);
  if (!existsSync(folder)) make(folder);
  return folder;
}

/** The library, and what kernels are compiled with; whole or not at all. */
function make(folder: string): void {
  const part = `${folder}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  copyFileSync(join(FOLDER, "block.hpp"), join(part, "block.hpp"));
  compile([...FLAGS, "-x", "c++-header", "-o", join(part, "block.hpp.gch"), join(part, "block.hpp")]);
  const library = [
    "-shared",
    `-DCARD_FOLDER="${folder}"`,
    "-o",
    join(part, "card.so"),
    join(FOLDER, "card.cc"),
    "-ldl",
  ];
  compile([...FLAGS, ...library]);
  // Another process may have been faster.
  if (existsSync(folder)) rmSync(part, { recursive: true });
  else renameSync(part, folder);
}

function compile(args: readonly string[]): void {
  const { status, stderr } = spawnSync("g++", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}
