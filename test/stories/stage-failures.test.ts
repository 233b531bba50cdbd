import { expect, test } from 'vitest'
import type { Flasher, FlashResult } from '../../src/devices/flasher.ts'
import { fail, succeed } from '../../src/lib/result.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { validateBody } from '../support/schemas.ts'
import { logged, messageArgs, reset, untilInstalled, update } from '../support/updates.ts'

type Stage = 'transfer' | 'verify' | 'install' | 'activate'

/** Devices that need no time, and fail at one stage: all of them, or the ones named. */
function failingAt(stage: Stage, ...ids: readonly string[]): Flasher & { readonly released: string[] } {
  const released: string[] = []
  const at =
    (own: Stage) =>
    ({ component }: { readonly component: { readonly id: string } }): Promise<FlashResult> => {
      const fails = own === stage && (ids.length === 0 || ids.includes(component.id))
      return Promise.resolve(fails ? fail({ kind: 'corrupt' }) : succeed(undefined))
    }
  return {
    transfer: at('transfer'),
    verify: at('verify'),
    install: at('install'),
    activate: at('activate'),
    release: ({ component }) => void released.push(component.id),
    released,
  }
}

const OLD = '22.41.1000'
const NIC_1 = uris.firmware('NIC-1')
const allStages = [...untilInstalled, 'ApplyingOnComponent']

test.each<[Stage, string, string, number, string]>([
  ['transfer', 'TransferringToComponent', 'TransferFailed', 500, 'OK'],
  ['verify', 'VerifyingAtComponent', 'VerificationFailed', 400, 'OK'],
  ['install', 'InstallingOnComponent', 'ApplyFailed', 500, 'Critical'],
  ['activate', 'ApplyingOnComponent', 'ActivateFailed', 500, 'Critical'],
])('a device that fails to %s ends its update after %s with %s', async (...row) => {
  const [stage, last, failure, status, Health] = row
  const flasher = failingAt(stage)
  const emulator = await startEmulator({ flasher })
  const { task, keys, monitor } = await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  expect(keys).toEqual([...allStages.slice(0, allStages.indexOf(last) + 1), failure])
  expect(messageArgs(task, failure)).toEqual(['NIC-1 22.42.1', NIC_1])
  expect(monitor).toBe(status)
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  expect(task['PercentComplete']).toBeLessThan(100)
  expect(validateBody(task)).toEqual([])
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status: { State: 'Enabled', Health } })
  expect(await logged(emulator)).toEqual([`${failure} NIC-1`])
  expect(flasher.released).toEqual(['NIC-1'])
  expect(emulator.spool.entries.size).toBe(0)
})

test.each<[Stage, string]>([
  ['transfer', 'TransferFailed'],
  ['verify', 'VerificationFailed'],
  ['install', 'ApplyFailed'],
  ['activate', 'ActivateFailed'],
])(
  'when one of two devices fails to %s, the other is updated and the whole has failed',
  async (stage, failure) => {
    const emulator = await startEmulator({ flasher: failingAt(stage, 'PSU-2') })
    const { task, keys, monitor } = await update(emulator, await bundleOf({ 'PSU-1': '1.8.0.0' }))
    expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
    expect(monitor).toBe(200)
    expect(keys).toContain('UpdateSuccessful')
    expect(messageArgs(task, 'UpdateSuccessful')).toEqual([uris.firmware('PSU-1'), 'PSU-1 1.8.0.0'])
    expect(messageArgs(task, failure)).toEqual(['PSU-1 1.8.0.0', uris.firmware('PSU-2')])
    expect(await emulator.get(uris.firmware('PSU-1'))).toMatchObject({ Version: '1.8.0.0' })
    expect(await emulator.get(uris.firmware('PSU-2'))).toMatchObject({ Version: '1.7.3.20' })
  },
)

test('when both of two devices fail, the monitor answers an error', async () => {
  const emulator = await startEmulator({ flasher: failingAt('verify') })
  const { keys, monitor } = await update(emulator, await bundleOf({ 'PSU-1': '1.8.0.0' }))
  expect(keys.filter((key) => key === 'VerificationFailed')).toHaveLength(2)
  expect(monitor).toBe(400)
})

test('an activation that fails during the reset goes to the log, and its image waits no longer', async () => {
  const emulator = await startEmulator({ flasher: failingAt('activate') })
  const { task } = await update(emulator, await bundleOf({ BIOS: '1.9.0' }))
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'Warning' })
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(60_000)
  const bios = await emulator.get(uris.firmware('BIOS'))
  expect(bios).toMatchObject({ Version: '1.8.0', Status: { State: 'Enabled', Health: 'Critical' } })
  expect(bios['Status']).not.toHaveProperty('Conditions')
  expect(await emulator.get(uris.system('1'))).toMatchObject({ BiosVersion: '1.8.0', PowerState: 'On' })
  expect((await logged(emulator)).at(-1)).toBe('ActivateFailed BIOS')
})

test('a bug in a device driver ends its task as an internal error, and the next update can begin', async () => {
  let isBroken = true
  const good = failingAt('transfer', 'nobody')
  const verify: Flasher['verify'] = (job) =>
    isBroken ? Promise.reject(new Error('a bug')) : good.verify(job)
  const emulator = await startEmulator({ flasher: { ...good, verify } })
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  const { task, keys, monitor } = await update(emulator, image)
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  expect({ last: keys.at(-1), monitor }).toEqual({ last: 'InternalError', monitor: 500 })
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: OLD, Status: { State: 'Enabled' } })
  expect(emulator.spool.entries.size).toBe(0)
  isBroken = false
  expect((await update(emulator, image)).task).toMatchObject({ TaskState: 'Completed' })
})
