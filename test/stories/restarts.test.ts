import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { ask, devicesOf, fetcherOf, perform, prepare, versions } from '../support/flows/perform.ts'
import { flowsIn } from '../support/flows/table.ts'
import { watchWork } from '../support/flows/watching.ts'

test.each(flowsIn(['a multipart push', 'a pull of a kept image']))(
  'after $circumstance a restart whenever nothing goes on changes nothing: $applyTime, $devices, awaitReset $awaitReset, $startUpdate',
  async (one) => {
    const { circumstance: way, awaitReset, startUpdate, acts, devices } = one
    const options: TestOptions = { adapted: { awaitReset, startUpdate }, fetcher: fetcherOf(devices) }
    const first = await startEmulator(options)
    await prepare(first, way, one)
    let watch = watchWork(first.bmc)
    expect((await ask(first, way, one)).status).toBe(202)
    await first.clock.advance(300_000)
    let emulator: TestEmulator = first
    let { messages } = watch.look()
    for (const [act, expected] of acts) {
      if (act === 'the update is asked for') continue
      emulator = await startEmulator({ ...options, after: emulator })
      watch = watchWork(emulator.bmc, watch)
      await emulator.clock.advance(1)
      // Nothing is told again, and nothing goes on by itself.
      expect(watch.look().seen, `before ${act}`).toEqual({})
      await perform(emulator, act, messages)
      const { seen, messages: news } = watch.look()
      const { log: _, ...shown } = seen
      expect('log' in expected ? seen : shown, act).toEqual(expected)
      messages = news
    }
    const now = devicesOf[devices].map((id) => emulator.get(uris.firmware(id)))
    expect(await Promise.all(now)).toMatchObject(
      devicesOf[devices].map((id) => ({
        Version: versions[id],
        Status: { State: 'Enabled', Health: 'OK' },
      })),
    )
    expect(emulator.bmc.state.operations.size).toBe(0)
    expect(emulator.bmc.state.resets.size).toBe(0)
  },
)
