import { X509Certificate } from 'node:crypto'
import type { ConnectionOptions } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../../src/http/certificate.ts'
import { createEmulator } from '../../src/index.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { ask, type FleetWire, problemOf, shownTo, startFleet } from '../support/fleet-wire.ts'
import { temporaryFolder } from '../support/wire.ts'

const root = `${uris.root}/`
const certificate = uris.httpsCertificate(uris.manager('1'))

/** Where a TLS client finds the BMC in this place. */
function placeOf(wire: FleetWire, slot: number): ConnectionOptions {
  const { hostname, port } = new URL(wire.at(slot, 'https'))
  return { host: hostname, port: Number(port) }
}

const fingerprintOf = async (wire: FleetWire, slot: number, servername?: string): Promise<string> =>
  (await shownTo({ ...placeOf(wire, slot), ...(servername !== undefined && { servername }) })).fingerprint256

/** Who certified what is shown at this place, as PEM. */
async function authorityOf(wire: FleetWire, slot: number): Promise<string> {
  const { issuerCertificate } = await shownTo(placeOf(wire, slot))
  return new X509Certificate(issuerCertificate.raw).toString()
}

describe('the certificates of a fleet', () => {
  test('are trusted by who got their authority at the control port, before anybody came', async () => {
    const emulator = await createEmulator({ bmcs: 2, controlPort: 0, spool: await temporaryFolder() })
    onTestFinished(() => emulator.close())
    const ca = await (await fetch(`${emulator.controlUrl}/ca.pem`)).text()
    for (const { httpsUrl } of emulator.bmcs.flatMap((bmc) => emulator.urlsOf(bmc)))
      expect(await problemOf({ url: httpsUrl + root, ca })).toBe(200)
  })

  test('are one for each BMC, of its address and its name, and one authority certifies them all', async () => {
    const wire = await startFleet(2)
    const shown = await Promise.all([0, 1].map((slot) => shownTo(placeOf(wire, slot))))
    const [first, second] = shown.map(({ raw }) => new X509Certificate(raw))
    for (const [slot, one] of [first, second].entries()) {
      expect(one?.checkIP(`127.1.0.${slot + 1}`)).toBe(`127.1.0.${slot + 1}`)
      expect(one?.checkHost(wire.bmc(slot).id)).toBe(wire.bmc(slot).id)
      expect(one?.ca).toBe(false)
    }
    expect(first?.checkIP('127.1.0.2')).toBeUndefined()
    expect(first?.serialNumber).not.toBe(second?.serialNumber)
    expect(new Set(shown.map(({ issuerCertificate }) => issuerCertificate.fingerprint256)).size).toBe(1)
    expect(first?.publicKey.equals(second?.publicKey ?? first.publicKey)).toBe(true)
    const authority = new X509Certificate(shown[0]?.issuerCertificate.raw ?? '')
    expect(authority.ca).toBe(true)
    expect(second?.verify(authority.publicKey)).toBe(true)
    expect(authority.publicKey.equals(first?.publicKey ?? authority.publicKey)).toBe(false)
  })

  test('are trusted at every address by who trusts their authority, and by nobody else', async () => {
    const wire = await startFleet(3)
    const ca = await authorityOf(wire, 0)
    for (const slot of [0, 1, 2])
      expect(await problemOf({ url: wire.at(slot, 'https') + root, ca })).toBe(200)
    const other = await startFleet(1)
    expect(await problemOf({ url: other.at(0, 'https') + root, ca })).toBe('SELF_SIGNED_CERT_IN_CHAIN')
  })

  test('are trusted by name, whatever address the name leads to', async () => {
    const wire = await startFleet(2, ['name'])
    const { port } = new URL(wire.at(0, 'https'))
    const ca = new X509Certificate(
      (await shownTo({ host: '127.0.0.1', port: Number(port) })).issuerCertificate.raw,
    ).toString()
    const url = `https://127.0.0.1:${port}${root}`
    const host = wire.bmc(1).id
    expect(await problemOf({ url, ca, host })).toBe(200)
    expect(await problemOf({ url, ca })).toBe(421)
    expect(await problemOf({ url, ca, servername: host })).toBe(200)
  })

  test('stay the same for whoever comes again, and are what the resource shows', async () => {
    const wire = await startFleet(2)
    const before = await fingerprintOf(wire, 1)
    await fingerprintOf(wire, 0)
    expect(await fingerprintOf(wire, 1)).toBe(before)
    const { json } = await ask({ url: wire.at(1) + certificate })
    expect(json['Fingerprint']).toBe(before)
  })

  test('are still the same after a restart, and trusted by who trusts their authority, also where nobody came before', async () => {
    const data = await temporaryFolder()
    const before = await startFleet(2, ['address'], data)
    const [ca, shown] = [await authorityOf(before, 0), await fingerprintOf(before, 0)]
    await before.close()
    const after = await startFleet(2, ['address'], data)
    expect(await fingerprintOf(after, 0)).toBe(shown)
    expect(await authorityOf(after, 1)).toBe(ca)
    for (const slot of [0, 1]) expect(await problemOf({ url: after.at(slot, 'https') + root, ca })).toBe(200)
  })

  test('are replaced for one BMC, and for nobody else', async () => {
    const wire = await startFleet(2, ['address', 'name'])
    const before = await fingerprintOf(wire, 0)
    const { cert, key } = await makeCertificate(['replaced.example'], systemClock)
    const body = JSON.stringify({
      CertificateUri: { '@odata.id': certificate },
      CertificateString: `${cert}${key}`,
      CertificateType: 'PEM',
    })
    const url = wire.at(1) + uris.action(uris.certificateService, 'CertificateService.ReplaceCertificate')
    expect(await problemOf({ url, method: 'POST', body })).toBe(204)
    const replaced = new X509Certificate(cert).fingerprint256
    expect(await fingerprintOf(wire, 1)).toBe(replaced)
    expect(await fingerprintOf(wire, 0, wire.bmc(1).id)).toBe(replaced)
    expect(await fingerprintOf(wire, 0)).toBe(before)
    expect(await fingerprintOf(wire, 1, wire.bmc(0).id)).toBe(before)
  })
})
