import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'

test('a bundle for NIC-1 becomes its version when its device has installed it', async () => {
  const emulator = await startEmulator()
  const { clock, get } = emulator
  const accepted = await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  expect(accepted.status).toBe(202)
  expect(accepted.headers).toMatchObject({ location: uris.taskMonitor('1'), 'retry-after': '1' })

  await clock.advance(120_000)
  const task = await get(uris.task('1'))
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK', PercentComplete: 100 })
  expect(messageKeys(task)).toEqual([
    'UpdateInProgress',
    'TargetDetermined',
    'AllTargetsDetermined',
    'TransferringToComponent',
    'VerifyingAtComponent',
    'InstallingOnComponent',
    'ApplyingOnComponent',
    'UpdateSuccessful',
  ])
  expect(await get(uris.firmware('NIC-1'))).toMatchObject({
    Version: '22.42.1',
    Status: { State: 'Enabled' },
  })
})
