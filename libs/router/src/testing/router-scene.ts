import { connect, type Socket } from "node:net";
import type { Router } from "../router.ts";
import { FakeCluster, FakeWorker } from "./fake-cluster.ts";
import { startTestRouter, type TestRouterOptions } from "./test-router.ts";

/** A reply's body, of whatever shape the test expects. */
export type Json = ReturnType<typeof JSON.parse>;

/** One test's cluster of one worker, and a router before it. */
export class RouterScene {
  readonly cluster = new FakeCluster();
  readonly worker = new FakeWorker("w");
  router: Router | undefined;
  url = "";
  grpc = "";

  async startCluster(): Promise<void> {
    await this.cluster.start();
    await this.worker.start();
    this.cluster.show([this.worker]);
  }

  /** Returns once the router is ready, unless `ready` is false. */
  async startRouter({ ready = true, ...options }: TestRouterOptions & { ready?: boolean } = {}): Promise<void> {
    const started = await startTestRouter(this.cluster, options);
    this.router = started.router;
    this.url = started.url;
    this.grpc = started.grpc;
    if (ready) await started.ready;
  }

  /** Sends a body as JSON, or as it is where it is a text. */
  post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json" },
      ...init,
    });
  }

  /** The router's metrics as they are now. */
  async metrics(): Promise<string> {
    return (await fetch(`${this.url}/metrics`)).text();
  }

  /** Asks for a chat's reply and reads nothing of it. */
  postUnread(body: object): Socket {
    const text = JSON.stringify(body);
    const { hostname, port } = new URL(this.url);
    const socket = connect(Number(port), hostname).pause();
    socket.on("error", () => undefined);
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    return socket;
  }

  async stop(): Promise<void> {
    await this.router?.close();
    this.worker.stop();
    this.cluster.stop();
  }
}
