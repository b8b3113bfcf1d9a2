import { connect } from "node:net";
import { parseSentinelUrl } from "@drover/core";
import { REDIS_CONNECT_MS_MAX } from "../limits.ts";

const UP = /^(\+PONG|-NOAUTH)/;

/** Does a Redis answer there? One that asks for a password does; one that still reads its files does not yet. */
export function pingRedis(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    let reply = "";
    socket.setTimeout(REDIS_CONNECT_MS_MAX, () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.setEncoding("latin1").on("data", (text: string) => {
      reply += text;
      if (reply.includes("\n")) end(UP.test(reply));
    });
  });
}

/** Can the server that the URL names be reached at all, or one of its sentinels? TLS and passwords are left to those who use it. */
export async function canConnect(url: string): Promise<boolean> {
  const sentinel = parseSentinelUrl(url);
  if (sentinel !== undefined)
    return (await Promise.all(sentinel.sentinels.map(({ host, port }) => connects(host, port)))).includes(true);
  const { hostname, port } = new URL(url);
  return connects(hostname.replace(/^\[|\]$/g, ""), port === "" ? 6379 : Number(port));
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.setTimeout(REDIS_CONNECT_MS_MAX, () => end(false));
    socket.once("error", () => end(false));
    socket.once("connect", () => end(true));
  });
}
