import { expect, onTestFinished, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { Devices } from '../../src/console/devices.ts'
import type { Announcement, Method } from '../../src/console/method.ts'
import type { DeviceAdapter } from '../../src/devices/device.ts'
import { type Clock, VirtualClock } from '../../src/lib/clock.ts'
import { fail } from '../../src/lib/result.ts'
import { DEVICE_PASSWORD, labDevice, labMethod } from '../support/managed-devices.ts'
import { ourMachine } from '../support/machines.ts'

const REFRESH_MS = 60_000

/** A console with so many devices of a lab, each look at which is counted. */
async function startDevices(count: number, others: Partial<Method> = {}) {
  const virtual = new VirtualClock()
  // Who hangs is waited for by timers only.
  const clock: Clock = {
    now: () => virtual.now(),
    sleep: (ms, signal) => virtual.sleep(ms, signal),
    schedule: (ms, run) => virtual.schedule(ms, run),
    io: (work) => work,
    breathe: () => undefined,
  }
  const names = Array.from({ length: count }, (_, index) => `lab-${index + 1}`)
  const lab = labMethod(Object.fromEntries(names.map((name) => [name, labDevice(name)])))
  const looks: string[] = []
  const hanging = new Set<string>()
  const refusing = new Set<string>()
  const look: DeviceAdapter['look'] = (device, signal) => {
    looks.push(device.hostName)
    if (hanging.has(device.hostName)) return new Promise(() => {})
    if (refusing.has(device.hostName))
      return Promise.resolve(fail({ kind: 'unreachable', detail: 'refused' }))
    return lab.adapter.look({ ...device, password: DEVICE_PASSWORD }, signal)
  }
  const method: Method = { ...lab, ...others, adapter: { ...lab.adapter, look } }
  const failed = (error: unknown): void => {
    throw error
  }
  const devices = new Devices({ clock, methods: [method], refreshMs: REFRESH_MS, failed })
  onTestFinished(() => devices.close())
  const bmc = createBmc('1', ourMachine('console'), new Map())
  const attach = (hostName: string) =>
    devices.attach(bmc, method, { address: { hostName, userName: '', password: '' } })
  for (const name of names) await attach(name)
  const lookedAt = async (ms: number): Promise<readonly string[]> => {
    looks.length = 0
    await virtual.advance(ms)
    return [...looks]
  }
  return { devices, bmc, clock: virtual, attach, hanging, refusing, lookedAt }
}

test('devices that hang keep no other from being looked at', async () => {
  const { bmc, hanging, lookedAt } = await startDevices(100)
  for (const id of bmc.state.devices.keys()) if (id !== '100') hanging.add(`lab-${id}`)
  expect(await lookedAt(REFRESH_MS + 20_000)).toContain('lab-100')
  await lookedAt(REFRESH_MS)
  const reachable = [...bmc.state.devices.values()].filter(({ isReachable }) => isReachable)
  expect(reachable.map(({ id }) => id)).toEqual(['100'])
})

test('a device that hangs is not attached, and whoever asks is told', async () => {
  const { attach, hanging, clock, bmc } = await startDevices(0)
  hanging.add('lab-9')
  const attached = attach('lab-9')
  await clock.advance(60_000)
  expect(await attached).toMatchObject({ ok: false, problem: { kind: 'unreachable' } })
  expect(bmc.state.devices.size).toBe(0)
})

test('a device that is lost is looked for more and more seldom, and found again', async () => {
  const { bmc, refusing, lookedAt } = await startDevices(1)
  refusing.add('lab-1')
  const waits = [1, 1, 2, 4, 8, 8]
  for (const wait of waits) {
    expect(await lookedAt(REFRESH_MS * wait - 1)).toEqual([])
    expect(await lookedAt(1)).toEqual(['lab-1'])
  }
  expect(bmc.state.devices.get('1')?.isReachable).toBe(false)
  refusing.clear()
  await lookedAt(8 * REFRESH_MS)
  expect(bmc.state.devices.get('1')?.isReachable).toBe(true)
  expect(await lookedAt(REFRESH_MS)).toEqual(['lab-1'])
})

test('a device that comes by itself is forgotten when it is detached', async () => {
  const forgotten: string[] = []
  let tell: (announcement: Announcement) => void = () => {}
  const { devices, bmc, lookedAt } = await startDevices(1, {
    announces: (told) => {
      tell = told
      return () => {}
    },
    forget: (hostName) => {
      forgotten.push(hostName)
      tell({ kind: 'gone', hostName })
    },
  })
  devices.begin(bmc)
  devices.detach(bmc, '1')
  expect(forgotten).toEqual(['lab-1'])
  expect(await lookedAt(REFRESH_MS)).toEqual([])
  tell({ kind: 'here', hostName: 'lab-1' })
  await lookedAt(0)
  expect([...bmc.state.devices.keys()]).toEqual(['2'])
})

test('what tells of itself is found by where it is, not among all others', async () => {
  let tell: (announcement: Announcement) => void = () => {}
  const announces = (told: typeof tell) => {
    tell = told
    return () => {}
  }
  const { devices, bmc, lookedAt } = await startDevices(3, { announces })
  devices.begin(bmc)
  let walks = 0
  const { state } = bmc
  const values = state.devices.values.bind(state.devices)
  state.devices.values = () => {
    walks++
    return values()
  }
  tell({ kind: 'here', hostName: 'lab-2' })
  expect(await lookedAt(0)).toEqual(['lab-2'])
  tell({ kind: 'gone', hostName: 'lab-2' })
  expect([...state.devices.keys()]).toEqual(['1', '3'])
  expect(walks).toBe(0)
})
