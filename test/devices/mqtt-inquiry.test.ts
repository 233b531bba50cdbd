import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { forwarding } from '../../src/console/method.ts'
import { createMqttAdapter } from '../../src/devices/mqtt/adapter.ts'
import { type Firmware, noFirmware } from '../../src/devices/mqtt/firmware.ts'
import type { ManagedDevice } from '../../src/devices/mqtt/managed-device.ts'
import type { Flasher } from '../../src/devices/flasher.ts'
import { type Clock, VirtualClock } from '../../src/lib/clock.ts'
import { fail } from '../../src/lib/result.ts'
import { uris } from '../../src/redfish/uris.ts'
import { leftBy, watchDeaths } from '../support/crashes.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { pumpJob } from '../support/mqtt.ts'
import { mqttMethod, MqttLab, WORK_MS } from '../support/mqtt-lab.ts'
import { push } from '../support/multipart.ts'
import { labImage, LONG_MS } from '../support/rollouts.ts'

const PUMP = 'pump/p-1'
/** A device for which images of the lab are. */
const KEY = 'lab-pump/p-1'
const URI = 'http://console.example/1'
const image = Buffer.alloc(1_000, 7)
let published = 0
const publish = () => ({ uri: `http://console.example/${++published}`, done: () => {} })

interface Left {
  readonly at?: 'transfer' | 'verify' | 'install' | 'activate'
  readonly firmware?: Partial<Firmware>
  readonly device?: Partial<ManagedDevice>
  readonly silent?: true
  readonly told?: false
  readonly found: string
  /** What comes of the stage that it goes on in. */
  readonly ends?: string
}

describe('a device that a console told of an image before it died', () => {
  const ours = { uri: URI, version: '2.0.0' }
  test.each<[string, Left]>([
    ['was not told yet', { told: false, found: 'nothing' }],
    ['was told and not asked', { firmware: ours, found: 'nothing' }],
    ['downloads it', { firmware: { ...ours, state: 1 }, found: 'verify', ends: 'ok' }],
    ['has downloaded it', { firmware: { ...ours, state: 2 }, found: 'verify', ends: 'ok' }],
    ['has downloaded it', { at: 'install', firmware: { ...ours, state: 2 }, found: 'install', ends: 'ok' }],
    ['has lost its connection', { firmware: { ...ours, updateStatus: 3 }, found: 'nothing' }],
    ['has found it broken', { firmware: { ...ours, updateStatus: 4 }, found: 'verify', ends: 'corrupt' }],
    [
      'installs it',
      { at: 'install', firmware: { ...ours, state: 2, updateStatus: 1 }, found: 'install', ends: 'ok' },
    ],
    [
      'does not take it',
      { at: 'install', firmware: { ...ours, updateStatus: 5 }, found: 'install', ends: 'failed' },
    ],
    ['has installed it', { at: 'install', firmware: ours, found: 'activate', ends: '2.0.0' }],
    ['has installed it', { at: 'activate', firmware: ours, found: 'activate', ends: '1.0.0' }],
    [
      'knows of another',
      { at: 'install', firmware: { ...ours, uri: 'http://elsewhere/' }, found: 'nothing' },
    ],
    [
      'knows nothing any more, and runs it',
      { at: 'install', device: { info: { fwVersion: '2.0.0' } }, found: 'activate' },
    ],
    ['says nothing', { at: 'install', silent: true, found: 'failed' }],
    ['says nothing, and was not to install', { silent: true, found: 'nothing' }],
  ])('%s: %o', async (_what, { at = 'transfer', firmware, device = {}, silent, told, found, ends }) => {
    const clock = new VirtualClock()
    const lab = new MqttLab()
    lab.add('pump', 'p-1', device)
    const agent = lab.agent(PUMP)
    agent.firmware = { ...noFirmware, ...firmware }
    agent.isSilent = silent ?? false
    lab.goOn(clock)
    const adapter = createMqttAdapter(lab.managedBy(clock), { publish, clock })
    const job = pumpJob({ image, version: '2.0.0' })
    if (told !== false) job.memo.write(URI)
    const finding = adapter.inquire(job, at)
    await clock.advance(2 * WORK_MS)
    const left = await finding
    expect(left.ok ? left.value : left.problem.kind).toBe(found)
    if (ends === undefined || !left.ok || left.value === 'nothing') return
    const going = adapter[left.value](job)
    await clock.advance(2 * WORK_MS)
    const result = await going
    const running = lab.managedBy(clock).device(PUMP)?.info.fwVersion
    const word = result.ok ? 'ok' : result.problem.kind
    expect(left.value === 'activate' ? running : word).toBe(ends)
    // It was asked for nothing that it had begun.
    const isAsked = at === 'install' && firmware?.state === 2 && firmware.updateStatus === undefined
    expect(agent.asked).toEqual(isAsked ? ['firmware/update'] : [])
  })

  test('is waited for until it is there again, and asked again where it was about to boot', async () => {
    const clock = new VirtualClock()
    const lab = new MqttLab()
    lab.add('pump', 'p-1', { isDormant: true })
    Object.assign(lab.agent(PUMP), { firmware: { ...noFirmware, ...ours }, misses: 2 })
    const adapter = createMqttAdapter(lab.managedBy(clock), { publish, clock })
    const job = pumpJob({ image, version: '2.0.0' })
    job.memo.write(URI)
    const found = adapter.inquire(job, 'install')
    await clock.advance(WORK_MS)
    lab.become(PUMP, { isDormant: false }, 'awake')
    await clock.advance(WORK_MS)
    expect(await found).toEqual({ ok: true, value: 'activate' })
  })
})

/** A console that manages these devices, in the middle of what they do. */
async function startConsole(lab: MqttLab, after?: TestOptions['after']) {
  const here: { emulator?: TestEmulator } = {}
  const now = (): TestEmulator['clock'] => here.emulator?.clock ?? new VirtualClock()
  const clock: Clock = {
    now: () => now().now(),
    sleep: (ms, signal) => now().sleep(ms, signal),
    schedule: (ms, work) => now().schedule(ms, work),
    io: (work) => now().io(work),
    breathe: () => now().breathe(),
  }
  const adapter = forwarding(createMqttAdapter(lab.managedBy(clock), { publish, clock }))
  const { device, firmware } = pumpJob({ image, version: '' }, KEY)
  const on = { device, firmware }
  const flasher: Flasher = {
    transfer: (job) => adapter.transfer({ ...job, ...on }),
    verify: (job) => adapter.verify({ ...job, ...on }),
    install: (job) => adapter.install({ ...job, ...on }),
    activate: (job) => adapter.activate({ ...job, ...on }),
    inquiry: () => async (job, at) =>
      (await adapter.inquire?.({ ...job, ...on }, at)) ?? fail({ kind: 'failed' }),
    release: (job) => adapter.release({ ...job, ...on }),
  }
  const emulator = await startEmulator({
    machine: 'console',
    methods: [mqttMethod],
    flasher,
    ...(after && { after }),
  })
  here.emulator = emulator
  lab.goOn(emulator.clock)
  return emulator
}

test('whenever the console dies, a roll-out goes on, and each device has installed once', async () => {
  const firmware = await labImage({ pump: '2.0.0' })
  const images = new Map([[createHash('sha256').update(firmware).digest('hex'), firmware]])
  const lab = new MqttLab()
  lab.add('lab-pump', 'p-1')
  const first = await startConsole(lab)
  lab.attachTo(first)
  const deaths = watchDeaths(first)
  const labs: MqttLab[] = []
  first.bmc.listeners.add(() => labs.push(lab.left()))
  await push(first, firmware, { Oem: { Redflash: { RollOut: {} } } })
  // And between commits, in the middle of what the device does.
  for (let passed = 0; passed < 3 * WORK_MS; passed += WORK_MS / 2) {
    await first.clock.advance(WORK_MS / 2)
    deaths.push({ at: first.clock.now(), records: [...first.journal.read()] })
    labs.push(lab.left())
  }
  const installs = (one: MqttLab) => one.agent(KEY).asked.filter((what) => what === 'firmware/update')
  expect(installs(lab)).toHaveLength(1)
  const began = deaths.findIndex(({ records }) => records.some(({ table }) => table === 'rollouts'))
  expect(deaths.length - began).toBeGreaterThan(12)
  for (const [index, death] of deaths.entries()) {
    const left = labs[index]
    if (index < began || left === undefined) continue
    const second = await startConsole(left, await leftBy(death, images))
    await second.clock.advance(LONG_MS)
    const { JobState } = await second.get(uris.job('1'))
    const about = `death ${index}`
    const { Version } = await second.get(uris.firmware('1-firmware'))
    expect({ about, JobState, Version, installs: installs(left).length }).toEqual({
      about,
      JobState: 'Completed',
      Version: '2.0.0',
      installs: 1,
    })
  }
})
