import { expect, test } from 'vitest'
import { ask, learn } from '../../src/console/requests/ask.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { listen, never, pumpJob, startImages, startManaged } from '../support/mqtt.ts'

const KEY = 'pump/p-1'

test('S4-06, S4-12: what requests ask for, a device on a broker does, and each but once', async () => {
  const { manager, broker, agents } = await startManaged()
  const said = await listen(broker)
  const images = await startImages()
  const { image } = pumpJob({ image: Buffer.alloc(10_000, 7), version: '2.0.0' })
  const { uri } = images.publish(image)
  const parameters = Object.entries({ uri, version: '2.0.0', verifier: image.sha256 }).map(
    ([name, value]) => ({
      name,
      value,
    }),
  )
  const way = { clock: systemClock, mqtt: manager }
  const done = async (action: string, mayBeAsked = false) => {
    const request = { action, parameters: action === 'firmware/download' ? parameters : [] }
    const outcome = await ask(way, { key: KEY, request, mayBeAsked }, never())
    return outcome.ok
  }
  await learn(way, [KEY], 'firmware/update')
  expect(manager.device(KEY)?.firmware).toMatchObject({ state: 0, updateStatus: 0 })
  expect(await done('firmware/update')).toBe(false)
  expect(await done('firmware/download')).toBe(true)
  expect(await done('firmware/download', true)).toBe(true)
  expect(await done('firmware/update', true)).toBe(true)
  expect(agents.agent({ typeId: 'pump', deviceId: 'p-1' })?.runs).toBe('2.0.0')
  expect(await done('firmware/update', true)).toBe(true)
  expect(await done('device/reboot')).toBe(true)
  expect(await done('device/reboot', true)).toBe(false)
  expect(await done('device/factoryReset')).toBe(true)
  expect(agents.agent({ typeId: 'pump', deviceId: 'p-1' })?.runs).toBe('1.0.0')
  const asked = said.flatMap(({ topic }) => topic.split('/mgmt/initiate/')[1] ?? [])
  expect(asked).toEqual([
    'firmware/update',
    'firmware/download',
    'firmware/update',
    'device/reboot',
    'device/factory_reset',
  ])
})
