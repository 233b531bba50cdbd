import type { Bmc } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { DeviceIdentity } from '../../bmc/device-identity.ts'
import { certificateOf } from '../../bmc/read-certificate.ts'
import type { Clock } from '../../lib/clock.ts'
import { ofEach } from '../../lib/of-each.ts'
import { lastSegment } from '../../redfish/uris.ts'

/** The keys of those that measure, with their certificates: each is made when somebody first asks for it. */
export class DeviceIdentities {
  readonly #clock: Clock
  readonly #made = ofEach<Bmc, Map<string, Promise<DeviceIdentity>>>(() => new Map())

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** That of the responder whose ComponentIntegrity this is. */
  of(bmc: Bmc, uri: string): Promise<DeviceIdentity> {
    const made = this.#made(bmc)
    const known = made.get(uri) ?? this.#clock.io(this.#make(bmc, uri))
    made.set(uri, known)
    return known
  }

  async #make(bmc: Bmc, uri: string): Promise<DeviceIdentity> {
    // Most runs never load what makes it.
    const { makeCertificate, RESPONDER_AUTH } = await import('../../http/certificate.ts')
    const { cert, key } = await makeCertificate([lastSegment(uri)], this.#clock, RESPONDER_AUTH)
    const identity = { certificate: certificateOf(cert), privateKey: key }
    commit(bmc, { deviceIdentities: [[uri, identity]] })
    return identity
  }
}
