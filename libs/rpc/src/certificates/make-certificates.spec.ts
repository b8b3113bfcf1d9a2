import { X509Certificate } from "node:crypto";
import { expect, it } from "vitest";
import { makeCertificates } from "./make-certificates.ts";

const DAY_MS = 86_400_000;
const nowMs = Date.UTC(2030, 0, 1);

it("a made certificate is its authority's, names whom it should, and is good for the time that was asked", () => {
  const names = ["drover.internal", "10.1.2.3", "fd00::1:2"];
  const made = makeCertificates({ names, nowMs, validMs: 30 * DAY_MS });
  const [leaf, ca] = [new X509Certificate(made.certificate), new X509Certificate(made.ca ?? "")];
  expect(leaf.verify(ca.publicKey)).toBe(true);
  expect(leaf.checkIssued(ca)).toBe(true);
  expect([ca.ca, leaf.ca]).toEqual([true, false]);
  expect(leaf.checkHost("drover.internal")).toBe("drover.internal");
  expect(leaf.checkHost("other.internal")).toBeUndefined();
  expect([leaf.checkIP("10.1.2.3"), leaf.checkIP("fd00::1:2")]).toEqual(["10.1.2.3", "fd00::1:2"]);
  expect(Date.parse(leaf.validTo)).toBe(nowMs + 30 * DAY_MS);
  expect(Date.parse(leaf.validFrom)).toBeLessThan(nowMs);
});

it("no two are alike", () => {
  const make = () => makeCertificates({ names: ["a"], nowMs, validMs: DAY_MS });
  const [one, other] = [make(), make()];
  expect(new X509Certificate(one.certificate).serialNumber).not.toBe(
    new X509Certificate(other.certificate).serialNumber,
  );
  expect(new X509Certificate(one.certificate).verify(new X509Certificate(other.ca ?? "").publicKey)).toBe(false);
});
