import { expect, test } from 'vitest'
import { message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import { scriptedFlasher } from '../contracts/scripted-flasher.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'

test.each([
  ['transfer', 'TransferFailed'],
  ['verify', 'VerificationFailed'],
  ['install', 'ApplyFailed'],
  ['activate', 'ActivateFailed'],
])('what a device says of its failure to %s is told after the failure itself', async (stage, failed) => {
  const why = [message('Base.CouldNotEstablishConnection', 'https://bmc.example')]
  const flasher = scriptedFlasher({ sleep: async () => {} }, { [`NIC-1 ${stage}`]: { kind: 'failed', why } })
  const emulator = await startEmulator({ flasher })
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  await emulator.clock.advance(120_000)
  const task = await emulator.get(uris.task('1'))
  expect(task['TaskState']).toBe('Exception')
  expect(messageKeys(task).slice(-2)).toEqual([failed, 'CouldNotEstablishConnection'])
})
