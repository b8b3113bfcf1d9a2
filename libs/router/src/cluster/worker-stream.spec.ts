import { modelId, type Resume, requestId, routerId, silentLogger } from "@drover/core";
import { SimClock } from "@drover/testkit";
import type { RouterMessage, WorkerMessage } from "@drover/wire";
import { describe, expect, it } from "vitest";
import type { ClusterCalls } from "./cluster-calls.ts";
import { WorkerStream } from "./worker-stream.ts";

const model = modelId("tiny");
const hello: WorkerMessage = { kind: "hello", workerId: "w", incarnation: "1", modelId: model };

const resumeOf = (name: string, attempt = 0): Resume => ({
  ...{ requestId: requestId(name), attempt, nextIndices: [0], nextPromptPosition: 0, started: false },
});

type Call = Readonly<{ written: RouterMessage[]; listener: Parameters<ClusterCalls["tokens"]>[1] }>;

/** A router's stream to a worker that the test speaks for. */
class Scene {
  readonly clock = new SimClock();
  readonly calls: Call[] = [];
  /** What the router waits for. */
  running: Resume[] = [];
  readonly stream: WorkerStream;

  constructor(...running: Resume[]) {
    this.running = running;
    this.stream = new WorkerStream({
      ...{ key: "w#1", workerId: "w", incarnation: "1", address: "there" },
      ...{ modelId: model, routerId: routerId("r"), clock: this.clock, logger: silentLogger },
      calls: {
        chance: () => 0,
        tokens: (_address, listener) => {
          const call: Call = { written: [], listener };
          this.calls.push(call);
          return { write: (message) => call.written.push(message) > 0, cancel: () => undefined };
        },
      },
      resumes: () => this.running,
      onEvent: () => undefined,
      onChange: () => undefined,
    });
  }

  get last(): Call {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("no call was made");
    return call;
  }

  /** Of each message since the greeting. */
  get since(): RouterMessage[] {
    return this.last.written.slice(1);
  }
}

describe("a token stream that comes up", () => {
  it("asks after what its greeting did not name: requests that began since, and newer attempts", () => {
    const scene = new Scene(resumeOf("old"), resumeOf("again"));
    expect(scene.last.written).toMatchObject([{ kind: "hello", resumes: [resumeOf("old"), resumeOf("again")] }]);
    scene.running = [resumeOf("old"), resumeOf("again", 1000), resumeOf("new")];
    scene.last.listener.onMessage(hello);
    expect(scene.since).toEqual([{ kind: "asks", resumes: [resumeOf("again", 1000), resumeOf("new")] }]);
    // A worker that says hello again is not asked again.
    scene.last.listener.onMessage(hello);
    expect(scene.since).toHaveLength(1);
    scene.stream.close();
  });

  it("asks after nothing where its greeting named all", () => {
    const scene = new Scene(resumeOf("one"), resumeOf("ended"));
    scene.running = [resumeOf("one")];
    scene.last.listener.onMessage(hello);
    expect([scene.stream.connected, scene.since]).toEqual([true, []]);
    scene.stream.close();
  });

  it("asks on each call after what that one's greeting did not name", async () => {
    const scene = new Scene();
    scene.running = [resumeOf("first")];
    scene.last.listener.onMessage(hello);
    expect(scene.since).toMatchObject([{ kind: "asks", resumes: [resumeOf("first")] }]);
    scene.last.listener.onEnd("broken");
    await scene.clock.advance(100);
    expect(scene.calls).toHaveLength(2);
    expect(scene.last.written).toMatchObject([{ kind: "hello", resumes: [resumeOf("first")] }]);
    scene.running = [resumeOf("first"), resumeOf("second")];
    scene.last.listener.onMessage(hello);
    expect(scene.since).toEqual([{ kind: "asks", resumes: [resumeOf("second")] }]);
    scene.stream.close();
  });

  it("asks another life of the worker after nothing", () => {
    const scene = new Scene();
    scene.running = [resumeOf("one")];
    scene.last.listener.onMessage({ ...hello, incarnation: "2" });
    expect([scene.stream.wrongLife, scene.since]).toEqual([true, []]);
    scene.stream.close();
  });
});

describe("a cancel", () => {
  it("takes nothing back that a newer attempt's has said, though a late event of an older one forces it", () => {
    const scene = new Scene();
    scene.last.listener.onMessage(hello);
    const request = requestId("one");
    scene.stream.cancel(request, 5);
    scene.stream.cancel(request, 3, true);
    scene.stream.cancel(request, 4);
    scene.stream.cancel(request, 5);
    const cancel = { kind: "cancel", requestId: request, attempt: 5 };
    expect(scene.since).toEqual([cancel, cancel]);
    scene.stream.close();
  });
});
