import { expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { AUDIT_LOG, uris } from '../../src/redfish/uris.ts'
import { choose, imageFor, item, resetWhole, seen, updateAndReset } from '../support/banks.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateError } from '../support/schemas.ts'
import { LONG_MS, logged, update } from '../support/updates.ts'

const ENCLOSURE = uris.manager('EnclosureManager')
const OLD_ENCLOSURE = uris.firmware('EnclosureManager-4.2.0')

const activate = (emulator: TestEmulator, uri: string) =>
  emulator.send(uris.action(uri, 'SoftwareInventory.Activate'), { method: 'POST', body: {} })
const activateAll = (emulator: TestEmulator, ...Targets: readonly string[]) =>
  emulator.send(uris.action(uris.updateService, 'UpdateService.Activate'), {
    method: 'POST',
    body: { Targets: Targets.map((uri) => ({ '@odata.id': uri })) },
  })

test.each([
  ['bladed', 'EnclosureManager', ENCLOSURE, ['4.2.0', '4.3.0']],
  ['rackmount', 'BIOS', uris.system('1'), ['1.8.0', '1.9.0']],
] as const)(
  '%s: %s goes back to what it ran, and its history tells',
  async (machine, id, resource, [old, next]) => {
    const emulator = await startEmulator({ machine })
    await updateAndReset(emulator, id, next)
    const accepted = await activate(emulator, uris.firmware(`${id}-${old}`))
    expect(accepted.status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    expect(await item(emulator, id)).toBe(`${next} Enabled OK active`)
    await resetWhole(emulator, resource)
    expect(await item(emulator, id)).toBe(`${old} Enabled OK active`)
    expect(await item(emulator, `${id}-${next}`)).toBe(`${next} StandbySpare OK`)
    const { Versions } = await emulator.get(uris.firmwareHistory(id))
    expect(Versions).toMatchObject([
      { Version: old },
      { Version: next, Username: 'admin' },
      { Version: old, Username: 'admin' },
    ])
    const { Members } = await emulator.get(uris.logEntries(emulator.bmc.machine.manager, AUDIT_LOG))
    // What the factory put there has no digest that we know.
    const digests = JSON.stringify(Members).match(/SHA-256 \w+/g)
    expect(digests).toEqual([expect.stringMatching(/^SHA-256 [0-9a-f]{64}$/)])
  },
)

test('a choice of an image is history with who chose it, too', async () => {
  const emulator = await startEmulator({ machine: 'bladed' })
  await updateAndReset(emulator, 'EnclosureManager', '4.3.0')
  await choose(emulator, ENCLOSURE, OLD_ENCLOSURE)
  await resetWhole(emulator, ENCLOSURE)
  const { Versions } = await emulator.get(uris.firmwareHistory('EnclosureManager'))
  expect(Versions).toMatchObject([{}, { Version: '4.3.0' }, { Version: '4.2.0', Username: 'admin' }])
  expect((await logged(emulator)).at(-1)).toBe('UpdateSuccessful EnclosureManager')
})

test.each([
  ['bladed', 'EnclosureManager', '3.9.0'],
  ['rackmount', 'BIOS', '1.4.9'],
])('%s: %s never goes below its lowest supported version', async (machine, id, version) => {
  const emulator = await startEmulator({ machine })
  const facts = emulator.bmc.machine.components.get(id)
  if (facts === undefined) throw new Error(`no ${id}`)
  commit(emulator.bmc, { components: [[id, { ...facts.factory, version }]] })
  await updateAndReset(emulator, id, '99.0.0')
  const old = uris.firmware(`${id}-${version}`)
  for (const answer of [await activate(emulator, old), await activateAll(emulator, old)]) {
    expect([answer.status, messageKeys(answer.json)]).toEqual([400, ['UpdateSkippedVersionTooLow']])
    expect(validateError(answer.json)).toEqual([])
  }
  expect(await item(emulator, id)).toBe('99.0.0 Enabled OK active')
})

test('a component that is Critical activates nothing that stands by', async () => {
  const fail = { at: 'install' as const, versions: ['22.43.0'] }
  const emulator = await startEmulator({ devices: { 'NIC-1': { fail } } })
  await update(emulator, await imageFor(emulator, { 'NIC-1': '22.42.1' }), { Stage: true })
  await update(emulator, await imageFor(emulator, { 'NIC-1': '22.43.0' }))
  expect(await item(emulator, 'NIC-1')).toBe('22.41.1000 Enabled Critical active')
  const staged = uris.firmware('NIC-1-22.42.1')
  for (const answer of [await activate(emulator, staged), await activateAll(emulator, staged)])
    expect([answer.status, messageKeys(answer.json)]).toEqual([409, ['UpdateNotApplicable']])
  await update(emulator, await imageFor(emulator, { 'NIC-1': '22.44.0' }))
  expect(await item(emulator, 'NIC-1')).toBe('22.44.0 Enabled OK active')
})

test('a component that is write-protected activates nothing that stands by, until it is given free', async () => {
  const emulator = await startEmulator()
  await update(emulator, await imageFor(emulator, { 'NIC-1': '22.42.1' }), { Stage: true })
  const protect = (WriteProtected: boolean) =>
    emulator.send(uris.firmware('NIC-1'), { method: 'PATCH', body: { WriteProtected } })
  await protect(true)
  const staged = uris.firmware('NIC-1-22.42.1')
  for (const answer of [await activate(emulator, staged), await activateAll(emulator, staged)])
    expect([answer.status, messageKeys(answer.json)]).toEqual([409, ['PropertyValueResourceConflict']])
  await protect(false)
  expect((await activate(emulator, staged)).status).toBe(202)
})

test('an image that is removed is not activated by the reset that it waited for', async () => {
  const emulator = await startEmulator({ machine: 'bladed' })
  await updateAndReset(emulator, 'EnclosureManager', '4.3.0')
  await choose(emulator, ENCLOSURE, OLD_ENCLOSURE)
  expect((await emulator.send(OLD_ENCLOSURE, { method: 'DELETE' })).status).toBe(204)
  await resetWhole(emulator, ENCLOSURE)
  expect(await seen(emulator, ENCLOSURE)).toMatchObject({ version: '4.3.0', images: ['EnclosureManager'] })
})
