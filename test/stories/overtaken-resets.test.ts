import { expect, test } from 'vitest'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { LONG_MS, reset } from '../support/updates.ts'
import { pushVersions } from '../support/versions.ts'

const blade = uris.manager('Blade1BMC')

test.each(['pending', 'completed'] as const)(
  'awaitReset %s: a reset that overtakes another while it activates an image activates that',
  async (awaitReset) => {
    const emulator = await startEmulator({ adapted: { awaitReset } })
    const { get, clock } = emulator
    await pushVersions(emulator, { BIOS: '1.9.0' })
    await clock.advance(LONG_MS)
    await reset(emulator, uris.system('1'), 'ForceRestart')
    await clock.advance(1_000)
    expect(await get(uris.firmware('BIOS'))).toMatchObject({ Status: { State: 'Updating' } })
    await reset(emulator, uris.system('1'), 'ForceRestart')
    await clock.advance(LONG_MS)
    const Status = { State: 'Enabled', Health: 'OK' }
    expect(await get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.9.0', Status })
  },
)

test('a manager whose reset overtakes another while that activates an image is back when the last one has booted', async () => {
  const emulator = await startEmulator({ machine: 'bladed' })
  const { get, clock, bmc } = emulator
  const { bootMs } = bmc.machine.outage
  await pushVersions(emulator, { 'Blade1-BMC': '1.10.0' }, { Targets: [uris.firmware('Blade1-BMC')] })
  await clock.advance(LONG_MS)
  await reset(emulator, blade)
  await clock.advance(bootMs + 1_000)
  await reset(emulator, blade)
  await clock.advance(bootMs - 10)
  expect(await get(blade)).toMatchObject({ Status: { State: 'Starting' } })
  await clock.advance(LONG_MS)
  expect(await get(blade)).toMatchObject({ Status: { State: 'Enabled' }, FirmwareVersion: '1.10.0' })
})

test.each(['job', 'completed'] as const)(
  'awaitReset %s: an image that a client chose boots when a reset overtakes the one that was to boot it',
  async (awaitReset) => {
    const emulator = await startEmulator({ machine: withBanks(), adapted: { awaitReset } })
    const { get, send, clock, bmc } = emulator
    const { bootMs } = bmc.machine.outage
    await pushVersions(emulator, { 'Blade1-BMC': '1.10.0' }, { Targets: [uris.firmware('Blade1-BMC')] })
    await clock.advance(LONG_MS)
    await reset(emulator, blade)
    await clock.advance(LONG_MS)
    const Links = { ActiveSoftwareImage: { '@odata.id': uris.firmware('Blade1-BMC-1.9.2') } }
    expect((await send(blade, { method: 'PATCH', body: { Links } })).status).toBe(200)
    await reset(emulator, blade)
    await clock.advance(bootMs + 1_000)
    await reset(emulator, blade)
    await clock.advance(LONG_MS)
    expect(await get(blade)).toMatchObject({ FirmwareVersion: '1.9.2' })
  },
)

/** A bladed machine whose blades' managers keep what ran before. */
function withBanks() {
  const bladed = loadMachine('bladed')
  const components = [...bladed.components].map(([id, facts]) => {
    const behaviour = { ...facts.behaviour, spare: 'bank' } as const
    return [id, { ...facts, behaviour }] as const
  })
  return { ...bladed, components: new Map(components) }
}
