import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { at, silentLogger, toDroverError } from "@drover/core";
import { certificateFilesIn, readSmallFile, watchCertificates } from "@drover/process";
import { certificatesOf } from "@drover/rpc";
import { type Finding, Findings } from "./finding.ts";
import { CERTIFICATE_LEFT_MS_WARN } from "./limits.ts";

const DAY_MS = 86_400_000;

type Named = Readonly<{
  clusterTls: string | undefined;
  tlsCertificateFile: string | undefined;
  /** A router's address, whose host the router's certificate should name. */
  url: string | undefined;
}>;

/** Looks at the certificates that are named: how long they are good for, whom they name, and whether a process would take them. */
export async function checkCertificates(
  { clusterTls, tlsCertificateFile, url }: Named,
  nowMs: number,
): Promise<readonly Finding[]> {
  const all: Finding[] = [];
  if (clusterTls !== undefined) all.push(...(await checkOfCluster(clusterTls, nowMs)));
  if (tlsCertificateFile !== undefined) all.push(...(await checkOfDoor(tlsCertificateFile, url, nowMs)));
  return all;
}

async function checkOfCluster(folder: string, nowMs: number): Promise<readonly Finding[]> {
  const findings = new Findings(`certificates ${folder}`);
  const files = certificateFilesIn(folder);
  try {
    using watched = await watchCertificates(files, { setting: "cluster-tls", logger: silentLogger });
    const { name, texts } = watched.certificates;
    findings.ok("usable", `its key fits, it is its authority's, and members know it as ${name}`);
    judgeDates(findings, "certificate", at(certificatesOf(texts.certificate, "it"), 0), nowMs);
    for (const ca of certificatesOf(await readSmallFile(files.ca, "cluster-tls"), "it"))
      judgeDates(findings, "authority", ca, nowMs);
  } catch (error) {
    const { message } = toDroverError(error);
    findings.fail("usable", message, "Make new ones: drover certificates --out DIR, or those of your authority.");
  }
  return findings.all;
}

async function checkOfDoor(file: string, url: string | undefined, nowMs: number): Promise<readonly Finding[]> {
  const findings = new Findings(`certificate ${file}`);
  try {
    const text = await readSmallFile(file, "tls-certificate-file");
    const certificate = at(certificatesOf(text, file), 0);
    judgeDates(findings, "certificate", certificate, nowMs);
    if (url !== undefined) judgeHost(findings, certificate, new URL(url).hostname.replace(/^\[|\]$/g, ""));
  } catch (error) {
    findings.fail("usable", toDroverError(error).message, "Name a certificate in PEM.");
  }
  return findings.all;
}

function judgeDates(findings: Findings, check: string, { validFrom, validTo }: X509Certificate, nowMs: number): void {
  const advice = "Renew it: processes take new files without a restart.";
  const leftMs = Date.parse(validTo) - nowMs;
  if (nowMs < Date.parse(validFrom))
    findings.fail(check, `good only from ${validFrom}`, "Set this machine's clock, or wait.");
  else if (leftMs < 0) findings.fail(check, `was good until ${validTo}`, advice);
  else if (leftMs < CERTIFICATE_LEFT_MS_WARN)
    findings.warn(check, `good for ${Math.floor(leftMs / DAY_MS)} more days, until ${validTo}`, advice);
  else findings.ok(check, `good until ${validTo}`);
}

function judgeHost(findings: Findings, certificate: X509Certificate, host: string): void {
  const named = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  if (named !== undefined) findings.ok("names", host);
  else
    findings.fail(
      "names",
      `${host} is not among ${certificate.subjectAltName ?? "none"}`,
      "Have it made for the name that clients use.",
    );
}
