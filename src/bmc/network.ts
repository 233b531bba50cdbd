/** The network services of the manager that serves Redfish (ManagerNetworkProtocol). */
export interface Network {
  /** `undefined`: not served. */
  readonly httpPort: number | undefined
  readonly httpsPort: number | undefined
  readonly ssdpEnabled: boolean
  readonly ntpEnabled: boolean
  readonly ntpServers: readonly string[]
  /** The certificate of HTTPS; `undefined` until somebody needed one. */
  readonly certificate: PublicCertificate | undefined
}

/** A certificate without its key. */
export interface PublicCertificate {
  /** PEM: the certificate itself, then those that it was issued by. */
  readonly chain: readonly string[]
  readonly subject: DistinguishedName
  readonly issuer: DistinguishedName
  readonly alternativeNames: readonly string[]
  readonly serialNumber: string
  readonly fingerprint: string
  readonly validFrom: number
  readonly validTo: number
  readonly signatureAlgorithm: string | undefined
  /** What its key may be used for, as object identifiers. */
  readonly usages: readonly string[]
}

/** Attributes by their short names: CN, O, OU, L, ST, C, DC, emailAddress. */
export type DistinguishedName = ReadonlyMap<string, readonly string[]>

/** Ports are known once somebody listens. */
export const factoryNetwork: Network = {
  httpPort: undefined,
  httpsPort: undefined,
  ssdpEnabled: false,
  ntpEnabled: false,
  ntpServers: ['ntp1.lab.example', 'ntp2.lab.example'],
  certificate: undefined,
}
