import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { DroverError, systemClock, withTimeout } from "@drover/core";
import { KUBERNETES_LIMIT } from "../limits.ts";

/** The API server of the pod that this runs in, as its service account speaks to it. */
export type KubernetesApi = Readonly<{ url: string; token: string; ca: string; namespace: string }>;

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Errors: `invalid_argument` outside of a pod, or in one without a service account's token. */
export async function inClusterApi(
  env: Readonly<Record<string, string | undefined>>,
  account = ACCOUNT,
): Promise<KubernetesApi> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (host === undefined)
    throw new DroverError("invalid_argument", "--kubernetes: this is no pod: KUBERNETES_SERVICE_HOST is not set.");
  const read = async (name: string) => {
    try {
      return (await readFile(join(account, name), "utf8")).trim();
    } catch (cause) {
      throw new DroverError("invalid_argument", `--kubernetes: ${join(account, name)} cannot be read.`, { cause });
    }
  };
  const address = host.includes(":") ? `[${host}]` : host;
  const [token, ca, namespace] = [await read("token"), await read("ca.crt"), await read("namespace")];
  return { url: `https://${address}:${port}`, token, ca, namespace };
}

const CREATED = 201;
const CONFLICT = 409;

/**
 * Makes a Secret with these values. Resolves with whether it was made: one of this name that is there already stays as it is. Errors:
 * `unavailable` with what the API server says.
 */
export async function makeKubernetesSecret(
  api: KubernetesApi,
  name: string,
  stringData: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  const body = JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, type: "Opaque", stringData });
  const { status, text } = await withTimeout(KUBERNETES_LIMIT, systemClock, signal, (limited) =>
    post(api, `/api/v1/namespaces/${api.namespace}/secrets`, body, limited),
  );
  if (status === CREATED || status === CONFLICT) return status === CREATED;
  throw new DroverError("unavailable", `the API server does not make the Secret ${name}: ${status} ${reasonOf(text)}`);
}

/** fetch knows no CA of one call. */
function post(
  { url, token, ca }: KubernetesApi,
  path: string,
  body: string,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(new DroverError("unavailable", `the API server at ${url} is not reached: ${cause.message}`, { cause }));
    const call = request(`${url}${path}`, { method: "POST", headers, ca, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("error", fail);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on("error", fail);
    call.end(body);
  });
}

/** The sentence of a Kubernetes Status; what it wrote of the Secret is in none. */
function reasonOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : "";
  } catch {
    // No Status: the code alone says what there is to say.
    return "";
  }
}
