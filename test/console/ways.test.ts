import { expect, test } from 'vitest'
import { Published } from '../../src/console/published.ts'
import { addressFor } from '../../src/http/own-address.ts'
import { startBroker, startClient } from '../support/mqtt.ts'

test.each([
  ['one address', '192.0.2.7', { peer: '127.0.0.1' }, '192.0.2.7'],
  ['everywhere, for who is reached by an interface', '0.0.0.0', { peer: '127.0.0.1' }, '127.0.0.1'],
  ['everywhere of both families', '::', { peer: '127.9.9.9' }, '127.0.0.1'],
  ['everywhere, for who has reached us', '0.0.0.0', { here: '192.0.2.8' }, '192.0.2.8'],
  ['everywhere, for nobody', '0.0.0.0', { peer: 'nobody.invalid' }, '0.0.0.0'],
])('who listens at %s is told by an address that devices reach', async (_what, host, way, address) => {
  expect(await addressFor(host, way)).toBe(address)
})

test('an image is published where the device comes by', async () => {
  const published = new Published(({ peer = '' }) => `http://${peer}:8000`)
  const image = { sizeBytes: 0, sha256: '', read: () => [] as unknown as AsyncIterable<Uint8Array> }
  const { uri } = await published.publish(image, { peer: '127.9.9.9' })
  expect(new URL(uri).host).toBe('127.9.9.9:8000')
})

test('a broker knows at which address a device reaches it, itself or by its gateway', async () => {
  const broker = await startBroker()
  const url = `mqtt://127.0.0.1:${broker.port}`
  const device = await startClient(url, 'd:org:pump:p-1')
  const gateway = await startClient(url, 'g:org:hub:g-1')
  gateway.say('iotdevice-1/type/pump/id/p-2/mgmt/manage', {})
  await expect.poll(() => broker.hereOf('pump/p-2')).toBe('127.0.0.1')
  expect(broker.hereOf('pump/p-1')).toBe('127.0.0.1')
  expect(broker.hereOf('pump/p-3')).toBeUndefined()
  expect(device).toBeDefined()
})
