import { register } from "node:module";

/**
 * Preloaded (`--import`) into a process, this makes it a build whose protocol is one version ahead of all others: the number in the source of its
 * protocol is raised as the module is loaded.
 */
const hook = `
const SOURCE = /version: (\\d+), oldest: (\\d+) \\}/;
export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (!url.endsWith("/libs/rpc/src/protocol.ts")) return loaded;
  const source = String(loaded.source);
  if (!SOURCE.test(source)) throw new Error("the protocol's source looks different now");
  const raised = source.replace(SOURCE, (_, version) => "version: " + (Number(version) + 1) + ", oldest: " + (Number(version) + 1) + " }");
  return { ...loaded, source: raised };
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
