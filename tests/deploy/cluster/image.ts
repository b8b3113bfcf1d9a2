import { readFileSync } from "node:fs";
import type { ImageFacts } from "./container.ts";

/** Where the machine's own Node stands in for that of the image's base. */
export const NODE_FOLDER = "/opt/node/bin";
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What a Dockerfile's last stage says of its containers. Throws an Error where it is in no form that needs no shell. */
export function readDockerfile(file: string): ImageFacts {
  const text = readFileSync(file, "utf8").replaceAll(/\\\n/g, " ");
  const stage = text.slice(text.lastIndexOf("\nFROM "));
  const instruction = (name: string) => new RegExp(`^${name} (.*)$`, "m").exec(stage)?.[1]?.trim();
  const variables = [...stage.matchAll(/^ENV (.*)$/gm)].flatMap(([, line = ""]) => line.trim().split(/\s+/));
  const env = variables.map((one) => [one.slice(0, one.indexOf("=")), one.slice(one.indexOf("=") + 1)] as const);
  return {
    entrypoint: JSON.parse(instruction("ENTRYPOINT") ?? "null") ?? [],
    env: { PATH: `${NODE_FOLDER}:${SYSTEM_PATH}`, ...Object.fromEntries(env) },
    workingDirectory: instruction("WORKDIR") ?? "/",
  };
}

/** Redis's image as far as a container that names its own command depends on it. */
export const REDIS_IMAGE: ImageFacts = { entrypoint: [], env: { PATH: SYSTEM_PATH }, workingDirectory: "/data" };
