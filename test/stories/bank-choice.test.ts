import { expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { uris } from '../../src/redfish/uris.ts'
import { choose, failOver, imageFor, item, resetWhole, seen, updateAndReset } from '../support/banks.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'
import { LONG_MS, logged, reset, update } from '../support/updates.ts'

const MANAGER = uris.manager('1')
const PRIMARY = uris.firmware('BMC-Primary')
const BACKUP = uris.firmware('BMC-Backup')
const ENCLOSURE = uris.manager('EnclosureManager')
const OLD_ENCLOSURE = uris.firmware('EnclosureManager-4.2.0')
const SWITCHED = 'ManagerSwitchedToBackupSoftwareImage'
const doesNotBoot = { fail: { at: 'activate' } } as const

/** A manager whose new image does not boot the first time. */
const onceBad = (id: string): TestOptions => ({ devices: { [id]: { fail: { at: 'activate', times: 1 } } } })

/** Each machine with a choice: how its manager is seen before and after the choice, and back again. */
const machines = [
  {
    machine: 'rackmount',
    manager: MANAGER,
    prepare: async () => {},
    first: { version: '2.3.1', active: 'BMC-Primary' },
    other: BACKUP,
    second: { version: '2.3.0', active: 'BMC-Backup' },
    back: PRIMARY,
  },
  {
    machine: 'bladed',
    manager: ENCLOSURE,
    prepare: (emulator: TestEmulator) => updateAndReset(emulator, 'EnclosureManager', '4.3.0'),
    first: { version: '4.3.0', active: 'EnclosureManager' },
    other: OLD_ENCLOSURE,
    second: { version: '4.2.0', active: 'EnclosureManager' },
    back: uris.firmware('EnclosureManager-4.3.0'),
  },
] as const

test.each(machines)('$machine: the chosen image boots at the next reset, and not before', async (row) => {
  const { machine, manager, prepare, first, other, second, back } = row
  const emulator = await startEmulator({ machine })
  await prepare(emulator)
  expect(await seen(emulator, manager)).toMatchObject(first)
  const answer = await choose(emulator, manager, `http://host${other}/`)
  expect([answer.status, validateBody(answer.json)]).toEqual([200, []])
  await emulator.clock.advance(LONG_MS)
  expect(await seen(emulator, manager)).toMatchObject(first)
  await resetWhole(emulator, manager)
  expect(await seen(emulator, manager)).toMatchObject(second)
  await resetWhole(emulator, manager)
  expect(await seen(emulator, manager)).toMatchObject(second)
  expect((await choose(emulator, manager, back)).status).toBe(200)
  await resetWhole(emulator, manager)
  expect(await seen(emulator, manager)).toMatchObject(first)
  expect((await logged(emulator)).filter((one) => one.startsWith(SWITCHED))).toEqual([])
})

test.each(machines)('$machine: a choice is taken back by choosing what runs', async (row) => {
  const { machine, manager, prepare, first, other } = row
  const emulator = await startEmulator({ machine })
  await prepare(emulator)
  const running = uris.firmware(first.active)
  const changes: unknown[] = []
  emulator.bmc.listeners.add(({ components, overlays }) => changes.push(...(components ?? overlays ?? [])))
  expect((await choose(emulator, manager, running)).status).toBe(200)
  expect(changes).toEqual([])
  await choose(emulator, manager, other)
  expect(changes).toHaveLength(1)
  expect((await choose(emulator, manager, running)).status).toBe(200)
  await resetWhole(emulator, manager)
  expect(await seen(emulator, manager)).toMatchObject(first)
})

test.each(machines)(
  '$machine: a failover boots the other image at once, and the next one boots back',
  async (row) => {
    const { machine, manager, prepare, first, second } = row
    const emulator = await startEmulator({ machine })
    await prepare(emulator)
    expect(await failOver(emulator, manager)).toMatchObject({ status: 204, text: '' })
    expect(await seen(emulator, manager)).toMatchObject(second)
    await failOver(emulator, manager)
    expect(await seen(emulator, manager)).toMatchObject(first)
  },
)

test.each(machines)('$machine: the failover says what it takes, and takes nothing else', async (row) => {
  const { machine, manager, prepare, first } = row
  const emulator = await startEmulator({ machine })
  await prepare(emulator)
  const { Actions } = (await emulator.get(manager)) as unknown as {
    readonly Actions: Readonly<Record<string, Readonly<Record<string, string>>>>
  }
  const { target, '@Redfish.ActionInfo': info = '' } = Actions['#Manager.ForceFailover'] ?? {}
  expect(target).toBe(uris.action(manager, 'Manager.ForceFailover'))
  const body = await emulator.get(info)
  expect(validateBody(body)).toEqual([])
  expect(body['Parameters']).toMatchObject([
    { Name: 'NewManager', Required: true, AllowableValues: [manager] },
  ])
  const stranger = await failOver(emulator, manager, uris.manager('Blade1BMC'))
  expect([stranger.status, messageKeys(stranger.json)]).toEqual([400, ['ActionParameterValueNotInList']])
  const nothing = await emulator.send(target ?? '', { method: 'POST', body: {} })
  expect([nothing.status, messageKeys(nothing.json)]).toEqual([400, ['ActionParameterMissing']])
  await emulator.clock.advance(LONG_MS)
  expect(await seen(emulator, manager)).toMatchObject(first)
})

test('what is none of the images is refused, and so is a choice beside a mistake that is told', async () => {
  const emulator = await startEmulator()
  const stranger = await choose(emulator, MANAGER, uris.firmware('BIOS'))
  expect([stranger.status, messageKeys(stranger.json)]).toEqual([400, ['PropertyValueNotInList']])
  expect(validateError(stranger.json)).toEqual([])
  const Links = { ActiveSoftwareImage: { '@odata.id': BACKUP } }
  const both = await emulator.send(MANAGER, {
    method: 'PATCH',
    body: { LocationIndicatorActive: true, Links },
  })
  expect([both.status, both.json['LocationIndicatorActive']]).toEqual([200, true])
  expect(emulator.bmc.state.components.get('BMC-Primary')?.boot?.next).toBe('backup')
  const readOnly = { ...Links, SoftwareImages: [{ '@odata.id': BACKUP }] }
  const partly = await emulator.send(MANAGER, { method: 'PATCH', body: { Links: readOnly } })
  expect(partly.status).toBe(200)
  expect(JSON.stringify(partly.json['@Message.ExtendedInfo'])).toContain('PropertyNotWritable')
})

test.each([
  ['BMC-Primary', {}],
  ['BMC-Backup', { Targets: [BACKUP] }],
])('while %s is updated nothing is switched, and afterwards it is', async (id, parameters) => {
  const emulator = await startEmulator()
  await push(emulator, await imageFor(emulator, { [id]: '2.4.0' }), parameters)
  await emulator.clock.advance(10_000)
  const busy = await choose(emulator, MANAGER, BACKUP)
  expect([busy.status, messageKeys(busy.json)]).toEqual([409, ['ResourceInUse']])
  const action = uris.action(MANAGER, 'Manager.ForceFailover')
  const body = { NewManager: { '@odata.id': MANAGER } }
  expect((await emulator.send(action, { method: 'POST', body })).status).toBe(409)
  // What runs may be named: it changes nothing.
  expect((await choose(emulator, MANAGER, PRIMARY)).status).toBe(200)
  await emulator.clock.advance(LONG_MS)
  expect((await choose(emulator, MANAGER, BACKUP)).status).toBe(200)
})

test('what was asked for last boots: an update after the choice, or the choice after the update', async () => {
  const emulator = await startEmulator()
  await choose(emulator, MANAGER, BACKUP)
  await updateAndReset(emulator, 'BMC-Primary', '2.4.0')
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.4.0', active: 'BMC-Primary' })
  await update(emulator, await imageFor(emulator, { 'BMC-Primary': '2.5.0' }))
  await choose(emulator, MANAGER, BACKUP)
  await resetWhole(emulator, MANAGER)
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.0', active: 'BMC-Backup' })
  expect(await item(emulator, 'BMC-Primary')).toBe('2.4.0 StandbySpare OK')
  await choose(emulator, MANAGER, PRIMARY)
  await resetWhole(emulator, MANAGER)
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.5.0', active: 'BMC-Primary' })
})

test('an update that is cancelled while it waits leaves what runs what boots', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  await failOver(emulator, MANAGER)
  await push(emulator, await imageFor(emulator, { 'BMC-Primary': '2.4.0' }))
  await emulator.clock.advance(LONG_MS)
  expect((await emulator.send(uris.job('1'), { method: 'DELETE' })).status).toBeLessThan(300)
  await resetWhole(emulator, MANAGER)
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.0', active: 'BMC-Backup' })
})

test('a staged image is one of those to choose from, until another is staged in its place', async () => {
  const emulator = await startEmulator()
  const stage = async (version: string): Promise<void> => {
    await update(emulator, await imageFor(emulator, { 'BMC-Primary': version }), { Stage: true })
  }
  await stage('2.4.0')
  expect(await seen(emulator, MANAGER)).toMatchObject({
    images: ['BMC-Primary', 'BMC-Backup', 'BMC-Primary-2.4.0'],
  })
  expect((await choose(emulator, MANAGER, uris.firmware('BMC-Primary-2.4.0'))).status).toBe(200)
  await stage('2.5.0')
  await resetWhole(emulator, MANAGER)
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.1' })
  await choose(emulator, MANAGER, uris.firmware('BMC-Primary-2.5.0'))
  await resetWhole(emulator, MANAGER)
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.5.0', active: 'BMC-Primary' })
})

test('a reset that another overtakes switches nothing, and that other does', async () => {
  const emulator = await startEmulator()
  await choose(emulator, MANAGER, BACKUP)
  const both = [reset(emulator, MANAGER, 'ForceRestart'), reset(emulator, MANAGER, 'GracefulRestart')]
  expect((await Promise.all(both)).map(({ status }) => status)).toEqual([204, 204])
  const running = (): unknown => emulator.bmc.state.components.get('BMC-Primary')?.boot?.running
  await emulator.clock.advance(44_990)
  expect(running()).toBe('primary')
  await emulator.clock.advance(10)
  expect(running()).toBe('backup')
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.0', active: 'BMC-Backup' })
})

test('a backup that does not run any more gives way to the primary', async () => {
  const emulator = await startEmulator({ devices: { 'BMC-Backup': doesNotBoot } })
  await failOver(emulator, MANAGER)
  expect(await seen(emulator, MANAGER)).toMatchObject({ active: 'BMC-Backup' })
  await updateAndReset(emulator, 'BMC-Backup', '2.4.0', { Targets: [BACKUP] })
  expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.1', active: 'BMC-Primary' })
  expect(await item(emulator, 'BMC-Backup')).toBe('2.3.0 StandbySpare Critical')
  expect((await logged(emulator)).at(-1)).toBe(`${SWITCHED} 1`)
})

test('an image that is Critical is not chosen, and one below the lowest supported version never', async () => {
  const emulator = await startEmulator(onceBad('BMC-Primary'))
  await updateAndReset(emulator, 'BMC-Primary', '2.4.0')
  const broken = await choose(emulator, MANAGER, PRIMARY)
  expect([broken.status, messageKeys(broken.json)]).toEqual([409, ['UpdateNotApplicable']])
  expect((await failOver(emulator, MANAGER)).status).toBe(409)
  expect(await seen(emulator, MANAGER)).toMatchObject({ active: 'BMC-Backup' })

  const other = await startEmulator()
  const backup = other.bmc.machine.components.get('BMC-Backup')
  if (backup === undefined) throw new Error('no backup')
  commit(other.bmc, { components: [['BMC-Backup', { ...backup.factory, version: '1.9.9' }]] })
  const low = await choose(other, MANAGER, BACKUP)
  expect([low.status, messageKeys(low.json)]).toEqual([400, ['UpdateSkippedVersionTooLow']])
  expect((await failOver(other, MANAGER)).status).toBe(400)
  expect(await seen(other, MANAGER)).toMatchObject({ version: '2.3.1', active: 'BMC-Primary' })
})
