import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'
import { LONG_MS, reset } from '../support/updates.ts'

const system = uris.system('1')

/** PATCHes the override of the next boot. */
async function override({ send }: TestEmulator, target: string, enabled: string): Promise<JsonObject> {
  const Boot = { BootSourceOverrideTarget: target, BootSourceOverrideEnabled: enabled }
  const answer = await send(system, { method: 'PATCH', body: { Boot } })
  expect(answer).toMatchObject({ status: 200, json: { Boot } })
  return answer.json
}

/** What the system says of the override: where to, and for how long. */
async function shown({ get }: TestEmulator): Promise<string> {
  const { BootSourceOverrideTarget: target, BootSourceOverrideEnabled: enabled } = (await get(system))[
    'Boot'
  ] as Readonly<Record<string, string>>
  return `${target} ${enabled}`
}

test('an override for one boot is used up by the boot, however long that is away', async () => {
  const emulator = await startEmulator()
  await override(emulator, 'Pxe', 'Once')
  await emulator.clock.advance(3_600_000)
  expect(await shown(emulator)).toBe('Pxe Once')
  await reset(emulator, system, 'ForceRestart')
  expect(await shown(emulator)).toBe('None Disabled')
  await emulator.clock.advance(LONG_MS)
  expect(await shown(emulator)).toBe('None Disabled')
})

test('a continuous override stays, boot for boot, until it is taken back', async () => {
  const emulator = await startEmulator()
  await override(emulator, 'Usb', 'Continuous')
  for (let boots = 0; boots < 3; boots++) {
    await reset(emulator, system, 'PowerCycle')
    await emulator.clock.advance(LONG_MS)
    expect(await shown(emulator)).toBe('Usb Continuous')
  }
  await override(emulator, 'None', 'Disabled')
  await reset(emulator, system, 'PowerCycle')
  await emulator.clock.advance(LONG_MS)
  expect(await shown(emulator)).toBe('None Disabled')
})

test('an override set while the system is off waits until it is switched on', async () => {
  const emulator = await startEmulator()
  await override(emulator, 'Hdd', 'Once')
  await reset(emulator, system, 'ForceOff')
  expect(await shown(emulator)).toBe('Hdd Once')
  await reset(emulator, system, 'On')
  expect(await shown(emulator)).toBe('None Disabled')
})

test('what a shutdown or another system does uses up no override', async () => {
  const emulator = await startEmulator({ machine: 'bladed' })
  const [one, two] = [uris.system('Blade1'), uris.system('Blade2')]
  const Boot = { BootSourceOverrideTarget: 'Cd', BootSourceOverrideEnabled: 'Once' }
  await emulator.send(one, { method: 'PATCH', body: { Boot } })
  await reset(emulator, two, 'ForceRestart')
  await reset(emulator, one, 'Nmi')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(one)).toMatchObject({ Boot })
})

test.each([
  ['BiosSetup', 'Once', 'SetupEntered'],
  ['BiosSetup', 'Disabled', 'OSRunning'],
  ['Pxe', 'Once', 'OSRunning'],
])('a boot with %s %s ends in %s', async (target, enabled, state) => {
  const emulator = await startEmulator()
  await override(emulator, target, enabled)
  await reset(emulator, system, 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(system)).toMatchObject({ PowerState: 'On', BootProgress: { LastState: state } })
  await reset(emulator, system, 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(system)).toMatchObject({ BootProgress: { LastState: 'OSRunning' } })
})

test('an override leads only where the system says that it can boot from', async () => {
  const emulator = await startEmulator()
  const { Boot } = await emulator.get(system)
  for (const target of (Boot as JsonObject)['BootSourceOverrideTarget@Redfish.AllowableValues'] as string[]) {
    await override(emulator, target, 'Once')
  }
  const body = { Boot: { BootSourceOverrideTarget: 'SDCard' } }
  const answer = await emulator.send(system, { method: 'PATCH', body })
  expect([answer.status, messageKeys(answer.json)]).toEqual([400, ['PropertyValueNotInList']])
})
