import { connect, type Socket } from "node:net";

const HEAD_END = "\r\n\r\n";
const ANSWER_MS_MAX = 60_000;
const LAST_CHUNK = "0\r\n\r\n";

/** A request as its bytes; `leaves`: its client goes once the answer has begun. */
export type RawRequest = Readonly<{ bytes: Buffer; leaves?: boolean }>;

/** One client's connection to an HTTP server, which reads no more of an answer than where it ends: a tenth of what a client of Node's costs. */
export class RawClient {
  readonly #port: number;
  readonly #host: string;
  #socket: Socket | undefined;

  constructor(url: string) {
    const { port, hostname } = new URL(url);
    this.#port = Number(port);
    this.#host = hostname;
  }

  /** The status of the answer, once it is whole, or once it has begun where its client leaves. Errors: the connection ended before. */
  async ask({ bytes, leaves = false }: RawRequest): Promise<number> {
    const socket = this.#socket ?? connect(this.#port, this.#host).setNoDelay();
    this.#socket = socket;
    try {
      return await new Promise<number>((resolve, reject) => {
        let [text, status, length] = ["", 0, -1];
        let isChunked = false;
        const isWhole = (part: string) => {
          text += part;
          if (status === 0) {
            const end = text.indexOf(HEAD_END);
            if (end < 0) return false;
            const head = text.slice(0, end);
            status = Number(head.slice(9, 12));
            isChunked = /^transfer-encoding: chunked/im.test(head);
            length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
            text = text.slice(end + HEAD_END.length);
          }
          if (leaves && (text.length > 0 || status >= 400)) return true;
          if (!isChunked) return text.length >= length;
          // Of what comes in pieces no more is needed than its end.
          if (text.length > LAST_CHUNK.length) text = text.slice(-LAST_CHUNK.length);
          return text === LAST_CHUNK;
        };
        socket
          .removeAllListeners("data")
          .removeAllListeners("close")
          .removeAllListeners("error")
          .removeAllListeners("timeout");
        socket.setTimeout(ANSWER_MS_MAX, () => reject(new Error("no answer")));
        socket.on("error", reject).on("close", () => reject(new Error("the connection ended before its answer")));
        socket.on("data", (part: Buffer) => {
          if (isWhole(part.toString("latin1"))) resolve(status);
        });
        socket.write(bytes);
      });
    } catch (error) {
      this.close();
      throw error;
    } finally {
      if (leaves) this.close();
    }
  }

  close(): void {
    this.#socket
      ?.removeAllListeners("close")
      .on("error", () => undefined)
      .destroy();
    this.#socket = undefined;
  }
}

/** A request of these parts. */
export function rawRequest(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const text = typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    "host: x",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  if (method === "POST") lines.push("content-type: application/json", `content-length: ${Buffer.byteLength(text)}`);
  return Buffer.from(`${lines.join("\r\n")}${HEAD_END}${text}`);
}
