/** Where a Redis is that Sentinel watches: who to ask, for which name, and with which passwords. */
export type SentinelUrl = Readonly<{
  /** At least one. */
  sentinels: readonly Readonly<{ host: string; port: number }>[];
  /** What the sentinels call the primary. */
  name: string;
  /** Database index. */
  db: number;
  username: string | undefined;
  password: string | undefined;
  /** Whether Redis is spoken to by TLS. */
  tls: boolean;
  sentinelUsername: string | undefined;
  sentinelPassword: string | undefined;
  sentinelTls: boolean;
}>;

/** Of a sentinel, where none is named. */
const SENTINEL_PORT = 26_379;

const FORM =
  /^(?<scheme>rediss?)\+sentinel:\/\/(?:(?<login>[^@\s/?#]*)@)?(?<hosts>[^@\s/?#]+)\/(?<name>[^\s/?#]+)(?:\/(?<db>\d{1,5}))?(?:\?(?<query>[^\s#]*))?$/;
const HOST = /^(?:\[(?<bare>[0-9A-Fa-f:.]+)\]|(?<host>[^[\]:]+))(?::(?<port>\d{1,5}))?$/;
const SETTINGS = new Set(["sentinel_username", "sentinel_password", "sentinel_tls"]);

/**
 * Reads `redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/NAME[/DB]`, with `rediss` for TLS. User and password are Redis's; the
 * sentinels' own follow as `?sentinel_username=…&sentinel_password=…`, and `sentinel_tls=on|off` where they differ from Redis in that. What has
 * another meaning in a URL is percent-encoded. Undefined for a text that is none.
 */
export function parseSentinelUrl(text: string): SentinelUrl | undefined {
  const groups = FORM.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const { scheme, login = "", hosts = "", db = "0", query = "" } = groups;
  const sentinels = hosts.split(",").map(sentinelOf);
  const settings = settingsOf(query);
  const colon = login.includes(":") ? login.indexOf(":") : login.length;
  const [name, user, secret] = [
    decode(groups.name ?? ""),
    decode(login.slice(0, colon)),
    decode(login.slice(colon + 1)),
  ];
  if (settings === undefined || sentinels.includes(undefined)) return undefined;
  if (name === undefined || user === undefined || secret === undefined) return undefined;
  const tls = scheme === "rediss";
  const sentinelTls = settings.get("sentinel_tls");
  if (sentinelTls !== undefined && sentinelTls !== "on" && sentinelTls !== "off") return undefined;
  return {
    sentinels: sentinels.filter((one) => one !== undefined),
    name,
    db: Number(db),
    username: user || undefined,
    password: secret || undefined,
    tls,
    sentinelUsername: settings.get("sentinel_username") || undefined,
    sentinelPassword: settings.get("sentinel_password") || undefined,
    sentinelTls: sentinelTls === undefined ? tls : sentinelTls === "on",
  };
}

function sentinelOf(text: string): Readonly<{ host: string; port: number }> | undefined {
  const { bare, host = bare, port: named } = HOST.exec(text)?.groups ?? {};
  const port = named === undefined ? SENTINEL_PORT : Number(named);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

/** What a query sets, each once; undefined where it sets anything else. */
function settingsOf(query: string): ReadonlyMap<string, string> | undefined {
  const settings = new Map<string, string>();
  for (const pair of query.split("&").filter(Boolean)) {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, Math.max(0, equals));
    const value = decode(pair.slice(equals + 1));
    if (!SETTINGS.has(key) || settings.has(key) || value === undefined) return undefined;
    settings.set(key, value);
  }
  return settings;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
