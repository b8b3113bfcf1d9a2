import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Bed } from "./bed.ts";
import { run } from "./command.ts";
import { SLOW_COMMAND_MS_MAX } from "./limits.ts";

const NODE_IMAGE = "localhost/node:1";
const REDIS_IMAGE = "localhost/redis:1";

/** The names of the images that a manifest asks for, each once. */
export async function imagesOf(manifest: string): Promise<readonly string[]> {
  const names: string[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        if (key === "image" && typeof item === "string") names.push(item);
        else visit(item);
      }
    }
  };
  for (const document of parseAllDocuments(await readFile(manifest, "utf8"))) visit(document.toJS());
  return [...new Set(names)];
}

/** `drover:0.1.0` is docker.io/library/drover:0.1.0, as the kubelet reads it. */
function fullName(image: string): string {
  const [first = ""] = image.split("/");
  if (first !== image && /[.:]|^localhost$/.test(first)) return image;
  return `docker.io/${image.includes("/") ? "" : "library/"}${image}`;
}

/** Assembles dist/image and builds Drover's image from the project's Dockerfile on a base that has only Node. Returns what it says of its size. */
export async function buildDrover(root: string, name: string, signal: AbortSignal): Promise<string> {
  const options = { signal, timeoutMs: SLOW_COMMAND_MS_MAX };
  const assembled = await run(process.execPath, [...process.execArgv, join(root, "scripts", "image.ts")], options);
  const files = ["-f", join(root, "deploy", "Dockerfile"), "--build-arg", `BASE=${NODE_IMAGE}`];
  await run("buildah", ["bud", "--isolation", "chroot", "--quiet", ...files, "-t", fullName(name), root], options);
  return assembled.trim();
}

/** Puts images into the node's own store under exactly the names that the manifest has. There is no registry. */
export async function loadImages(bed: Bed, names: readonly string[], signal: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-images-"));
  try {
    for (const [index, name] of names.entries()) {
      const full = fullName(name);
      const archive = join(folder, `${index}.tar`);
      const source = full.startsWith("docker.io/library/redis:") ? REDIS_IMAGE : full;
      const target = `docker-archive:${archive}:${full}`;
      await run("buildah", ["push", "--quiet", source, target], { signal, timeoutMs: SLOW_COMMAND_MS_MAX });
      await bed.inside("ctr", ["--namespace", "k8s.io", "images", "import", archive], SLOW_COMMAND_MS_MAX);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return names.join(", ");
}
