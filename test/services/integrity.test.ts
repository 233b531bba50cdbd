import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { findComponent } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { machineNames } from '../../src/bmc/mockup-folder.ts'
import type { ComponentState } from '../../src/bmc/state.ts'
import { type JsonObject, linkUris } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { failOver } from '../support/banks.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { validateBody } from '../support/schemas.ts'
import { reset, update } from '../support/updates.ts'

const FACTORY = '2025-11-03T08:00:00Z'
const NIC = uris.componentIntegrity('NIC-1')
const BIOS = uris.componentIntegrity('BIOS')
const BMC = uris.componentIntegrity('BMC')
const ROOT_OF_TRUST = uris.trustedComponent(uris.chassisMember('1'), 'BMC-RoT')

interface Integrity extends JsonObject {
  readonly LastUpdated: string | null
  readonly TargetComponentURI: string
  readonly Status: { readonly State: string; readonly Health: string }
  readonly SPDM?: { readonly MeasurementSet?: Found<SpdmMeasurement> }
  readonly TPM?: { readonly MeasurementSet?: Found<{ readonly PCR: number; readonly Measurement: string }> }
}

interface Found<T> extends JsonObject {
  readonly MeasurementSummary: string
  readonly Measurements: readonly (T & JsonObject)[]
}

interface SpdmMeasurement {
  readonly MeasurementType: string
  readonly Measurement: string
  readonly SecurityVersionNumber?: string
}

async function integrity({ get }: TestEmulator, uri: string): Promise<Integrity> {
  const body = await get(uri)
  expect(validateBody(body)).toEqual([])
  return body as Integrity
}

/** What an SPDM root of trust found, by its kind. */
async function found(emulator: TestEmulator, uri: string): Promise<Readonly<Record<string, string>>> {
  const { SPDM } = await integrity(emulator, uri)
  const all = SPDM?.MeasurementSet?.Measurements ?? []
  return Object.fromEntries(all.map(({ MeasurementType, Measurement }) => [MeasurementType, Measurement]))
}

const digest = (data: string | Uint8Array): Buffer => createHash('sha256').update(data).digest()

/** What became of the last update of a component. */
async function last({ get }: TestEmulator, id: string) {
  const { Versions } = await get(uris.firmwareHistory(id))
  const entry = (Versions as readonly { ImageSHA256?: string; ActivatedTime?: string }[]).at(-1)
  return { sha256: Buffer.from(entry?.ImageSHA256 ?? '', 'hex'), time: entry?.ActivatedTime }
}

function become({ bmc }: TestEmulator, id: string, members: Partial<ComponentState>): void {
  const component = findComponent(bmc, id)
  if (component === undefined) throw new Error(`no ${id}`)
  commit(bmc, { components: [[id, { ...component.now, ...members }]] })
}

describe.each(machineNames)('%s', (machine) => {
  test('has measured what it left the factory with, and links each measurement and its root of trust both ways', async () => {
    const emulator = await startEmulator({ machine })
    const { ComponentIntegrity } = await emulator.get(`${uris.root}/`)
    expect(ComponentIntegrity).toEqual({ '@odata.id': uris.componentIntegrities })
    const members = linkUris((await emulator.get(uris.componentIntegrities))['Members'])
    expect(members.length).toBeGreaterThan(3)
    const seen = new Set<unknown>()
    for (const uri of members) {
      const { TargetComponentURI, LastUpdated, SPDM, TPM, Status } = await integrity(emulator, uri)
      expect({ LastUpdated, Status }).toEqual({
        LastUpdated: FACTORY,
        Status: { State: 'Enabled', Health: 'OK' },
      })
      const [first] = (SPDM ?? TPM)?.MeasurementSet?.Measurements ?? []
      seen.add(first?.Measurement)
      const trusted = await emulator.get(TargetComponentURI)
      expect(validateBody(trusted)).toEqual([])
      expect(trusted).toMatchObject({ Links: { ComponentIntegrity: [{ '@odata.id': uri }] } })
    }
    // Nothing measures as anything else does, but for what is the same firmware.
    const measured = [...emulator.bmc.machine.components.values()].filter(
      ({ behaviour }) => behaviour.measuredBy,
    )
    const images = measured.map(({ softwareId, factory }) => `${softwareId} ${factory.version}`)
    expect(seen).not.toContain(undefined)
    expect(seen.size).toBe(new Set(images.filter((_, at) => measured[at]?.factory.state === 'Enabled')).size)
  })
})

describe('what an SPDM root of trust measures', () => {
  test('is the digest of the bytes that an update brought, from when they ran', async () => {
    const emulator = await startEmulator()
    const before = await found(emulator, NIC)
    await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
    const { sha256, time } = await last(emulator, 'NIC-1')
    const { LastUpdated, SPDM } = await integrity(emulator, NIC)
    expect(LastUpdated).toBe(time)
    const svn = Buffer.alloc(8)
    expect(SPDM?.MeasurementSet?.Measurements).toMatchObject([
      { MeasurementIndex: 1, MeasurementType: 'MutableFirmware', Measurement: sha256.toString('base64') },
      { MeasurementType: 'MutableFirmwareVersion', Measurement: digest('22.42.1').toString('base64') },
      {
        MeasurementType: 'MutableFirmwareSecurityVersionNumber',
        Measurement: digest(svn).toString('base64'),
        SecurityVersionNumber: '0000000000000000',
      },
    ])
    expect(SPDM?.MeasurementSet?.Measurements.map((one) => one['LastUpdated'])).toEqual([time, time, time])
    expect(before['MutableFirmware']).not.toBe(sha256.toString('base64'))
    expect(await emulator.get(uris.trustedComponent(uris.chassisMember('1'), 'NIC-1-RoT'))).toMatchObject({
      FirmwareVersion: '22.42.1',
    })
  })

  test('is summed up over the blocks of a MEASUREMENTS response', async () => {
    const emulator = await startEmulator()
    const { SPDM } = await integrity(emulator, NIC)
    const firmware = Buffer.from((await found(emulator, NIC))['MutableFirmware'] ?? '', 'base64')
    const version = Buffer.from('22.41.1000')
    const blocks = Buffer.concat([
      Buffer.from([1, 1, 35, 0, 0x01, 32, 0]),
      firmware,
      Buffer.from([2, 1, 13, 0, 0x86, 10, 0]),
      version,
      Buffer.from([3, 1, 11, 0, 0x87, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ])
    expect(SPDM?.MeasurementSet?.MeasurementSummary).toBe(digest(blocks).toString('base64'))
  })

  test('changes in the very commit in which the version does', async () => {
    const emulator = await startEmulator()
    const view = (uri: string) =>
      emulator.app.rows
        .find(
          ({ path }) => path === uris.componentIntegrity(':id') && uri.startsWith(uris.componentIntegrities),
        )
        ?.view(emulator.bmc, { id: 'NIC-1' })
    const seen: string[] = []
    emulator.bmc.listeners.add(() => {
      const version = findComponent(emulator.bmc, 'NIC-1')?.now.version
      seen.push(`${version} ${JSON.stringify(view(NIC)?.['SPDM'])}`)
    })
    await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
    // One for each version, and nothing in between.
    expect(new Set(seen).size).toBe(2)
  })

  test('has the security version of the image', async () => {
    const emulator = await startEmulator()
    become(emulator, 'NIC-1', { securityVersion: 258 })
    const { SPDM } = await integrity(emulator, NIC)
    const [, , third] = SPDM?.MeasurementSet?.Measurements ?? []
    expect(third).toMatchObject({
      SecurityVersionNumber: '0000000000000102',
      Measurement: digest(Buffer.from([2, 1, 0, 0, 0, 0, 0, 0])).toString('base64'),
    })
  })

  test('is of the image that the manager chose to run', async () => {
    const emulator = await startEmulator()
    const before = await found(emulator, BMC)
    await failOver(emulator, uris.manager('1'))
    const backup = findComponent(emulator.bmc, 'BMC-Backup')?.now.version ?? ''
    const after = await found(emulator, BMC)
    expect(after['MutableFirmwareVersion']).toBe(digest(backup).toString('base64'))
    expect(after['MutableFirmware']).not.toBe(before['MutableFirmware'])
    expect(await emulator.get(ROOT_OF_TRUST)).toMatchObject({
      FirmwareVersion: backup,
      Links: {
        ActiveSoftwareImage: { '@odata.id': uris.firmware('BMC-Backup') },
        SoftwareImages: [
          { '@odata.id': uris.firmware('BMC-Primary') },
          { '@odata.id': uris.firmware('BMC-Backup') },
        ],
      },
    })
  })

  test('is nothing while nothing runs that could answer', async () => {
    const emulator = await startEmulator()
    become(emulator, 'NIC-1', { health: 'Critical' })
    const { SPDM, Status } = await integrity(emulator, NIC)
    expect(SPDM).toMatchObject({ Requester: { '@odata.id': uris.manager('1') } })
    expect(SPDM).not.toHaveProperty('MeasurementSet')
    expect(Status.Health).toBe('Critical')
  })

  test('is shown with the images that stand by', async () => {
    const emulator = await startEmulator()
    await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }), { Stage: true })
    expect(await emulator.get(uris.trustedComponent(uris.chassisMember('1'), 'NIC-1-RoT'))).toMatchObject({
      Links: {
        ActiveSoftwareImage: { '@odata.id': uris.firmware('NIC-1') },
        SoftwareImages: [
          { '@odata.id': uris.firmware('NIC-1') },
          { '@odata.id': uris.firmware('NIC-1-22.42.1') },
        ],
        'SoftwareImages@odata.count': 2,
      },
    })
  })
})

describe('what a TPM measures', () => {
  test('extends its first register when the host boots the new firmware, and not before', async () => {
    const emulator = await startEmulator()
    const register = async () => (await integrity(emulator, BIOS)).TPM?.MeasurementSet?.Measurements
    const factory = await register()
    await update(emulator, await bundleOf({ BIOS: '1.9.0' }))
    expect(await register()).toEqual(factory)
    await reset(emulator, uris.system('1'), 'ForceRestart')
    await emulator.clock.advance(120_000)
    const { sha256, time } = await last(emulator, 'BIOS')
    const Measurement = digest(Buffer.concat([Buffer.alloc(32), sha256])).toString('base64')
    expect(await register()).toEqual([
      { PCR: 0, Measurement, MeasurementHashAlgorithm: 'TPM_ALG_SHA256', LastUpdated: time },
    ])
  })

  test('is another image where a damaged one fell back to its recovery', async () => {
    const emulator = await startEmulator({ machine: 'bladed' })
    const uri = uris.componentIntegrity('Blade1-BIOS')
    const before = await integrity(emulator, uri)
    become(emulator, 'Blade1-BIOS', { health: 'Warning', version: '1.2.0' })
    const after = await integrity(emulator, uri)
    expect(after.TPM?.MeasurementSet?.Measurements[0]?.Measurement).not.toBe(
      before.TPM?.MeasurementSet?.Measurements[0]?.Measurement,
    )
    // Since when, nobody knows.
    expect(after).toMatchObject({ LastUpdated: null, Status: { Health: 'Warning' } })
  })
})

describe('a client that forbids the protocol', () => {
  const forbid = ({ send }: TestEmulator, ComponentIntegrityEnabled: boolean, user = 'admin') =>
    send(NIC, { method: 'PATCH', body: { ComponentIntegrityEnabled }, user })

  test('sees nothing of what it would tell until it is allowed again', async () => {
    const emulator = await startEmulator()
    const before = await integrity(emulator, NIC)
    expect((await forbid(emulator, false)).status).toBe(200)
    const { SPDM, ComponentIntegrityTypeVersion } = await integrity(emulator, NIC)
    expect({ SPDM, ComponentIntegrityTypeVersion }).toEqual({ ComponentIntegrityTypeVersion: '' })
    expect((await forbid(emulator, true)).status).toBe(200)
    const { '@odata.etag': _before, ...same } = before
    expect(await integrity(emulator, NIC)).toMatchObject(same)
  })

  test('needs the privilege of the registry', async () => {
    const emulator = await startEmulator()
    expect((await forbid(emulator, false, 'reader')).status).toBe(403)
    expect((await integrity(emulator, NIC)).SPDM).toBeDefined()
  })
})
