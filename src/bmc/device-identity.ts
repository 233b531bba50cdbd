import type { PublicCertificate } from './network.ts'

/** By what a device shows that it is itself. */
export interface DeviceIdentity {
  readonly certificate: PublicCertificate
  /** PEM: shown to nobody. */
  readonly privateKey: string
}
