import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { reset } from '../support/updates.ts'
import { pushVersions } from '../support/versions.ts'

test('the service ends while a boot is held by an update that waits for another', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  const ask = { '@Redfish.OperationApplyTime': 'OnTargetReset' }
  await pushVersions(emulator, { BIOS: '1.9.0', 'BMC-Primary': '2.4.0' }, ask)
  await emulator.clock.advance(1)
  await reset(emulator, uris.system('1'), 'ForceRestart')
  expect(await emulator.get(uris.system('1'))).toMatchObject({ PowerState: 'PoweringOn' })
  await expect(emulator.app.fastify.close()).resolves.toBeUndefined()
}, 5_000)
