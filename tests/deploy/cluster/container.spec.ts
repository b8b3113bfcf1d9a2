import { expect, test } from "vitest";
import { containerRun } from "./container.ts";
import { hostsFile } from "./names.ts";
import { readObjects } from "./objects.ts";
import { podsOf } from "./pods.ts";

const IMAGE = { entrypoint: ["node", "main.js"], env: { BASE: "1" }, workingDirectory: "/app" };
const stateful = (container: string, service = "clusterIP: None") => `
apiVersion: v1
kind: Service
metadata: {name: things}
spec:
  ${service}
  selector: {app: thing}
  ports: [{port: 80, targetPort: web}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: thing}
spec:
  replicas: 2
  serviceName: things
  template:
    metadata: {labels: {app: thing}}
    spec:
      containers:
        - {name: c, image: drover:1, ports: [{name: web, containerPort: 80}], ${container}}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {key: c2VjcmV0}
`;

const podsIn = (text: string) => podsOf(readObjects(text), (index) => `10.0.0.${index + 1}`);

function runOf(container: string, ordinal = 0) {
  const text = stateful(container);
  const pod = podsIn(text)[ordinal];
  const [first] = pod?.spec.containers ?? [];
  if (pod === undefined || first === undefined) throw new Error("no container");
  return containerRun(pod, first, IMAGE, readObjects(text));
}

test("arguments follow the image's entrypoint, and a command takes its place", () => {
  expect(runOf("args: [a, b]").argv).toEqual(["node", "main.js", "a", "b"]);
  expect(runOf("command: [x], args: [a]").argv).toEqual(["x", "a"]);
});

test("the environment is the image's and what the references lead to", () => {
  const { env, argv } = runOf(
    'args: ["--id=$(ID)", "$(NONE)", "$$(ID)"], env: [{name: ID, valueFrom: {fieldRef: {fieldPath: metadata.name}}},' +
      "{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, {name: S, valueFrom: {secretKeyRef: {name: s, key: key}}}]",
    1,
  );
  expect(env).toEqual({ BASE: "1", HOSTNAME: "thing-1", ID: "thing-1", IP: "10.0.0.2", S: "secret" });
  expect(argv.slice(2)).toEqual(["--id=thing-1", "$(NONE)", "$(ID)"]);
});

test("a reference that leads nowhere is an error", () => {
  const secret = (name: string, key: string) =>
    `env: [{name: S, valueFrom: {secretKeyRef: {name: ${name}, key: ${key}}}}]`;
  expect(() => runOf(secret("other", "key"))).toThrow("there is no Secret other");
  expect(() => runOf(secret("s", "other"))).toThrow("no key other");
});

test("a headless service names each pod of its set, and any other only the service", () => {
  const headless = stateful("args: []");
  const names = hostsFile(readObjects(headless), podsIn(headless));
  expect(names).toContain("10.0.0.2 thing-1.things thing-1.things.default");
  const balanced = stateful("args: []", "type: ClusterIP");
  expect(hostsFile(readObjects(balanced), podsIn(balanced))).not.toContain("thing-1.things");
});

test("a service that leads to a port of another number is refused", () => {
  const text = stateful("args: []", "type: ClusterIP").replace("port: 80,", "port: 81,");
  expect(() => hostsFile(readObjects(text), podsIn(text))).toThrow("leads from 81 to 80");
});
