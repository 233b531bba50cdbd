import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { LONG_MS, reset } from '../support/updates.ts'
import { pushVersions } from '../support/versions.ts'

const SYSTEM = uris.system('1')
const onTargetReset = { '@Redfish.OperationApplyTime': 'OnTargetReset' }

test('the service ends while a boot is held by an update', async () => {
  const emulator = await startEmulator({
    adapted: { awaitReset: 'job' },
    devices: { BIOS: { fail: { at: 'transfer', how: 'hangs', after: '0%', times: 1 } } },
  })
  await pushVersions(emulator, { BIOS: '1.9.0' }, onTargetReset)
  await emulator.clock.advance(1)
  await reset(emulator, SYSTEM, 'ForceRestart')
  expect(await emulator.get(SYSTEM)).toMatchObject({ PowerState: 'PoweringOn' })
  await expect(emulator.app.fastify.close()).resolves.toBeUndefined()
}, 5_000)

test('an update that waits for another, which waits for its own reset, holds up no boot and is activated by the next', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  const { get, clock } = emulator
  await pushVersions(emulator, { BIOS: '1.9.0', 'BMC-Primary': '2.4.0' }, onTargetReset)
  await clock.advance(1)
  await reset(emulator, SYSTEM, 'ForceRestart')
  await clock.advance(LONG_MS)
  expect(await get(SYSTEM)).toMatchObject({ PowerState: 'On', BootProgress: { LastState: 'OSRunning' } })
  await reset(emulator, uris.manager('1'), 'ForceRestart')
  await clock.advance(LONG_MS)
  expect(await get(uris.job('1'))).toMatchObject({ JobState: 'UserIntervention' })
  await reset(emulator, SYSTEM, 'ForceRestart')
  await clock.advance(LONG_MS)
  expect(await get(uris.job('1'))).toMatchObject({ JobState: 'Completed' })
  expect(await get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.9.0' })
})
