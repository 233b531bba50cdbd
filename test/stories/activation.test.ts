import { expect, test } from 'vitest'
import { machineMember } from '../../src/bmc/bmc.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, logged, messageArgs, reset, untilInstalled, update } from '../support/updates.ts'

const SYSTEM = uris.system('1')
const MANAGER = uris.manager('1')
const BIOS = uris.firmware('BIOS')
const PRIMARY = uris.firmware('BMC-Primary')
const BACKUP = uris.firmware('BMC-Backup')
/** rackmount's manager boots for 45 s and then activates what waited, 5 s at most. */
const MANAGER_BACK_MS = 50_000

const biosImage = await bundleOf({ BIOS: '1.9.0' })
const bmcImage = await bundleOf({ 'BMC-Primary': '2.4.0' })

test('firmware that needs a reset is installed, and its task ends with the reset to be made', async () => {
  const emulator = await startEmulator()
  const { task, keys, monitor } = await update(emulator, biosImage)
  expect({ keys, monitor }).toEqual({
    keys: [...untilInstalled, 'AwaitToActivate', 'ResetRequired'],
    monitor: 200,
  })
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'Warning', PercentComplete: 100 })
  expect(messageArgs(task, 'AwaitToActivate')).toEqual(['BIOS 1.9.0', BIOS])
  expect(messageArgs(task, 'ResetRequired')).toEqual([
    uris.action(SYSTEM, 'ComputerSystem.Reset'),
    'GracefulRestart',
  ])
  expect(await emulator.get(BIOS)).toMatchObject({ Version: '1.8.0' })
  expect(await emulator.get(SYSTEM)).toMatchObject({ BiosVersion: '1.8.0' })
})

test('while an image waits for its reset, its component says so as conditions', async () => {
  const emulator = await startEmulator()
  await update(emulator, biosImage)
  const bios = await emulator.get(BIOS)
  expect(validateBody(bios)).toEqual([])
  const { Conditions, ...status } = bios['Status'] as { readonly Conditions: readonly object[] }
  expect(status).toEqual({ State: 'Enabled', Health: 'OK' })
  expect(Conditions).toMatchObject([
    {
      MessageId: expect.stringMatching(/^Update\.1\.\d+\.AwaitToActivate$/) as string,
      MessageArgs: ['BIOS 1.9.0', BIOS],
      Severity: 'OK',
      // 8 ms of transfer, 3.5 s of verification, 26 s of installation.
      Timestamp: '2026-01-01T00:00:29Z',
      OriginOfCondition: { '@odata.id': BIOS },
    },
    {
      MessageId: expect.stringMatching(/^Base\.1\.\d+\.ResetRequired$/) as string,
      MessageArgs: [uris.action(SYSTEM, 'ComputerSystem.Reset'), 'GracefulRestart'],
      Severity: 'Warning',
    },
  ])
})

test.each([
  ['BIOS', biosImage, 'AwaitToActivate'],
  ['BMC-Primary', bmcImage, 'AwaitToActivate'],
])('the reset that %s asks for can be POSTed as it stands', async (_name, image, waits) => {
  const emulator = await startEmulator()
  const { task, keys } = await update(emulator, image)
  expect(keys).toContain(waits)
  const [target = '', ResetType = ''] = messageArgs(task, 'ResetRequired') ?? []
  expect((await emulator.send(target, { method: 'POST', body: { ResetType } })).status).toBe(204)
  await emulator.clock.advance(LONG_MS)
  expect((await logged(emulator)).at(-1)).toMatch(/^UpdateSuccessful /)
})

test('a reset of the system activates its BIOS, and all that shows the version follows at once', async () => {
  const emulator = await startEmulator()
  const { bmc, clock, get } = emulator
  await update(emulator, biosImage)
  const seen: unknown[] = []
  bmc.listeners.add(({ components = [], log = [] }) => {
    if (components.length === 0) return
    const said = log.map(([, entry]) => entry?.message.MessageId.split('.').at(-1))
    seen.push([components[0]?.[1]?.version, components[0]?.[1]?.state, ...said])
  })
  await reset(emulator, SYSTEM, 'ForceRestart')
  expect(await get(BIOS)).toMatchObject({ Version: '1.8.0', Status: { State: 'Updating' } })
  expect(await get(SYSTEM)).toMatchObject({ PowerState: 'PoweringOn', BiosVersion: '1.8.0' })
  await clock.advance(4_000)
  const bios = await get(BIOS)
  expect(bios).toMatchObject({ Version: '1.9.0', Status: { State: 'Enabled', Health: 'OK' } })
  expect(bios['Status']).not.toHaveProperty('Conditions')
  expect(await get(SYSTEM)).toMatchObject({ PowerState: 'On', BiosVersion: '1.9.0' })
  expect(seen).toEqual([
    ['1.8.0', 'Updating', 'ApplyingOnComponent'],
    ['1.9.0', 'Enabled', 'UpdateSuccessful'],
  ])
  expect(await logged(emulator)).toEqual([
    'AwaitToActivate BIOS',
    'ResetRequired BIOS',
    'ApplyingOnComponent BIOS',
    'UpdateSuccessful BIOS',
  ])
})

test('a component that its reset activates takes no image meanwhile', async () => {
  const emulator = await startEmulator()
  await update(emulator, biosImage)
  await reset(emulator, SYSTEM, 'ForceRestart')
  const newer = await bundleOf({ BIOS: '1.10.0' })
  const refused = await push(emulator, newer)
  expect(refused.status).toBe(503)
  expect(messageKeys(refused.json)).toContain('ResourceInUse')
  await emulator.clock.advance(4_000)
  expect((await push(emulator, newer)).status).toBe(202)
})

test('a system that is switched off while it activates keeps the image for its next start', async () => {
  const emulator = await startEmulator()
  await update(emulator, biosImage)
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(1_000)
  await reset(emulator, SYSTEM, 'ForceOff')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(SYSTEM)).toMatchObject({ PowerState: 'Off', BiosVersion: '1.8.0' })
  expect(await emulator.get(BIOS)).toMatchObject({
    Version: '1.8.0',
    Status: { State: 'Enabled', Health: 'OK', Conditions: [{}, {}] },
  })
  await reset(emulator, SYSTEM, 'On')
  await emulator.clock.advance(4_000)
  expect(await emulator.get(BIOS)).toMatchObject({ Version: '1.9.0' })
})

test('a newer image takes the place of one that waits', async () => {
  const emulator = await startEmulator()
  await update(emulator, biosImage)
  await update(emulator, await bundleOf({ BIOS: '1.10.0' }))
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(SYSTEM)).toMatchObject({ BiosVersion: '1.10.0' })
})

test('a reset of the manager does not activate what waits for the system, nor the other way round', async () => {
  const emulator = await startEmulator()
  await update(emulator, await bundleOf({ BIOS: '1.9.0', 'BMC-Primary': '2.4.0' }))
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(PRIMARY)).toMatchObject({ Version: '2.3.1' })
  await update(emulator, await bundleOf({ BIOS: '1.10.0' }))
  await reset(emulator, MANAGER, 'ForceRestart')
  await emulator.clock.advance(MANAGER_BACK_MS)
  expect(await emulator.get(PRIMARY)).toMatchObject({ Version: '2.4.0' })
  expect(await emulator.get(BIOS)).toMatchObject({ Version: '1.9.0' })
})

test('an image for the BMC goes to the primary, and the manager shows its version after the reset', async () => {
  const emulator = await startEmulator()
  await update(emulator, bmcImage)
  await reset(emulator, MANAGER, 'GracefulRestart')
  await emulator.clock.advance(MANAGER_BACK_MS)
  expect(await emulator.get(PRIMARY)).toMatchObject({ Version: '2.4.0', Status: { State: 'Enabled' } })
  expect(await emulator.get(BACKUP)).toMatchObject({ Version: '2.3.0', Status: { State: 'StandbySpare' } })
  expect(await emulator.get(MANAGER)).toMatchObject({
    FirmwareVersion: '2.4.0',
    Status: { State: 'Enabled', Health: 'OK' },
    LastResetTime: '2026-01-01T00:02:00Z',
  })
})

test('the backup is updated when it is named, stays a spare, and the manager runs what it ran', async () => {
  const emulator = await startEmulator()
  const { task } = await update(emulator, bmcImage, { Targets: [BACKUP] })
  expect(messageArgs(task, 'TargetDetermined')).toEqual([BACKUP, 'BMC-Primary 2.4.0'])
  await reset(emulator, MANAGER, 'GracefulRestart')
  await emulator.clock.advance(MANAGER_BACK_MS)
  expect(await emulator.get(BACKUP)).toMatchObject({ Version: '2.4.0', Status: { State: 'StandbySpare' } })
  expect(await emulator.get(PRIMARY)).toMatchObject({ Version: '2.3.1' })
  expect(await emulator.get(MANAGER)).toMatchObject({ FirmwareVersion: '2.3.1' })
})

test('the manager shows its new version in the commit that activates it', async () => {
  const emulator = await startEmulator()
  const { bmc } = emulator
  await update(emulator, bmcImage)
  const versions: unknown[] = []
  bmc.listeners.add(({ components = [] }) => {
    if (components.length > 0) versions.push(components.map(([id, now]) => [id, now?.version]))
  })
  await reset(emulator, MANAGER, 'ForceRestart')
  await emulator.clock.advance(MANAGER_BACK_MS)
  expect(versions).toEqual([[['BMC-Primary', '2.3.1']], [['BMC-Primary', '2.4.0']]])
  expect(machineMember(bmc, MANAGER, 'Status')).toEqual({ State: 'Enabled', Health: 'OK' })
  expect((await logged(emulator)).at(-1)).toBe('UpdateSuccessful BMC-Primary')
})
