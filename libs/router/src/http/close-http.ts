import type { FastifyInstance } from "fastify";
import { FLUSH_INTERVAL_MS } from "../limits.ts";

/** Stops listening, and ends each connection when its answer has left; those that are not over in time are cut off. */
export async function closeHttp(http: FastifyInstance, msMax: number): Promise<void> {
  const { server } = http;
  const idle = setInterval(() => server.closeIdleConnections(), FLUSH_INTERVAL_MS);
  const late = setTimeout(() => server.closeAllConnections(), msMax);
  try {
    await http.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}
