import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { LONG_MS, logged, reset } from '../support/updates.ts'
import { pushVersions } from '../support/versions.ts'

const BIOS = uris.firmware('Blade1-BIOS')

test.each([
  ['install', 'ApplyFailed'],
  ['activate', 'ActivateFailed'],
] as const)(
  'a component that falls back because its job ran out of time while it was to %s says so',
  async (at, failure) => {
    const fail = { at, how: 'hangs' } as const
    const emulator = await startEmulator({
      machine: 'bladed',
      adapted: { awaitReset: 'job' },
      devices: { 'Blade1-BIOS': { fail } },
    })
    const { get, send, clock } = emulator
    await pushVersions(emulator, { 'Blade1-BIOS': '1.5.0' }, { Targets: [BIOS] })
    await clock.advance(LONG_MS)
    if (at === 'activate') await reset(emulator, uris.system('Blade1'), 'ForceRestart')
    expect(await get(BIOS)).toMatchObject({ Version: '1.4.2', Status: { State: 'Updating' } })
    await send(uris.job('1'), { method: 'PATCH', body: { MaxExecutionTime: 'PT1S' } })
    await clock.advance(LONG_MS)
    expect(await get(uris.job('1'))).toMatchObject({ JobState: 'Exception' })
    expect(await get(BIOS)).toMatchObject({
      Version: '1.2.0',
      Status: { State: 'Enabled', Health: 'Warning' },
    })
    expect(await logged(emulator)).toContain(`${failure} Blade1-BIOS`)
  },
)
