import type { TestCluster } from "../../tests/e2e/test-cluster.ts";

/** A request that is sent to a cluster; what came of it, in a word. */
export type Shape = Readonly<{ name: string; send: (cluster: TestCluster) => Promise<string> }>;

/** A size as it is said. */
export const size = (bytes: number): string =>
  bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** A request of HTTP. */
export function http(
  name: string,
  path: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Shape {
  const bytes = Buffer.from(body);
  const send = ({ url }: TestCluster) => statusOf(fetch(url + path, { method: "POST", body: bytes, headers }));
  return { name: `${path}: ${name}, ${size(bytes.byteLength)}`, send };
}

/** The status, once the answer has come whole; or the connection's fault. */
export async function statusOf(replying: Promise<Response>): Promise<string> {
  try {
    const reply = await replying;
    await reply.body?.pipeTo(new WritableStream());
    return String(reply.status);
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  }
}
