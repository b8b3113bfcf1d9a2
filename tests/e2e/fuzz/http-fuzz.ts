import { connect } from "node:net";
import type { Chance } from "./chance.ts";
import { oddValue, type Schemas, schemaValue } from "./odd-values.ts";

/** What came of a request: its status, or what else. */
export type Outcome = Readonly<{ what: string; sent: string }>;

type Operation = Readonly<{ method: string; path: string; schema: object | undefined }>;
export type HttpGrammar = Readonly<{ operations: readonly Operation[]; schemas: Schemas }>;

type Document = Readonly<{
  paths: Readonly<
    Record<string, Readonly<Record<string, { requestBody?: { content: Record<string, { schema: object }> } }>>>
  >;
  components: Readonly<{ schemas: Schemas }>;
}>;

const METHODS = ["get", "post", "put", "delete", "head", "options", "patch", "trace"];
const ANSWER_MS_MAX = 60_000;

/** The grammar of the API, as the router itself describes it. */
export async function httpGrammar(url: string): Promise<HttpGrammar> {
  const { paths, components } = (await (await fetch(`${url}/openapi.json`)).json()) as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody }]) => ({
      method,
      path: path.replace(/\{[^}]*\}/g, "x"),
      schema: Object.values(requestBody?.content ?? {})[0]?.schema,
    })),
  );
  return { operations, schemas: components.schemas };
}

/** Sends one request that is more or less one of the API's, as bytes of a connection of its own. */
export function sendHttp(url: string, grammar: HttpGrammar, chance: Chance): Promise<Outcome> {
  return exchange(new URL(url), request(grammar, chance));
}

function request({ operations, schemas }: HttpGrammar, chance: Chance): Buffer {
  if (chance.is(0.03)) return chance.bytes(chance.below(400));
  const { method, path, schema } = chance.of(operations);
  const body = Buffer.from(bodyOf(schema, schemas, chance));
  const bytes = chance.is(0.05) ? spoiled(body, chance) : body;
  const verb = (chance.is(0.05) ? chance.of(METHODS) : method).toUpperCase();
  const lengths = [`content-length: ${bytes.length}`];
  if (chance.is(0.04))
    lengths.push(
      chance.of(["content-length: 5", "content-length: -1", "transfer-encoding: chunked", "transfer-encoding: x"]),
    );
  if (chance.is(0.02)) lengths.pop();
  const lines = [
    `${verb} ${target(path, chance)} HTTP/1.1`,
    "host: x",
    "connection: close",
    ...lengths,
    ...headers(chance),
  ];
  const whole = Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), bytes]);
  return chance.is(0.03) ? whole.subarray(0, chance.below(whole.length)) : whole;
}

function bodyOf(schema: object | undefined, schemas: Schemas, chance: Chance): string {
  if (schema === undefined) return chance.is(0.2) ? oddValue(chance) : "";
  return schemaValue(schema, schemas, chance, chance.of([0.01, 0.05, 0.2]));
}

function spoiled(body: Buffer, chance: Chance): Buffer {
  const bytes = Buffer.from(body);
  for (let time = 0; time < 3 && bytes.length > 0; time++) bytes[chance.below(bytes.length)] = chance.below(256);
  return bytes.subarray(0, chance.is(0.5) ? bytes.length : chance.below(bytes.length + 1));
}

function target(path: string, chance: Chance): string {
  if (!chance.is(0.1)) return path;
  const tails = [
    "?x=%",
    "?limit=-1",
    "?limit=1e9",
    "/",
    "//",
    "/..%2f..",
    "?request=%00",
    "#x",
    "%ff",
    "?after=__proto__",
    " x",
    "/resp_x",
  ];
  return `${path}${chance.of(tails)}`;
}

function headers(chance: Chance): string[] {
  const some = [
    ...["content-type: application/json", "content-type: text/plain", "content-type: multipart/form-data; boundary=x"],
    ...[
      "content-type: multipart/form-data",
      "content-encoding: gzip",
      "content-encoding: br",
      "content-encoding: deflate",
    ],
    ...["accept: text/event-stream", "expect: 100-continue", "authorization: Bearer", "authorization: x y z"],
    ...["traceparent: 00-x", "x-request-id: \x01", "idempotency-key: k", "last-event-id: -1", "upgrade: websocket"],
    ...["origin: null", "cookie: a=b; a=b", "x: \xff", "range: bytes=0-", ": x", "a b: c"],
  ];
  return Array.from({ length: chance.below(3) }, () => chance.of(some));
}

/** Writes the bytes and reads until the other side closes, or everything is said. */
function exchange({ hostname, port }: URL, bytes: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    const end = (what: string) => {
      socket.destroy();
      resolve({ what, sent: bytes.toString("latin1") });
    };
    const status = () => /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    socket.setEncoding("latin1").setTimeout(ANSWER_MS_MAX);
    socket.on("data", (part) => {
      text = (text + part).slice(0, 4096);
      // What was cut short keeps its connection until its time is over.
      const said = status();
      if (said !== undefined && said !== "100") end(said);
    });
    socket.on("timeout", () => end("no answer"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code === "ECONNREFUSED" ? "refused" : "closed"));
    socket.on("close", () => end(status() ?? "closed"));
    socket.write(bytes);
    socket.end();
  });
}
