import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createEmulator, type EmulatorOptions } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { requestBy } from '../support/events.ts'
import { problemOf } from '../support/fleet-wire.ts'
import { temporaryFolder } from '../support/wire.ts'

async function startFleet(options: EmulatorOptions = {}) {
  const spool = await temporaryFolder()
  const emulator = await createEmulator({ bmcs: 3, https: false, controlPort: 0, spool, ...options })
  onTestFinished(() => emulator.close())
  const urls = (): string[] => emulator.bmcs.map((bmc) => emulator.urlsOf(bmc)[0]?.url ?? '')
  return { emulator, urls }
}

/** By a connection of its own: those that somebody was asked by end with him. */
const answers = async (url: string): Promise<boolean> =>
  (await problemOf({ url: `${url}${uris.root}/` })) === 200

describe('while it serves, a fleet', () => {
  test.each(['address', 'port', 'path'])('gets BMCs and loses them, by the library: by %s', async (reach) => {
    const { emulator, urls } = await startFleet({ reach })
    const before = urls()
    expect(emulator.url).toBe(before[0])
    expect(await Promise.all(before.map(answers))).toEqual([true, true, true])
    const [added] = await emulator.add('bmc')
    expect(added?.id).toBe('bmc-0004')
    expect(await answers(urls()[3] ?? '')).toBe(true)
    const [, second] = emulator.bmcs
    if (second === undefined) throw new Error('there were three')
    expect([await emulator.remove(second), await emulator.remove(second)]).toEqual([true, false])
    expect(emulator.urlsOf(second)).toEqual([])
    expect(await Promise.all([...before, urls()[2] ?? ''].map(answers))).toEqual([true, false, true, true])
    expect(emulator.bmcs.map(({ id }) => id)).toEqual(['bmc-0001', 'bmc-0003', 'bmc-0004'])
  })

  test('is controlled at the port for that, and no BMC answers there', async () => {
    const { emulator, urls } = await startFleet()
    const control = { url: emulator.controlUrl ?? '' }
    expect(control.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await requestBy(control, 'POST', '/bmcs', { group: 'bmc', count: 2 })).status).toBe(201)
    expect(await Promise.all(urls().map(answers))).toEqual(Array(5).fill(true))
    expect((await requestBy(control, 'DELETE', '/bmcs/bmc-0002')).status).toBe(204)
    expect(urls()).toHaveLength(4)
    expect((await requestBy(control, 'GET', uris.root)).status).toBe(404)
  })

  test('ends with all that it has, its control too', async () => {
    const { emulator, urls } = await startFleet()
    const all = [...urls(), emulator.controlUrl ?? '']
    await emulator.close()
    expect(await Promise.all(all.map(answers))).toEqual([false, false, false, false])
  })
})

test('as many connections as somebody says hold for a fleet, too', async () => {
  const { urls } = await startFleet({ reach: 'name', maxConnections: 1 })
  const port = Number(new URL(urls()[0] ?? '').port)
  const [first, second] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  onTestFinished(() => void [first, second].map((socket) => socket.destroy()))
  await once(second.resume(), 'close')
  expect(first.destroyed).toBe(false)
})

test('a service of one BMC gets no other, and keeps the one that it has', async () => {
  const emulator = await createEmulator({ https: false, spool: await temporaryFolder() })
  onTestFinished(() => emulator.close())
  const [only] = emulator.bmcs
  if (only === undefined) throw new Error('there is no BMC')
  expect([emulator.controlUrl, only.id]).toEqual([undefined, '1'])
  await expect(emulator.add('bmc')).rejects.toThrow('room for 1')
  expect(await emulator.remove(only)).toBe(false)
  expect(await answers(emulator.url ?? '')).toBe(true)
})
