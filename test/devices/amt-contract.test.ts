import { deviceAdapterContract } from '../contracts/device-adapter.ts'
import { startAmtPeer } from '../support/amt-peer.ts'
import { bundleOf } from '../support/images.ts'

const version = '1.5.0'

deviceAdapterContract('Intel AMT, the simulated machine', async () => {
  const { adapter, address, publisher, connections } = await startAmtPeer()
  return {
    adapter,
    address,
    nowhere: { ...address, hostName: 'http://127.0.0.1:1' },
    stranger: { ...address, password: 'not-the-password' },
    update: {
      firmwareId: 'BIOS',
      version,
      image: await bundleOf({ BIOS: version }, { softwareId: 'BIOS-Virtual-vPro', sizeBytes: 2 ** 20 }),
    },
    takesBytesIn: 'install',
    broken: Buffer.alloc(2 ** 16, 1),
    reset: { of: 'system', type: 'ForceRestart' },
    open: () => [
      ...Array.from({ length: connections() }, () => 'a connection'),
      ...Array.from({ length: publisher.published() }, () => 'an image'),
    ],
  }
})
