import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type DeviceStageName, deviceStages } from '../../src/bmc/device-faults.ts'
import type { Flasher } from '../../src/devices/flasher.ts'
import { uris } from '../../src/redfish/uris.ts'
import { scriptedFlasher } from '../contracts/scripted-flasher.ts'
import {
  allStages,
  type Fault,
  isUpdated,
  NEW,
  NIC_1,
  nicImage,
  OLD,
  stages,
} from '../support/device-stages.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { validateBody } from '../support/schemas.ts'
import { logged, messageArgs, reset, update } from '../support/updates.ts'

const psuImage = await bundleOf({ 'PSU-1': '1.8.0.0' })

/** What goes wrong once, the stage that fails by it, and how much of the whole was done by then. */
const failures: readonly (readonly [Fault, DeviceStageName, number])[] = [
  ...deviceStages.flatMap((at) =>
    (['fails', 'loses-power'] as const).flatMap((how) =>
      [undefined, '40%', '100%'].map((after) => {
        const [from, until] = stages[at].percents
        const share = Number.parseInt(after ?? '0') / 100
        const fault = { at, how, ...(after !== undefined && { after }) }
        return [fault, at, Math.floor(from + share * (until - from))] as const
      }),
    ),
  ),
  [{ at: 'transfer', how: 'corrupts' }, 'verify', 55],
]

test.each(failures)(
  '%j: the update fails at %s with %i percent done, and the next one saves the device',
  async (...row) => {
    const [fault, at, percent] = row
    const { begun, failed, answer, damages = false } = stages[at]
    const emulator = await startEmulator({ devices: { 'NIC-1': { fail: { ...fault, times: 1 } } } })
    const { task, keys, monitor } = await update(emulator, nicImage)
    expect(keys).toEqual([...allStages.slice(0, allStages.indexOf(begun) + 1), failed])
    expect(messageArgs(task, failed)).toEqual([`NIC-1 ${NEW}`, NIC_1])
    expect(monitor).toBe(answer)
    expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical', PercentComplete: percent })
    expect(validateBody(task)).toEqual([])
    const Status = { State: 'Enabled', Health: damages ? 'Critical' : 'OK' }
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status })
    expect(await logged(emulator)).toEqual([`${failed} NIC-1`])
    expect(emulator.spool.entries.size).toBe(0)
    await isUpdated(emulator)
  },
)

test.each(deviceStages)('a device that always fails to %s does so again', async (at) => {
  const emulator = await startEmulator({ devices: { 'NIC-1': { fail: { at } } } })
  for (let attempt = 0; attempt < 3; attempt++) {
    expect((await update(emulator, nicImage)).keys.at(-1)).toBe(stages[at].failed)
  }
})

test('a device fails in several ways, one after the other', async () => {
  const fail = [
    { at: 'transfer', times: 2 },
    { at: 'install', how: 'loses-power', after: '80%', times: 1 },
  ] as const
  const emulator = await startEmulator({ devices: { 'NIC-1': { fail: [...fail] } } })
  const ends: unknown[] = []
  for (let attempt = 0; attempt < 4; attempt++) ends.push((await update(emulator, nicImage)).keys.at(-1))
  expect(ends).toEqual(['TransferFailed', 'TransferFailed', 'ApplyFailed', 'UpdateSuccessful'])
})

test.each(deviceStages)(
  'when one of two devices fails to %s, the other is updated and the whole has failed',
  async (at) => {
    const emulator = await startEmulator({ devices: { 'PSU-2': { fail: { at } } } })
    const { task, keys, monitor } = await update(emulator, psuImage)
    expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
    expect(monitor).toBe(200)
    expect(keys).toContain('UpdateSuccessful')
    expect(messageArgs(task, 'UpdateSuccessful')).toEqual([uris.firmware('PSU-1'), 'PSU-1 1.8.0.0'])
    expect(messageArgs(task, stages[at].failed)).toEqual(['PSU-1 1.8.0.0', uris.firmware('PSU-2')])
    expect(await emulator.get(uris.firmware('PSU-1'))).toMatchObject({ Version: '1.8.0.0' })
    expect(await emulator.get(uris.firmware('PSU-2'))).toMatchObject({ Version: '1.7.3.20' })
  },
)

test('when both of two devices fail, the monitor answers an error', async () => {
  const fail: Fault = { at: 'verify' }
  const emulator = await startEmulator({ devices: { 'PSU-1': { fail }, 'PSU-2': { fail } } })
  const { keys, monitor } = await update(emulator, psuImage)
  expect(keys.filter((key) => key === 'VerificationFailed')).toHaveLength(2)
  expect(monitor).toBe(400)
})

test('an activation that fails during the reset goes to the log, and the other bank runs on', async () => {
  const emulator = await startEmulator({ devices: { BIOS: { fail: { at: 'activate' } } } })
  const { task } = await update(emulator, await bundleOf({ BIOS: '1.9.0' }))
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'Warning' })
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(60_000)
  const bios = await emulator.get(uris.firmware('BIOS'))
  expect(bios).toMatchObject({ Version: '1.8.0', Status: { State: 'Enabled', Health: 'OK' } })
  expect(bios['Status']).not.toHaveProperty('Conditions')
  expect(await emulator.get(uris.system('1'))).toMatchObject({ BiosVersion: '1.8.0', PowerState: 'On' })
  expect((await logged(emulator)).at(-1)).toBe('ActivateFailed BIOS')
})

test('a device that fails is told to forget what it took', async () => {
  const released: string[] = []
  const flasher: Flasher = {
    ...scriptedFlasher({ sleep: () => Promise.resolve() }, { 'NIC-1 install': { kind: 'no-power' } }),
    release: ({ component }) => void released.push(component.id),
  }
  await update(await startEmulator({ flasher }), nicImage)
  expect(released).toEqual(['NIC-1'])
})

test('a bug in a device driver ends its task as an internal error, and the next update can begin', async () => {
  let isBroken = true
  const good = scriptedFlasher({ sleep: () => Promise.resolve() })
  const verify: Flasher['verify'] = (job) =>
    isBroken ? Promise.reject(new Error('a bug')) : good.verify(job)
  const emulator = await startEmulator({ flasher: { ...good, verify } })
  const { task, keys, monitor } = await update(emulator, nicImage)
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  expect({ last: keys.at(-1), monitor }).toEqual({ last: 'InternalError', monitor: 500 })
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status: { State: 'Enabled' } })
  expect(emulator.spool.entries.size).toBe(0)
  isBroken = false
  await isUpdated(emulator)
})

test.each(deviceStages)('a device that fails to %s one version takes another', async (at) => {
  const emulator = await startEmulator({ devices: { 'NIC-1': { fail: { at, versions: [NEW] } } } })
  expect((await update(emulator, nicImage)).keys.at(-1)).toBe(stages[at].failed)
  const { task } = await update(emulator, await bundleOf({ 'NIC-1': '22.43.0' }))
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect((await update(emulator, nicImage, { ForceUpdate: true })).keys.at(-1)).toBe(stages[at].failed)
})

test('docs/faults.md tells what becomes of each stage that fails', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/faults.md'), 'utf8')
  const rows = Object.entries(stages).map(([at, { failed, answer, damages = false }]) =>
    [at, failed]
      .map((name) => `\`${name}\``)
      .concat(`${answer}`, `old version, ${damages ? 'Critical' : 'OK'}`),
  )
  const told = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
  expect(
    told.map((cells) => cells.slice(1, -1)).filter(([, , answer]) => /^\d+$/.test(answer ?? '')),
  ).toEqual(rows)
})
