import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { filesOf } from "./container.ts";
import { NODE_FOLDER } from "./image.ts";
import type { Container, KubernetesObject, Volume } from "./objects.ts";
import type { Pod } from "./pods.ts";

/** One folder or file of the machine that appears in a container. */
export type Mount = Readonly<{ from: string; to: string; readOnly: boolean }>;

export type PodRootOptions = Readonly<{
  /** A folder of this pod's own. */
  folder: string;
  /** What the image has at /app. */
  app: string;
  hosts: string;
  objects: readonly KubernetesObject[];
}>;

const SYSTEM = ["bin", "lib", "lib64", "sbin", "usr"];
const ETC = ["ld.so.cache", "passwd", "group"];

/** Lays out a container's root: the machine's programs for the image's base, the image's folder, and the volumes where they are mounted. */
export function podRoot(
  pod: Pod,
  container: Container,
  options: PodRootOptions,
): { root: string; mounts: readonly Mount[] } {
  const root = join(options.folder, "root");
  const mounts: Mount[] = [];
  const mount = (from: string, to: string, readOnly: boolean) => {
    const isBelowMount = mounts.some((one) => to.startsWith(`${one.to}/`));
    if (!isBelowMount) place(from, join(root, to));
    mounts.push({ from, to, readOnly });
  };
  mkdirSync(root, { recursive: true });
  for (const name of SYSTEM) {
    if (!existsSync(`/${name}`)) continue;
    if (lstatSync(`/${name}`).isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(root, name));
    else mount(`/${name}`, `/${name}`, true);
  }
  for (const name of ["dev", "proc"]) mount(`/${name}`, `/${name}`, false);
  mount(options.app, "/app", true);
  mount(process.execPath, join(NODE_FOLDER, "node"), true);
  writeEtc(join(root, "etc"), options.hosts);
  for (const { name, mountPath, readOnly = false, subPath } of container.volumeMounts ?? []) {
    const volume = pod.spec.volumes?.find((one) => one.name === name);
    if (volume === undefined) throw new Error(`${pod.name} mounts ${name}, which is no volume of it`);
    if (subPath !== undefined) throw new Error(`${pod.name}: subPath is not known to this harness`);
    mount(volumeFolder(pod, volume, options), mountPath, readOnly);
  }
  return { root, mounts };
}

/** Names come from the file alone: there is no server to ask. */
function writeEtc(folder: string, hosts: string): void {
  mkdirSync(folder);
  for (const name of ETC.filter((one) => existsSync(join("/etc", one))))
    copyFileSync(join("/etc", name), join(folder, name));
  writeFileSync(join(folder, "nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\n");
  writeFileSync(join(folder, "hosts"), hosts);
}

function place(from: string, to: string): void {
  if (lstatSync(from).isDirectory()) return void mkdirSync(to, { recursive: true });
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, "");
}

function volumeFolder(pod: Pod, volume: Volume, { folder, objects }: PodRootOptions): string {
  const path = join(folder, "volumes", volume.name);
  mkdirSync(path, { recursive: true });
  const { fsGroup } = pod.spec.securityContext ?? {};
  if (volume.emptyDir !== undefined || volume.persistentVolumeClaim !== undefined) {
    chmodSync(path, 0o2777);
    if (fsGroup !== undefined) chownSync(path, 0, fsGroup);
    return path;
  }
  for (const [name, text] of volumeFiles(pod, volume, objects))
    writeFileSync(join(path, basename(name)), text, { mode: 0o444 });
  return path;
}

function volumeFiles(pod: Pod, { name, secret, configMap }: Volume, objects: readonly KubernetesObject[]) {
  const source = secret ?? configMap;
  if (source === undefined) throw new Error(`${pod.name}: the kind of the volume ${name} is not known to this harness`);
  const files =
    secret === undefined
      ? filesOf("ConfigMap", configMap?.name ?? "", objects)
      : filesOf("Secret", secret.secretName, objects);
  if (source.items === undefined) return [...files];
  return source.items.map(({ key, path }) => {
    const text = files.get(key);
    if (text === undefined) throw new Error(`${pod.name}: the volume ${name} has no key ${key}`);
    return [path, text] as const;
  });
}
