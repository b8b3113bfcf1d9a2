import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const ROOT = resolve(import.meta.dirname, "..", "..");
const FILE = join(ROOT, "deploy", "compose.yaml");

type Service = Readonly<{
  image: string;
  hostname?: string;
  command?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  volumes?: readonly string[];
  depends_on?: readonly string[];
}>;
type Compose = Readonly<{ services: Readonly<Record<string, Service>>; volumes: Readonly<Record<string, null>> }>;

const read = (file: string) => parse(readFileSync(file, "utf8"), { merge: true });
const { services, volumes } = read(FILE) as Compose;
const processes = Object.entries(services).filter(([, { image }]) => image.startsWith("drover:"));
const roles = new Map(processes.map(([name, { command = [] }]) => [name, command[0] ?? ""]));

const flagOf = (service: Service | undefined, name: string): string | undefined =>
  service?.command?.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);

describe("deploy/compose.yaml", () => {
  test("runs the image of this version", () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(new Set(processes.map(([, { image }]) => image))).toEqual(new Set([`drover:${version}`]));
    expect(new Set(roles.values())).toEqual(new Set(["router", "scheduler", "worker"]));
  });

  test.each([...new Set(roles.values())])("gives a %s only flags that it knows", (role) => {
    const main = join(ROOT, "apps", "drover", "src", "main.ts");
    const help = execFileSync(process.execPath, ["--conditions=@drover/source", main, role, "--help"], {
      encoding: "utf8",
    });
    const known = new Set([...help.matchAll(/--[a-z][a-z-]*/g)].map(([flag]) => flag));
    const given = processes.filter(([name]) => roles.get(name) === role).flatMap(([, { command = [] }]) => command);
    const flags = given.filter((argument) => argument.startsWith("--"));
    expect(flags.length).toBeGreaterThan(3);
    for (const flag of flags) expect(known).toContain(flag.split("=")[0]);
  });

  test("names only addresses at which a service listens", () => {
    for (const [name, service] of processes) {
      expect(flagOf(service, "advertise")).toBe(name);
      expect(service.hostname).toBe(name);
      const scheduler = flagOf(service, "scheduler");
      if (roles.get(name) !== "scheduler") {
        expect(scheduler).toBe(`scheduler:${flagOf(services.scheduler, "grpc-port")}`);
      }
      const queue = service.environment?.DROVER_QUEUE;
      if (roles.get(name) !== "worker") expect(queue).toBe("redis://redis:6379");
      for (const needed of service.depends_on ?? []) expect(Object.keys(services)).toContain(needed);
    }
  });

  test("waits with placing experts for as many workers as there are", () => {
    const holders = processes.filter(([, service]) => flagOf(service, "roles")?.split(",").includes("experts"));
    expect(flagOf(services.scheduler, "expect-experts")).toBe(String(holders.length));
  });

  test("has Prometheus scrape every process, and load every rule file", () => {
    const prometheus = read(join(ROOT, "deploy", "compose", "prometheus.yaml"));
    const targets: readonly string[] = prometheus.scrape_configs[0].static_configs[0].targets;
    const admin = processes.map(([name, service]) => `${name}:${flagOf(service, "admin-port")}`);
    expect([...targets].sort()).toEqual(admin.sort());
    expect(services.prometheus?.volumes).toContain("../helm/drover/files/rules:/etc/prometheus/rules:ro");
    expect(prometheus.rule_files).toEqual(["/etc/prometheus/rules/*.yaml"]);
    expect(readdirSync(join(ROOT, "helm", "drover", "files", "rules")).length).toBeGreaterThan(0);
  });

  test("has Grafana find the dashboards where they are mounted", () => {
    const { providers } = read(join(ROOT, "deploy", "compose", "grafana", "dashboards.yaml"));
    const path: string = providers[0].options.path;
    expect(services.grafana?.volumes).toContain(`../helm/drover/files/dashboards:${path}:ro`);
    const home = services.grafana?.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH ?? "";
    expect(dirname(home)).toBe(path);
    expect(existsSync(home.replace(path, join(ROOT, "helm", "drover", "files", "dashboards")))).toBe(true);
  });

  test("mounts only files of the repository and volumes that it declares", () => {
    const sources = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.map((each) => each.split(":")[0] ?? ""),
    );
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) {
      if (source.startsWith(".")) expect(existsSync(join(dirname(FILE), source))).toBe(true);
      else expect(Object.keys(volumes)).toContain(source);
    }
  });
});
