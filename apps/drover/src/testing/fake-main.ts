import { createServer } from "node:http";
import { attachParent } from "@drover/process";

/**
 * Stands in for router, scheduler and worker where only their processes matter: listens where it is told, announces itself, says in
 * `/facts` how it was started, answers every chat with "fake answer", and ends as the real ones do. `MISBEHAVE=NAME:how` makes one of
 * them `fail` at its start, `ignore` every wish that it should end, be `busy` for its first two answers, or `load` without end.
 */
const flags = new Map(
  process.argv.slice(2).map((argument) => argument.slice(2).split(/=(.*)/s, 2) as [string, string]),
);
const role = flags.get("worker-id") ?? (flags.has("http-port") ? "router" : "scheduler");
const [target, misbehaviour] = (process.env.MISBEHAVE ?? "").split(":");
const how = target === role ? misbehaviour : undefined;
const host = flags.get("listen") ?? "127.0.0.1";
let busyCount = how === "busy" ? 2 : 0;

if (how === "fail") {
  process.stderr.write("the fake cannot start\n");
  process.exit(1);
}

const server = createServer((request, response) => {
  const answers: Record<string, unknown> = {
    "/facts": { role, flags: Object.fromEntries(flags), env: process.env },
    "/v1/models": { data: [{ id: flags.get("model-name") }] },
    "/v1/chat/completions": { choices: [{ message: { content: "fake answer" } }] },
  };
  const isBusy = request.url === "/v1/chat/completions" && busyCount-- > 0;
  response.writeHead(isBusy ? 503 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(isBusy ? { error: { message: "not yet" } } : answers[request.url ?? ""]));
});

const port = Number(flags.get("http-port") ?? flags.get("grpc-port"));
server.listen(port, host, () => {
  const address = server.address();
  const bound = `${host}:${typeof address === "object" ? address?.port : port}`;
  const addresses = role === "router" ? { http: bound, grpc: bound } : { grpc: bound, admin: bound };
  parent.announce({ kind: "progress", text: "loading" });
  parent.announce({ kind: "listening", addresses });
  if (how !== "load") parent.announce({ kind: "ready" });
});

const parent = attachParent();
const end = () => {
  if (how !== "ignore") process.exit(0);
};
process.on("SIGTERM", end);
parent.gone.addEventListener("abort", end);
