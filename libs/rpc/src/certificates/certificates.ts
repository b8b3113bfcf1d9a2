import { createPrivateKey, X509Certificate } from "node:crypto";
import { at, type Clock, DroverError, systemClock } from "@drover/core";
import { type ChannelCredentials, experimental, type ServerCredentials } from "@grpc/grpc-js";
import { PEERS_KNOWN_MAX } from "../limits.ts";

/** In PEM. */
export type CertificateTexts = Readonly<{
  /** A process's own certificate, and after it those between it and its authority. */
  certificate: string;
  key: string;
  /** Who makes its peers' certificates; absent where peers have none, as clients at the door. */
  ca?: string | undefined;
}>;

type Read = Readonly<{ texts: CertificateTexts; leaf: X509Certificate; names: readonly string[] }>;

/**
 * A process's certificate and key, and the authority of its peers, which are replaced without a restart: connections that are made from then on are
 * made with the new ones.
 *
 * A peer is known by a certificate of that authority which shares a DNS name with the own one: an authority that serves a whole company makes
 * nobody a member.
 */
export class Certificates implements experimental.CertificateProvider {
  readonly #clock: Clock;
  #read: Read;
  /** Whether a peer, by its certificate's fingerprint, is known. */
  readonly #known = new Map<string, boolean>();
  readonly #listeners = new Set<() => void>();
  readonly #caListeners = new Map<experimental.CaCertificateUpdateListener, () => void>();
  readonly #ownListeners = new Map<experimental.IdentityCertificateUpdateListener, () => void>();
  #channels: ChannelCredentials | undefined;

  /** Errors: those of `replace`. */
  constructor(texts: CertificateTexts, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#read = readTexts(texts, clock);
  }

  /**
   * Uses others from now on. Errors: `invalid_argument` for what is no certificate or key, or do not belong together, or whose time is not now;
   * then those before stay in use.
   */
  replace(texts: CertificateTexts): void {
    this.#read = readTexts(texts, this.#clock);
    this.#known.clear();
    for (const tell of this.#listeners) tell();
  }

  get texts(): CertificateTexts {
    return this.#read.texts;
  }

  /** By which peers know each other: the first of the certificate's DNS names; undefined where it has none. */
  get name(): string | undefined {
    return this.#read.names[0];
  }

  /** Calls back at each change until it is disposed. */
  onChange(tell: () => void): Disposable {
    this.#listeners.add(tell);
    return { [Symbol.dispose]: () => void this.#listeners.delete(tell) };
  }

  /** For servers: with an authority, who has no certificate of it is not even connected. */
  get forServers(): ServerCredentials {
    const isMutual = this.texts.ca !== undefined;
    return experimental.createCertificateProviderServerCredentials(this, isMutual ? this : null, isMutual);
  }

  /** For connections to peers. */
  get forChannels(): ChannelCredentials {
    this.#channels ??= experimental.createCertificateProviderChannelCredentials(this, this, {
      checkServerIdentity: (_host, { raw }) =>
        this.isPeer(raw) ? undefined : new Error("the peer's certificate names nobody of this cluster"),
    });
    return this.#channels;
  }

  /** Whether a certificate, in DER, of the authority is a peer's. */
  isPeer(der: Uint8Array): boolean {
    const certificate = new X509Certificate(der);
    const known = this.#known.get(certificate.fingerprint256);
    if (known !== undefined) return known;
    const isPeer = this.#read.names.some(
      (name) => certificate.checkHost(name, { subject: "never", wildcards: false }) !== undefined,
    );
    if (this.#known.size >= PEERS_KNOWN_MAX) this.#known.clear();
    this.#known.set(certificate.fingerprint256, isPeer);
    return isPeer;
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    const tell = () => listener({ caCertificate: Buffer.from(this.texts.ca ?? "") });
    this.#listen(this.#caListeners, listener, tell);
  }

  removeCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#forget(this.#caListeners, listener);
  }

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    const bytes = () => ({
      certificate: Buffer.from(this.texts.certificate),
      privateKey: Buffer.from(this.texts.key),
    });
    this.#listen(this.#ownListeners, listener, () => listener(bytes()));
  }

  removeIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#forget(this.#ownListeners, listener);
  }

  #listen<L>(listeners: Map<L, () => void>, listener: L, tell: () => void): void {
    listeners.set(listener, tell);
    this.#listeners.add(tell);
    // grpc-js takes no word while it is asking for it.
    queueMicrotask(tell);
  }

  #forget<L>(listeners: Map<L, () => void>, listener: L): void {
    const tell = listeners.get(listener);
    if (tell !== undefined) this.#listeners.delete(tell);
    listeners.delete(listener);
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a text in PEM. Errors: `invalid_argument` where it has none, or one that cannot be read; `what` names it. */
export function certificatesOf(text: string, what: string): readonly X509Certificate[] {
  const parts = text.match(PEM_CERTIFICATE) ?? [];
  if (parts.length === 0) throw wrong(`${what} has no certificate in PEM`);
  return parts.map((part) => {
    try {
      return new X509Certificate(part);
    } catch (cause) {
      throw wrong(`${what} has a certificate that cannot be read`, cause);
    }
  });
}

function readTexts(texts: CertificateTexts, clock: Clock): Read {
  const [chain, what] = [certificatesOf(texts.certificate, "the certificate's file"), "the certificate"];
  const leaf = at(chain, 0);
  if (!leaf.checkPrivateKey(keyOf(texts.key))) throw wrong("the key is not the certificate's");
  const nowMs = clock.now();
  if (nowMs < Date.parse(leaf.validFrom)) throw wrong(`${what} is good only from ${leaf.validFrom}`);
  if (nowMs > Date.parse(leaf.validTo)) throw wrong(`${what} was good until ${leaf.validTo}`);
  const names = dnsNames(leaf);
  if (texts.ca !== undefined) {
    if (!isOf(chain, certificatesOf(texts.ca, "the authority's file"))) throw wrong(`${what} is not the authority's`);
    if (names.length === 0) throw wrong(`${what} has no DNS name by which others know it`);
  }
  return { texts, leaf, names };
}

function keyOf(text: string) {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw wrong("the key is none in PEM, or it has a passphrase", cause);
  }
}

/** Whether a chain leads to one of the authorities. */
function isOf(chain: readonly X509Certificate[], authorities: readonly X509Certificate[]): boolean {
  return chain.some((one, index) => {
    const before = chain.slice(0, index);
    const isLinked = before.every((link, at_) => link.verify((chain[at_ + 1] ?? one).publicKey));
    return isLinked && authorities.some((ca) => ca.fingerprint256 === one.fingerprint256 || one.verify(ca.publicKey));
  });
}

/** Plain ones: who is known by `*.example.com` is one of many. */
const dnsNames = ({ subjectAltName }: X509Certificate): readonly string[] =>
  (subjectAltName ?? "").split(", ").flatMap((entry) => /^DNS:([\w.-]+)$/.exec(entry)?.[1] ?? []);

const wrong = (message: string, cause?: unknown) => new DroverError("invalid_argument", message, { cause });
