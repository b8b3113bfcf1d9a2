import { register } from "node:module";

/**
 * Preloaded (`--import`) into a process, this makes it a build of the next protocol version: the number in the source of its protocol is raised as
 * the module is loaded. With `?agrees` it still understands the versions that this build does, otherwise none of them.
 */
const agrees = new URL(import.meta.url).search === "?agrees";
const hook = `
const SOURCE = /version: (\\d+), oldest: (\\d+) \\}/;
export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (!url.endsWith("/libs/rpc/src/protocol.ts")) return loaded;
  const source = String(loaded.source);
  if (!SOURCE.test(source)) throw new Error("the protocol's source looks different now");
  const raise = (_, version, oldest) => {
    const next = Number(version) + 1;
    return "version: " + next + ", oldest: " + (${agrees} ? oldest : next) + " }";
  };
  return { ...loaded, source: source.replace(SOURCE, raise) };
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
