import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { choose, failOver, imageFor, item, resetWhole, seen, updateAndReset } from '../support/banks.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { recordingSink, subscribe, told } from '../support/events.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, logged, messageArgs, update } from '../support/updates.ts'

const MANAGER = uris.manager('1')
const PRIMARY = uris.firmware('BMC-Primary')
const BACKUP = uris.firmware('BMC-Backup')
const ENCLOSURE = uris.manager('EnclosureManager')
const OLD_ENCLOSURE = uris.firmware('EnclosureManager-4.2.0')
const SWITCHED = 'ManagerSwitchedToBackupSoftwareImage'
const images = ['BMC-Primary', 'BMC-Backup']
const doesNotBoot = { fail: { at: 'activate' } } as const

/** A manager whose new image does not boot the first time. */
const onceBad = (id: string): TestOptions => ({ devices: { [id]: { fail: { at: 'activate', times: 1 } } } })

describe('a manager with a primary and a backup', () => {
  const afterFailure = async (more: TestOptions = {}): Promise<TestEmulator> => {
    const emulator = await startEmulator({ ...onceBad('BMC-Primary'), ...more })
    await updateAndReset(emulator, 'BMC-Primary', '2.4.0')
    return emulator
  }

  test('shows both, and that the primary runs', async () => {
    const emulator = await startEmulator()
    expect(await seen(emulator, MANAGER)).toEqual({ version: '2.3.1', active: 'BMC-Primary', images })
    expect(await item(emulator, 'BMC-Primary')).toBe('2.3.1 Enabled OK active')
    expect(await item(emulator, 'BMC-Backup')).toBe('2.3.0 StandbySpare OK')
  })

  test('runs the backup when a new image of the primary does not boot', async () => {
    const emulator = await afterFailure()
    expect(await seen(emulator, MANAGER)).toEqual({ version: '2.3.0', active: 'BMC-Backup', images })
    expect(await item(emulator, 'BMC-Primary')).toBe('2.3.1 StandbySpare Critical')
    expect(await item(emulator, 'BMC-Backup')).toBe('2.3.0 Enabled OK active')
    for (const uri of [MANAGER, PRIMARY, BACKUP]) expect(validateBody(await emulator.get(uri))).toEqual([])
    expect((await logged(emulator)).slice(-3)).toEqual([
      'ApplyingOnComponent BMC-Primary',
      'ActivateFailed BMC-Primary',
      `${SWITCHED} 1`,
    ])
  })

  test('tells of the failure and of the switch in one commit, before the outage ends', async () => {
    const emulator = await startEmulator({ devices: { 'BMC-Primary': doesNotBoot } })
    const { bmc } = emulator
    const commits: unknown[] = []
    bmc.listeners.add(({ components = [], notices = [], log = [] }) => {
      const boots = components.map(([id, state]) => [id, state?.boot?.running, state?.state])
      const keys = [...notices.map((one) => one.message), ...log.flatMap(([, one]) => one?.message ?? [])]
      if (keys.some(({ MessageId }) => MessageId.endsWith(SWITCHED)))
        commits.push({
          outage: bmc.state.outage,
          boots,
          keys: keys.map((one) => one.MessageId.split('.').at(-1)),
        })
    })
    await updateAndReset(emulator, 'BMC-Primary', '2.4.0')
    expect(commits).toEqual([
      {
        outage: 'refuse',
        boots: [
          ['BMC-Primary', 'backup', 'StandbySpare'],
          ['BMC-Backup', undefined, 'Enabled'],
        ],
        keys: [SWITCHED, 'ActivateFailed', SWITCHED],
      },
    ])
    expect(bmc.state.outage).toBeUndefined()
  })

  test('tells its subscribers once of the failure, of the switch, and of all that changed by it', async () => {
    const { sink, records } = recordingSink()
    const emulator = await startEmulator({ ...onceBad('BMC-Primary'), eventSink: sink })
    await subscribe(emulator)
    await update(emulator, await imageFor(emulator, { 'BMC-Primary': '2.4.0' }))
    const before = records().length
    await resetWhole(emulator, MANAGER)
    const said = records().slice(before).map(told)
    const ofManager = said.filter((one) => one.endsWith('Managers/1'))
    expect(said.filter((one) => one.includes('ActivateFailed'))).toHaveLength(1)
    expect(ofManager.filter((one) => one.startsWith(`ManagerEvent.${SWITCHED}`))).toHaveLength(1)
    expect(ofManager.filter((one) => one === 'ResourceEvent.ResourceChanged Managers/1')).toHaveLength(2)
    expect(said).toEqual(
      expect.arrayContaining([
        'ResourceEvent.ResourceStatusChangedCritical FirmwareInventory/BMC-Primary',
        'ResourceEvent.ResourceStateChanged FirmwareInventory/BMC-Backup',
      ]),
    )
  })

  test('a job that waited for the reset ends with the failure, and the backup runs', async () => {
    const emulator = await startEmulator({ ...onceBad('BMC-Primary'), adapted: { awaitReset: 'job' } })
    await push(emulator, await imageFor(emulator, { 'BMC-Primary': '2.4.0' }))
    await emulator.clock.advance(LONG_MS)
    await resetWhole(emulator, MANAGER)
    const job = await emulator.get(uris.job('1'))
    expect(job).toMatchObject({ JobState: 'Exception' })
    expect(messageKeys(job)).not.toContain(SWITCHED)
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.0', active: 'BMC-Backup' })
  })

  test('runs its primary again with the next good update, even of the version that ran before', async () => {
    const emulator = await afterFailure()
    const { keys } = await updateAndReset(emulator, 'BMC-Primary', '2.3.1')
    expect(keys).toContain('AwaitToActivate')
    expect(await seen(emulator, MANAGER)).toEqual({ version: '2.3.1', active: 'BMC-Primary', images })
    expect(await item(emulator, 'BMC-Primary')).toBe('2.3.1 Enabled OK active')
    expect(await item(emulator, 'BMC-Backup')).toBe('2.3.0 StandbySpare OK')
    expect(emulator.bmc.state.components.get('BMC-Primary')?.boot).toBeUndefined()
  })

  test('shows the version of its backup when that is updated while it runs', async () => {
    const emulator = await afterFailure()
    await updateAndReset(emulator, 'BMC-Backup', '2.5.0', { Targets: [BACKUP] })
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.5.0', active: 'BMC-Backup' })
    expect(await item(emulator, 'BMC-Backup')).toBe('2.5.0 Enabled OK active')
    expect(await item(emulator, 'BMC-Primary')).toBe('2.3.1 StandbySpare Critical')
  })

  test('stays with the backup through another reset, and when the primary fails again', async () => {
    const emulator = await afterFailure({ devices: { 'BMC-Primary': doesNotBoot } })
    await resetWhole(emulator, MANAGER)
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.0', active: 'BMC-Backup' })
    expect((await logged(emulator)).filter((one) => one.startsWith(SWITCHED))).toHaveLength(1)
    await updateAndReset(emulator, 'BMC-Primary', '2.5.0')
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.0', active: 'BMC-Backup' })
    expect((await logged(emulator)).filter((one) => one.startsWith(SWITCHED))).toHaveLength(2)
  })

  test('runs the backup from its next boot when its primary lost power while it was written', async () => {
    const fail = { at: 'install', how: 'loses-power', after: '50%' } as const
    const emulator = await startEmulator({ devices: { 'BMC-Primary': { fail } } })
    await update(emulator, await imageFor(emulator, { 'BMC-Primary': '2.4.0' }))
    expect(await item(emulator, 'BMC-Primary')).toBe('2.3.1 Enabled Critical active')
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.1', active: 'BMC-Primary' })
    await resetWhole(emulator, MANAGER)
    expect(await item(emulator, 'BMC-Primary')).toBe('2.3.1 StandbySpare Critical')
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.0', active: 'BMC-Backup' })
    expect((await logged(emulator)).at(-1)).toBe(`${SWITCHED} 1`)
  })

  test('has nothing to switch to when neither of both boots, and stays as it is', async () => {
    const devices = { 'BMC-Primary': doesNotBoot, 'BMC-Backup': doesNotBoot }
    const emulator = await startEmulator({ devices })
    await updateAndReset(emulator, 'BMC-Backup', '2.4.0', { Targets: [BACKUP] })
    expect(await item(emulator, 'BMC-Backup')).toBe('2.3.0 StandbySpare Critical')
    await updateAndReset(emulator, 'BMC-Primary', '2.4.0')
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.1', active: 'BMC-Primary' })
    expect((await logged(emulator)).filter((one) => one.startsWith(SWITCHED))).toEqual([])
  })

  test('updates its backup when that is named, while the primary runs; an image for both goes to the primary', async () => {
    const emulator = await startEmulator()
    await updateAndReset(emulator, 'BMC-Backup', '2.4.0', { Targets: [BACKUP] })
    expect(await item(emulator, 'BMC-Backup')).toBe('2.4.0 StandbySpare OK')
    expect(await seen(emulator, MANAGER)).toMatchObject({ version: '2.3.1', active: 'BMC-Primary' })
    for (const parameters of [{}, { Targets: [null] }, { Targets: [MANAGER], ForceUpdate: true }]) {
      const { task } = await update(
        emulator,
        await imageFor(emulator, { 'BMC-Primary': '2.6.0' }),
        parameters,
      )
      expect(messageArgs(task, 'TargetDetermined')?.[0]).toBe(PRIMARY)
      expect(await item(emulator, 'BMC-Backup')).toBe('2.4.0 StandbySpare OK')
    }
  })
})

describe('a manager with two banks', () => {
  const updated = async (options: TestOptions = {}): Promise<TestEmulator> => {
    const emulator = await startEmulator({ machine: 'bladed', ...options })
    await updateAndReset(emulator, 'EnclosureManager', '4.3.0')
    return emulator
  }

  test('has one image until it was updated, and no choice', async () => {
    const emulator = await startEmulator({ machine: 'bladed' })
    expect(await seen(emulator, ENCLOSURE)).toEqual({
      version: '4.2.0',
      active: 'EnclosureManager',
      images: ['EnclosureManager'],
    })
    expect((await emulator.get(ENCLOSURE))['Actions']).not.toHaveProperty('#Manager.ForceFailover')
    expect((await failOver(emulator, ENCLOSURE)).status).toBe(404)
    const refused = await choose(emulator, ENCLOSURE, uris.firmware('EnclosureManager'))
    expect([refused.status, messageKeys(refused.json)]).toEqual([400, ['PropertyNotWritable']])
    expect((await emulator.send(uris.actionInfo(ENCLOSURE, 'ForceFailover'))).status).toBe(404)
  })

  test('boots the one that was written, and keeps in the other what ran', async () => {
    const emulator = await updated()
    expect(await seen(emulator, ENCLOSURE)).toEqual({
      version: '4.3.0',
      active: 'EnclosureManager',
      images: ['EnclosureManager', 'EnclosureManager-4.2.0'],
    })
    expect(await item(emulator, 'EnclosureManager')).toBe('4.3.0 Enabled OK active')
    expect(await item(emulator, 'EnclosureManager-4.2.0')).toBe('4.2.0 StandbySpare OK')
    for (const uri of [ENCLOSURE, OLD_ENCLOSURE]) expect(validateBody(await emulator.get(uri))).toEqual([])
  })

  test('goes on with what ran when the new image does not boot, which is gone then', async () => {
    const { sink, records } = recordingSink()
    const emulator = await startEmulator({
      machine: 'bladed',
      ...onceBad('EnclosureManager'),
      eventSink: sink,
    })
    await subscribe(emulator)
    await updateAndReset(emulator, 'EnclosureManager', '4.3.0')
    expect(await seen(emulator, ENCLOSURE)).toEqual({
      version: '4.2.0',
      active: 'EnclosureManager',
      images: ['EnclosureManager'],
    })
    expect(await item(emulator, 'EnclosureManager')).toBe('4.2.0 Enabled OK active')
    expect((await logged(emulator)).slice(-2)).toEqual([
      'ActivateFailed EnclosureManager',
      `${SWITCHED} EnclosureManager`,
    ])
    const switches = records()
      .map(told)
      .filter((one) => one.includes(SWITCHED))
    expect(switches).toEqual([`ManagerEvent.${SWITCHED} Managers/EnclosureManager`])
    await updateAndReset(emulator, 'EnclosureManager', '4.3.0')
    expect(await seen(emulator, ENCLOSURE)).toMatchObject({ version: '4.3.0' })
  })

  test('has what it ran before no more once an update writes over it', async () => {
    const emulator = await updated()
    await push(emulator, await imageFor(emulator, { EnclosureManager: '4.4.0' }))
    await emulator.clock.advance(4_500)
    expect(await item(emulator, 'EnclosureManager-4.2.0')).toContain('StandbySpare')
    await emulator.clock.advance(1_000)
    expect((await emulator.send(OLD_ENCLOSURE)).status).toBe(404)
    expect(await seen(emulator, ENCLOSURE)).toMatchObject({ images: ['EnclosureManager'] })
    await emulator.clock.advance(LONG_MS)
    await resetWhole(emulator, ENCLOSURE)
    expect(await seen(emulator, ENCLOSURE)).toMatchObject({
      version: '4.4.0',
      images: ['EnclosureManager', 'EnclosureManager-4.3.0'],
    })
  })

  test('and its failures leave the managers beside it as they were', async () => {
    const blades = [1, 2, 3, 4].map((bay) => uris.manager(`Blade${bay}BMC`))
    const emulator = await startEmulator({ machine: 'bladed', ...onceBad('EnclosureManager') })
    const before = await Promise.all(blades.map((uri) => emulator.get(uri)))
    await updateAndReset(emulator, 'EnclosureManager', '4.3.0')
    await updateAndReset(emulator, 'EnclosureManager', '4.3.0')
    await failOver(emulator, ENCLOSURE)
    expect(await Promise.all(blades.map((uri) => emulator.get(uri)))).toEqual(before)
  })

  test('a manager with one image that does not boot its new one needs another update', async () => {
    const emulator = await startEmulator({ machine: 'bladed', ...onceBad('Blade1-BMC') })
    const BLADE = uris.manager('Blade1BMC')
    const Targets = [uris.firmware('Blade1-BMC')]
    await updateAndReset(emulator, 'Blade1-BMC', '2.0.0', { Targets })
    expect(await item(emulator, 'Blade1-BMC')).toBe('1.9.2 Enabled Critical active')
    expect((await logged(emulator)).filter((one) => one.startsWith(SWITCHED))).toEqual([])
    expect((await choose(emulator, BLADE, uris.firmware('Blade1-BMC'))).status).toBe(400)
    await updateAndReset(emulator, 'Blade1-BMC', '2.0.0', { Targets })
    expect(await item(emulator, 'Blade1-BMC')).toBe('2.0.0 Enabled OK active')
  })
})
