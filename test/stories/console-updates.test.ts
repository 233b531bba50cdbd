import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { bundleBuilder } from '../../src/image/build/bundle.ts'
import { commit } from '../../src/bmc/commit.ts'
import type { DeviceStageName } from '../../src/bmc/device-faults.ts'
import type { DeviceAdapter } from '../../src/devices/device.ts'
import { fail, succeed } from '../../src/lib/result.ts'
import { message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { DEVICE_PASSWORD, labDevice, labMethod, type LabDevice, runs } from '../support/managed-devices.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { labImage } from '../support/rollouts.ts'

/** A console with three devices. */
async function startConsole() {
  const names = ['lab-1', 'lab-2', 'lab-3']
  const devices = Object.fromEntries(names.map((name) => [name, labDevice(name)]))
  const emulator = await startEmulator({ machine: 'console', methods: [labMethod(devices)] })
  for (const name of names) await attach(emulator, name)
  return { ...emulator, device: (name: string): LabDevice => there(devices[name]) }
}

async function attach({ send }: Pick<TestEmulator, 'send'>, HostName: string): Promise<void> {
  const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod('Lab') } }
  await send(uris.aggregationSources, {
    method: 'POST',
    body: { HostName, Password: DEVICE_PASSWORD, Links },
  })
}

function there<T>(one: T | undefined): T {
  if (one === undefined) throw new Error('there is none')
  return one
}

const stages = (id: string) => ['transfer', 'verify', 'install', 'activate'].map((stage) => `${stage} ${id}`)

describe('an update of a console', () => {
  test('goes to the device that is named, and its version follows', async () => {
    const emulator = await startConsole()
    const Targets = [uris.system('2')]
    await push(emulator, await labImage({ BIOS: '2.0.0' }), { Targets })
    await emulator.clock.advance(60_000)
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(['lab-1', 'lab-2', 'lab-3'].map((name) => emulator.device(name).asked)).toEqual([
      [],
      stages('BIOS'),
      [],
    ])
    expect(await emulator.get(uris.system('2'))).toMatchObject({ BiosVersion: '2.0.0' })
    expect(messageKeys(await emulator.get(uris.task('1')))).not.toContain('UpdateNotApplicable')
    expect(await emulator.get(uris.system('1'))).toMatchObject({ BiosVersion: '1.0.0' })
  })

  test.each([
    ['a system', () => [uris.system('1')], [true, false, false]],
    ['a manager, of which the image has nothing', () => [uris.manager('1')], [false, false, false]],
    ['an aggregate', () => [uris.aggregate('1')], [false, true, true]],
    ['an aggregate, for a manager of it', () => [uris.aggregate('1')], [false, true, true], 'BMC'],
    ['nobody in particular', () => [], [true, true, true]],
  ])('of which %s is the target goes where that is', async (_what, targets, updated, firmware = 'BIOS') => {
    const emulator = await startConsole()
    const Elements = ['2', '3'].map((id) => ({ '@odata.id': uris.system(id) }))
    await emulator.send(uris.aggregates, { method: 'POST', body: { Elements } })
    await push(emulator, await labImage({ [firmware]: '2.0.0' }), { Targets: targets() })
    await emulator.clock.advance(60_000)
    expect(['lab-1', 'lab-2', 'lab-3'].map((name) => emulator.device(name).asked.length > 0)).toEqual(updated)
  })

  test.each<readonly [string, (device: LabDevice, version: string) => void, readonly string[]]>([
    ['keeps its version', () => {}, ['ActivateFailed', 'DeviceKeptVersion']],
    [
      'runs one that nobody has asked for',
      (device) => runs(device, 'BIOS', '3.0.0'),
      ['ActivateFailed', 'DeviceRunsOtherVersion'],
    ],
    ['names it with its build', (device) => runs(device, 'BIOS', '2.0.0.77'), ['UpdateSuccessful']],
    ['does not know what it runs', (device) => runs(device, 'BIOS', ''), ['UpdateSuccessful']],
  ])('of a device that says that all is well and %s ends so', async (_what, activates, told) => {
    const emulator = await startConsole()
    const device = emulator.device('lab-2')
    device.activates = (version) => activates(device, version)
    await push(emulator, await labImage({ BIOS: '2.0.0' }), { Targets: [uris.system('2')] })
    await emulator.clock.advance(600_000)
    const task = await emulator.get(uris.task('1'))
    expect(messageKeys(task).slice(-told.length)).toEqual(told)
    const { version = '' } = device.facts.firmware.find(({ id }) => id === 'BIOS') ?? {}
    expect(await emulator.get(uris.firmware('2-BIOS'))).toMatchObject({
      ...(version !== '' && { Version: version }),
      Status: { Health: 'OK' },
    })
  })

  test('waits for a device that is away, and says its version when it is back', async () => {
    const emulator = await startConsole()
    const device = emulator.device('lab-2')
    device.activates = () => (device.isUp = false)
    await push(emulator, await labImage({ BIOS: '2.0.0' }), { Targets: [uris.system('2')] })
    await emulator.clock.advance(60_000)
    device.isUp = true
    await emulator.clock.advance(60_000)
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Running' })
    runs(device, 'BIOS', '2.0.0')
    await emulator.clock.advance(10_000)
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(await emulator.get(uris.system('2'))).toMatchObject({ BiosVersion: '2.0.0' })
  })

  test('fails where its device does, and goes on elsewhere', async () => {
    const emulator = await startConsole()
    emulator.device('lab-2').problems.install = { kind: 'failed' }
    await push(emulator, await labImage({ BMC: '2.0.0' }))
    await emulator.clock.advance(60_000)
    const task = await emulator.get(uris.task('1'))
    expect(task).toMatchObject({ TaskState: 'Exception' })
    expect(messageKeys(task)).toContain('ApplyFailed')
    expect(await emulator.get(uris.manager('1'))).toMatchObject({ FirmwareVersion: '2.0.0' })
    expect(await emulator.get(uris.manager('3'))).toMatchObject({ FirmwareVersion: '2.0.0' })
  })

  test('for another model goes to no device, whatever else is attached', async () => {
    const emulator = await startConsole()
    emulator.device('lab-2').facts = { ...emulator.device('lab-2').facts, model: 'Lab 2' }
    await emulator.clock.advance(60_000)
    const component = { name: 'BIOS', version: '2.0.0', softwareId: 'lab-bios', sizeBytes: 1_024 }
    const forLab2 = await buffer(bundleBuilder.build({ components: [component], machine: 'Lab 2' }))
    await push(emulator, forLab2)
    await emulator.clock.advance(60_000)
    expect(['lab-1', 'lab-2', 'lab-3'].map((name) => emulator.device(name).asked.length > 0)).toEqual([
      false,
      true,
      false,
    ])
  })

  test('is over for firmware that the device does not show for a while', async () => {
    const emulator = await startConsole()
    const device = emulator.device('lab-2')
    const { firmware } = device.facts
    device.during = async (stage) => {
      if (stage !== 'activate') return
      device.facts = { ...device.facts, firmware: firmware.filter(({ id }) => id !== 'BIOS') }
      await emulator.send(uris.aggregationSource('2'), {
        method: 'PATCH',
        body: { Password: DEVICE_PASSWORD },
      })
    }
    await push(emulator, await labImage({ BIOS: '2.0.0' }), { Targets: [uris.system('2')] })
    await emulator.clock.advance(30_000)
    device.facts = { ...device.facts, firmware }
    runs(device, 'BIOS', '2.0.0')
    await emulator.clock.advance(60_000)
    expect(await emulator.get(uris.firmware('2-BIOS'))).toMatchObject({
      Version: '2.0.0',
      Status: { State: 'Enabled', Health: 'OK' },
    })
  })

  test.each(['install', 'activate'] as const)(
    'that failed to %s leaves its firmware as the device says at once that it is',
    async (stage) => {
      const emulator = await startConsole()
      const device = emulator.device('lab-2')
      device.problems[stage] = { kind: 'failed' }
      device.during = async (now) => {
        if (now === stage) runs(device, 'BIOS', '0.9.0')
      }
      await push(emulator, await labImage({ BIOS: '2.0.0' }), { Targets: [uris.system('2')] })
      // Long before anybody looks at it for another reason.
      await emulator.clock.advance(30_000)
      expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Exception' })
      expect(await emulator.get(uris.firmware('2-BIOS'))).toMatchObject({
        Version: '0.9.0',
        Status: { State: 'Enabled', Health: 'OK' },
      })
    },
  )

  test('ends where it began, whatever address its device is given meanwhile', async () => {
    const emulator = await startConsole()
    emulator.device('lab-2').during = async (stage) => {
      if (stage === 'transfer') {
        const { address, ...rest } = there(emulator.bmc.state.devices.get('2'))
        const moved = { ...rest, address: { ...address, hostName: 'lab-9' } }
        commit(emulator.bmc, { devices: [['2', moved]] })
      }
    }
    await push(emulator, await labImage({ BIOS: '2.0.0' }), { Targets: [uris.system('2')] })
    await emulator.clock.advance(30_000)
    expect(emulator.device('lab-2').asked).toEqual(stages('BIOS'))
  })

  test('does not begin on a device that was detached, and ends', async () => {
    const emulator = await startConsole()
    await push(emulator, await labImage({ BIOS: '2.0.0' }), {
      Targets: [uris.firmware('1-BIOS'), uris.firmware('2-BIOS')],
      '@Redfish.OperationApplyTime': 'OnStartUpdateRequest',
    })
    await emulator.clock.advance(10_000)
    await emulator.send(uris.aggregationSource('2'), { method: 'DELETE' })
    await emulator.send(uris.action(uris.updateService, 'UpdateService.StartUpdate'), {
      method: 'POST',
      body: {},
    })
    await emulator.clock.advance(60_000)
    expect(emulator.device('lab-1').asked).toEqual(stages('BIOS'))
    expect(emulator.device('lab-2').asked).toEqual([])
    const tasks = [...emulator.bmc.state.tasks.values()].map(({ state }) => state)
    expect(tasks.every((state) => state === 'Exception' || state === 'Completed')).toBe(true)
    expect(tasks).toContain('Exception')
    expect(emulator.bmc.state.components.has('2-BIOS')).toBe(false)
  })
})

test.each([
  ['is tried again', 'Redflash.DeviceFailed', ['ApplyFailed', 'DeviceFailed', 'UpdateSuccessful']],
  ['is not', 'Update.TransferFailed', ['ApplyFailed', 'DeviceFailed']],
])(
  'a device of a roll-out tells why it failed, and %s where %s is worth it',
  async (_what, worth, expected) => {
    const emulator = await startConsole()
    const device = emulator.device('lab-1')
    device.problems.install = { kind: 'failed', why: [message('Redflash.DeviceFailed', 'lab-1', 'no room')] }
    const RollOut = {
      Targets: [uris.system('1')],
      Retries: { MaxRetries: 1, Delay: 'PT1H', MessageIds: [worth] },
    }
    await push(emulator, await labImage({ BIOS: '2.0.0' }), { Oem: { Redflash: { RollOut } } })
    await emulator.clock.advance(60_000)
    delete device.problems.install
    await emulator.clock.advance(2 * 3_600_000)
    expect(messageKeys(await emulator.get(uris.step('2', '1')))).toEqual(expected)
  },
)

interface Death {
  readonly at: DeviceStageName
  /** What the device says that it has come to; nothing where its kind does not tell. */
  readonly says?: DeviceStageName | 'nothing' | 'failed'
  /** What the console asks the device for after it. */
  readonly asks: readonly string[]
  readonly failure?: string
}

describe('a console that dies in the middle of a device’s stage', () => {
  test.each<[string, Death]>([
    ['goes on where that is', { at: 'install', says: 'activate', asks: ['activate BIOS'] }],
    ['goes on where that is', { at: 'activate', says: 'activate', asks: ['activate BIOS'] }],
    ['goes on where that is', { at: 'transfer', says: 'verify', asks: stages('BIOS').slice(1) }],
    ['begins anew what never began', { at: 'transfer', says: 'nothing', asks: stages('BIOS') }],
    ['begins anew what never began', { at: 'install', says: 'nothing', asks: stages('BIOS') }],
    ['hears that it failed', { at: 'verify', says: 'failed', asks: [], failure: 'VerificationFailed' }],
    ['hears that it failed', { at: 'activate', says: 'failed', asks: [], failure: 'ActivateFailed' }],
    ['does not write it twice', { at: 'install', asks: [], failure: 'ApplyFailed' }],
    ['begins anew', { at: 'verify', asks: stages('BIOS') }],
    ['begins anew', { at: 'transfer', asks: stages('BIOS') }],
  ])('%s: %o', async (_what, { at, says, asks, failure }) => {
    const device = labDevice('lab-1')
    const lab = labMethod({ 'lab-1': device })
    const inquired: unknown[] = []
    const inquire: DeviceAdapter['inquire'] = async ({ memo }, stage) => {
      inquired.push([memo.read(), stage])
      return says === undefined || says === 'failed' ? fail({ kind: 'failed' }) : succeed(says)
    }
    const adapter: DeviceAdapter = {
      ...lab.adapter,
      transfer: (job) => {
        job.memo.write('begun')
        return lab.adapter.transfer(job)
      },
      ...(says && { inquire }),
    }
    const methods = [{ ...lab, adapter }]
    const first = await startEmulator({ machine: 'console', methods })
    await attach(first, 'lab-1')
    const dies = new Promise<void>((begun) => {
      device.during = async (stage) => {
        if (stage === at) await new Promise(() => begun())
      }
    })
    const RollOut = { Retries: { MaxRetries: 1, Delay: 'PT1H' } }
    await push(first, await labImage({ BIOS: '2.0.0' }), { Oem: { Redflash: { RollOut } } })
    void first.clock.advance(10_000)
    await dies
    delete device.during
    const before = [...device.asked]
    const second = await startEmulator({ machine: 'console', methods, after: first })
    await second.clock.advance(60_000)
    expect(device.asked).toEqual([...before, ...asks])
    expect(inquired).toEqual(says === undefined ? [] : [['begun', at]])
    const told = messageKeys(await second.get(uris.step('2', '1')))
    expect(told).toEqual(failure ? [failure, 'DeviceFailed'] : ['UpdateSuccessful'])
    // One that failed waits for its retry.
    expect(await second.get(uris.job('2'))).toMatchObject({ JobState: failure ? 'Running' : 'Completed' })
  })
})

describe('an image of which nothing is known here', () => {
  const anything = Buffer.alloc(2_000, 'vendor')

  test('goes whole to the device that is named, which says what it was', async () => {
    const emulator = await startConsole()
    const device = emulator.device('lab-2')
    await push(emulator, anything, { Targets: [uris.firmware('2-BIOS')] })
    runs(device, 'BIOS', '7.7')
    await emulator.clock.advance(60_000)
    expect(await emulator.get(uris.task('1'))).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(device.asked).toEqual(stages('BIOS'))
    expect(await emulator.get(uris.firmware('2-BIOS'))).toMatchObject({ Version: '7.7' })
  })

  test.each([
    ['nobody', [], 'NoTargetsDetermined'],
    ['two of one device', [uris.firmware('2-BIOS'), uris.firmware('2-BMC')], 'UpdateNotApplicable'],
  ])('goes to nobody where the request names %s', async (_what, Targets, told) => {
    const emulator = await startConsole()
    await push(emulator, anything, { Targets })
    await emulator.clock.advance(60_000)
    expect(messageKeys(await emulator.get(uris.task('1')))).toContain(told)
    expect(emulator.device('lab-2').asked).toEqual([])
  })
})
