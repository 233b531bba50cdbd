import { deviceAdapterContract } from '../contracts/device-adapter.ts'
import { documented, labAddress, labFiles, startProgramAdapter } from '../support/own-devices.ts'

const version = '2.0.0'
const image = Buffer.alloc(2 ** 20, 'lab')
image.write(`${version}\n`)

deviceAdapterContract('an executable, the documented one', async () => {
  const { adapter, open } = await startProgramAdapter(await documented('lab.mjs', labFiles))
  return {
    adapter,
    open,
    address: labAddress,
    nowhere: { ...labAddress, hostName: 'nobody' },
    stranger: { ...labAddress, password: 'not-the-password' },
    update: { firmwareId: 'firmware', version, image },
    broken: Buffer.alloc(2 ** 16, 1),
    reset: { of: 'system', type: 'ForceRestart' },
  }
})
