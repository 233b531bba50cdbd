import { deviceAdapterContract } from '../contracts/device-adapter.ts'
import { bundleOf } from '../support/images.ts'
import { startPeer } from '../support/redfish-peer.ts'

const version = '22.42.1000'

deviceAdapterContract('Redfish, the emulator', async () => {
  const peer = await startPeer()
  return {
    ...peer,
    nowhere: { ...peer.address, hostName: 'http://127.0.0.1:1' },
    stranger: { ...peer.address, password: 'not-the-password' },
    update: {
      firmwareId: 'NIC-1',
      version,
      image: await bundleOf({ 'NIC-1': version }, { sizeBytes: 2 ** 20 }),
    },
    swap: { firmwareId: 'BIOS', version: '9.9.9', image: await bundleOf({ BIOS: '9.9.9' }) },
    broken: Buffer.alloc(2 ** 16, 1),
    reset: { of: 'system', type: 'GracefulRestart' },
  }
})
