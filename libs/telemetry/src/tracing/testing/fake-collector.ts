import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as OTLP's JSON has it, and the service that sent it. */
export type CollectedSpan = Readonly<{
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: Readonly<{ code: number; message?: string }>;
  attributes: readonly Readonly<{ key: string; value: Readonly<Record<string, unknown>> }>[];
  events: readonly Readonly<{ name: string }>[];
}>;

type Attribute = Readonly<{ key: string; value: Readonly<{ stringValue?: string }> }>;
type Export = Readonly<{
  resourceSpans: readonly Readonly<{
    resource: Readonly<{ attributes: readonly Attribute[] }>;
    scopeSpans: readonly Readonly<{ spans: readonly Omit<CollectedSpan, "service">[] }>[];
  }>[];
}>;

/** An OTLP collector on loopback that keeps what it gets. */
export class FakeCollector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  readonly #server: Server;

  private constructor(answers: boolean) {
    this.#server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      if (!answers) return;
      if (request.url === "/v1/traces") this.#take(JSON.parse(Buffer.concat(parts).toString()) as Export);
      response.setHeader("content-type", "application/json").end("{}");
    });
  }

  static async start({ answers = true } = {}): Promise<FakeCollector> {
    const collector = new FakeCollector(answers);
    collector.#server.listen(0, "127.0.0.1");
    await once(collector.#server, "listening");
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #take({ resourceSpans }: Export): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
      for (const { spans } of scopeSpans) for (const span of spans) this.spans.push({ ...span, service });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
