import { deviceAdapterContract } from '../contracts/device-adapter.ts'
import { address, startManaged } from '../support/mqtt.ts'

const CAPACITY_BYTES = 2 ** 19

deviceAdapterContract('IBM’s device management over MQTT, a simulated device', async () => {
  const { adapter, images } = await startManaged({ traits: { capacityBytes: CAPACITY_BYTES } })
  return {
    adapter,
    address: address('pump/p-1'),
    nowhere: address('pump/nobody'),
    update: { firmwareId: 'firmware', version: '2.0.0', image: Buffer.alloc(CAPACITY_BYTES, 7) },
    broken: Buffer.alloc(CAPACITY_BYTES + 1, 7),
    reset: { of: 'system', type: 'ForceRestart' },
    open: () => [...images.published.keys()],
  }
})
