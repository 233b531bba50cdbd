import { Aedes } from 'aedes'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { makeMqtt } from '../../src/console/mqtt.ts'
import { Published } from '../../src/console/published.ts'

import { untilHere } from '../../src/devices/mqtt/until-here.ts'
import { createMqttAdapter } from '../../src/devices/mqtt/adapter.ts'
import { PATIENCE_MS as DEVICE_MS } from '../../src/devices/mqtt/follow.ts'
import { type Clock, systemClock, VirtualClock } from '../../src/lib/clock.ts'
import { stages } from '../contracts/device-adapter.ts'
import { listen as listenOn } from '../support/image-server.ts'
import { ourMachine } from '../support/machines.ts'
import {
  address,
  failed,
  never,
  pumpJob,
  startAgents,
  startImages,
  startManager,
  until,
} from '../support/mqtt.ts'
import { absent, PATIENCE_MS, works } from '../support/programs.ts'
import { temporaryFolder } from '../support/wire.ts'

const LOOPBACK = '127.0.0.1'
const MOSQUITTO = 'mosquitto'
const image = Buffer.alloc(100_000, 7)

/** A broker that knows nothing of IBM's topics, and can go away and come back. */
async function startPlain(port = 0) {
  const aedes = await Aedes.createBroker()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    aedes.handle(socket)
  })
  server.listen(port, LOOPBACK)
  await once(server, 'listening')
  const opened = server.address()
  if (opened === null || typeof opened === 'string') throw new Error('it does not listen')
  let isOpen = true
  const stop = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => aedes.close(resolve))
    await closed
  }
  onTestFinished(stop)
  return { port: opened.port, stop }
}

/** Who manages, and a device, by a broker that others run. */
async function startBoth(url: string, clock: Clock) {
  const images = await startImages()
  const manager = startManager(url, { clock })
  // What devices say before is said to nobody.
  await expect.poll(() => manager.isUp, { timeout: PATIENCE_MS }).toBe(true)
  const agents = await startAgents({ clock, broker: url, scopedTopics: true })
  const adapter = createMqttAdapter(manager, { clock, publish: images.publish })
  return { manager, agents, adapter }
}

describe('a broker that others run', () => {
  test('is as good, where topics name the device', async () => {
    const { port } = await startPlain()
    const { manager, adapter } = await startBoth(`mqtt://${LOOPBACK}:${port}`, systemClock)
    await until(manager, () => manager.device('pump/p-1') !== undefined)
    const job = pumpJob({ image, version: '2.0.0' })
    for (const stage of stages) expect(await adapter[stage](job)).toMatchObject({ ok: true })
    expect(manager.device('pump/p-1')?.info.fwVersion).toBe('2.0.0')
  })

  test('may go away in the middle of a download, which ends when it is there again', async () => {
    const clock = new VirtualClock()
    const broker = await startPlain()
    const { manager, agents, adapter } = await startBoth(`mqtt://${LOOPBACK}:${broker.port}`, clock)
    await until(manager, () => manager.device('pump/p-1') !== undefined)
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>()
    const job = pumpJob({ image, version: '2.0.0' })
    const read = async function* (): AsyncIterable<Uint8Array> {
      yield image.subarray(0, 1)
      await goOn
      yield image.subarray(1)
    }
    const transfer = adapter.transfer({ ...job, image: { ...job.image, read } })
    await until(manager, () => manager.device('pump/p-1')?.firmware.state === 1)
    await broker.stop()
    await expect.poll(() => [manager.isUp, agents.managed]).toEqual([false, 0])
    release()
    await startPlain(broker.port)
    while (!manager.isUp || agents.managed === 0) await clock.advance(1_000)
    expect(await transfer).toMatchObject({ ok: true })
    expect(await adapter.verify(job)).toMatchObject({ ok: true })
  })

  test('keeps devices that have no reason to speak: after a restart they are asked whether they are there', async () => {
    const clock = new VirtualClock()
    const { port } = await startPlain()
    const url = `mqtt://${LOOPBACK}:${port}`
    const bmc = createBmc('console', ourMachine('rackmount'), new Map())
    const begin = async () => {
      const published = new Published(() => Promise.resolve(''))
      const { managed, method } = await makeMqtt({
        clock,
        published,
        mqtt: url,
        tls: undefined,
        host: '',
        token: '',
        failed,
      })
      const told: unknown[] = []
      const end = method.announces?.((announcement) => told.push(announcement), bmc)
      const close = async () => {
        end?.()
        await method.adapter.close()
      }
      return { managed, told, close, look: (key: string) => method.adapter.look(address(key), never()) }
    }
    const first = await begin()
    const agents = await startAgents({ clock, broker: url, scopedTopics: true })
    await expect.poll(() => first.managed.device('pump/p-1')?.supports['firmwareActions']).toBe(true)
    commit(bmc, {
      mqttDevices: [
        ['pump/gone', { ...first.managed.device('pump/p-1'), key: 'pump/gone', deviceId: 'gone' }],
      ],
    })
    // It has heard the answer, too.
    await expect.poll(() => agents.managed).toBe(1)
    await first.close()
    expect(agents.managed).toBe(1)
    const second = await begin()
    expect(second.told.slice(0, 2)).toEqual(
      ['pump/p-1', 'pump/gone'].map((hostName) => ({ kind: 'here', hostName })),
    )
    await expect.poll(() => second.managed.device('pump/p-1')?.isDormant).toBe(false)
    expect(await second.look('pump/p-1')).toMatchObject({ value: { firmware: [{ version: '1.0.0' }] } })
    const looked = second.look('pump/gone')
    const awaited = untilHere({ clock, manager: second.managed }, 'pump/gone', never())
    await clock.advance(DEVICE_MS)
    for (const outcome of [looked, awaited])
      expect(await outcome).toMatchObject({ ok: false, problem: { kind: 'unreachable' } })
    expect(bmc.state.mqttDevices.get('pump/p-1')).toMatchObject({ isDormant: false })
    await second.close()
  })

  test('is asked less and less often whether it is there', async () => {
    const clock = new VirtualClock()
    const { port, stop } = await startPlain()
    await stop()
    let times = 0
    await startAgents({ clock, broker: `mqtt://${LOOPBACK}:${port}`, lost: () => times++ })
    for (const [passedMs, expected] of [
      [0, 1],
      [1_000, 2],
      [2_000, 3],
      [3_999, 3],
      [1, 4],
    ] as const) {
      await clock.advance(passedMs)
      expect(times).toBe(expected)
    }
  })

  test('that is not there is not waited for', async () => {
    const { port, stop } = await startPlain()
    const { manager, adapter } = await startBoth(`mqtt://${LOOPBACK}:${port}`, new VirtualClock())
    await until(manager, () => manager.device('pump/p-1') !== undefined)
    await stop()
    await expect.poll(() => manager.isUp).toBe(false)
    const transferred = await adapter.transfer(pumpJob({ image, version: '2.0.0' }))
    expect(transferred).toMatchObject({ problem: { kind: 'failed' } })
    expect(await manager.write('pump/p-1', [], never())).toMatchObject({ problem: { kind: 'unreachable' } })
  })

  const hasMosquitto = works('sh', ['-c', `command -v ${MOSQUITTO}`])
  test.skipIf(!hasMosquitto)(`may be mosquitto${absent(hasMosquitto, MOSQUITTO)}`, async () => {
    // It takes no port 0: one that was free a moment ago.
    const free = createServer()
    const { port } = await listenOn(free)
    const closed = once(free, 'close')
    free.close()
    await closed
    const file = join(await temporaryFolder(), 'mosquitto.conf')
    await writeFile(file, `listener ${port} ${LOOPBACK}\nallow_anonymous true\n`)
    const mosquitto = spawn(MOSQUITTO, ['-c', file])
    onTestFinished(async () => {
      const exit = once(mosquitto, 'exit')
      mosquitto.kill()
      await exit
    })
    const { manager, adapter } = await startBoth(`mqtt://${LOOPBACK}:${port}`, systemClock)
    await until(manager, () => manager.device('pump/p-1') !== undefined)
    const job = pumpJob({ image, version: '2.0.0' })
    for (const stage of stages) expect(await adapter[stage](job)).toMatchObject({ ok: true })
    expect(manager.device('pump/p-1')?.info.fwVersion).toBe('2.0.0')
  })
})
