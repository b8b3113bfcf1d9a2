/** By what queue and workers share themselves among tenants, as their router says it. Absent: nobody is told apart. */
export type TenantShare = Readonly<{
  tenant?: Readonly<{
    name: string;
    /** Its part beside others of its priority. */
    weight: number;
    /** All of a higher one goes before any of a lower one. */
    priority: "high" | "normal" | "low";
    /** Cached prefixes are found again by those of the same salt. */
    cacheSalt: string;
  }>;
}>;
