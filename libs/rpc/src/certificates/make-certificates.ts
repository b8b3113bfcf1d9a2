import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { CERTIFICATE_EARLY_MS } from "../limits.ts";
import type { CertificateTexts } from "./certificates.ts";
import { bits, context, integer, objectId, octets, sequence, set, text, time, yes } from "./der.ts";

export type CertificatesOrder = Readonly<{
  /** Whom the certificate names: DNS names and IP addresses. */
  names: readonly string[];
  /** Its first moment, Unix milliseconds, and how long it is good for. */
  nowMs: number;
  validMs: number;
}>;

const ID = {
  ecdsaSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  alternativeNames: "2.5.29.17",
  subjectKey: "2.5.29.14",
  authorityKey: "2.5.29.35",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/**
 * A certificate with its key, P-256, and the authority that made it, whose own key is forgotten: nobody can make another one of it. All three in
 * PEM. Source: RFC 5280.
 */
export function makeCertificates({ names, nowMs, validMs }: CertificatesOrder): CertificateTexts {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { name: "Drover's authority for one certificate", key: authority.privateKey };
  const dates = sequence(time(nowMs - CERTIFICATE_EARLY_MS), time(nowMs + validMs));
  const authorityKey = keyId(authority.publicKey);
  const ca = certificate(issuer, issuer.name, authority.publicKey, dates, [
    extension(ID.basicConstraints, sequence(yes(), integer(Buffer.from([0]))), true),
    // keyCertSign, and no more.
    extension(ID.keyUsage, bits(Buffer.from([0x04]), 2), true),
    extension(ID.subjectKey, octets(authorityKey)),
  ]);
  const leaf = certificate(issuer, names[0] ?? "", own.publicKey, dates, [
    extension(ID.basicConstraints, sequence(), true),
    // digitalSignature.
    extension(ID.keyUsage, bits(Buffer.from([0x80]), 7), true),
    extension(ID.extendedKeyUsage, sequence(objectId(ID.serverAuth), objectId(ID.clientAuth))),
    extension(ID.alternativeNames, sequence(...names.map(alternativeName))),
    extension(ID.subjectKey, octets(keyId(own.publicKey))),
    extension(ID.authorityKey, sequence(context(0, false, authorityKey))),
  ]);
  const key = own.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { certificate: pem(leaf), key, ca: pem(ca) };
}

function certificate(
  issuer: Readonly<{ name: string; key: KeyObject }>,
  subject: string,
  publicKey: KeyObject,
  dates: Buffer,
  extensions: readonly Buffer[],
): Buffer {
  const algorithm = sequence(objectId(ID.ecdsaSha256));
  const version3 = context(0, true, integer(Buffer.from([2])));
  // Positive, and without a zero to begin with.
  const serial = Buffer.concat([Buffer.from([0x4d]), randomBytes(15)]);
  const body = sequence(
    version3,
    integer(serial),
    algorithm,
    nameOf(issuer.name),
    dates,
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    context(3, true, sequence(...extensions)),
  );
  return sequence(body, algorithm, bits(sign("sha256", body, issuer.key)));
}

const nameOf = (name: string): Buffer => sequence(set(sequence(objectId(ID.commonName), text(name.slice(0, 64)))));

const extension = (id: string, value: Buffer, critical = false): Buffer =>
  sequence(objectId(id), ...(critical ? [yes()] : []), octets(value));

const keyId = (key: KeyObject): Buffer =>
  createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest()
    .subarray(0, 20);

/** dNSName or iPAddress. */
function alternativeName(name: string): Buffer {
  const version = isIP(name);
  if (version === 0) return context(2, false, Buffer.from(name));
  return context(7, false, version === 4 ? Buffer.from(name.split(".").map(Number)) : bytesOfV6(name));
}

function bytesOfV6(address: string): Buffer {
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined) => (part ? part.split(":") : []);
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join(""), "hex");
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
