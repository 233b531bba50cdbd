import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { nextNumber } from '../../src/bmc/numbers.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import { succeed } from '../../src/lib/result.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { Fetcher } from '../../src/transfer/fetcher.ts'
import { imageFor } from '../support/banks.ts'
import { leftBy, watchDeaths } from '../support/crashes.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { LONG_MS, outcome, reset } from '../support/updates.ts'
import { keysOf } from '../support/work.ts'

const NIC = uris.firmware('NIC-1')
const CPLD = uris.firmware('CPLD')
const nicImage = await bundleOf({ 'NIC-1': '22.42.1' })
const cpldImage = await bundleOf({ CPLD: '3.1.0' })

const post = ({ send }: TestEmulator, uri: string, body: JsonObject = {}) =>
  send(uri, { method: 'POST', body })
const restart = (emulator: TestEmulator, options: TestOptions = {}) =>
  startEmulator({ ...options, after: emulator })

test('an image that was being fetched is fetched again', async () => {
  let fetched = 0
  const options = (clock: () => TestEmulator['clock']): TestOptions => ({
    fetcher: {
      open: async ({ signal }) => {
        fetched++
        await clock().sleep(10_000, signal)
        const body = async function* () {
          yield nicImage
        }
        return succeed({ fileName: 'nic.tar', sizeBytes: nicImage.length, body: body() })
      },
    } satisfies Fetcher,
  })
  const first: TestEmulator = await startEmulator(options(() => first.clock))
  const pull = { ImageURI: 'http://images.example/nic.tar', Username: 'me', Password: 'secret' }
  await post(first, uris.action(uris.updateService, 'UpdateService.SimpleUpdate'), pull)
  await first.clock.advance(5_000)
  const second: TestEmulator = await restart(
    first,
    options(() => second.clock),
  )
  await second.clock.advance(LONG_MS)
  expect(fetched).toBe(2)
  expect((await outcome(second, '1')).task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect(await second.get(NIC)).toMatchObject({ Version: '22.42.1' })
})

describe('an image that nobody has any more', () => {
  const pending = { adapted: { awaitReset: 'pending' } } as const
  const startWithout = (emulator: TestEmulator): Promise<TestEmulator> =>
    startEmulator({ ...pending, after: { ...emulator, spool: createMemorySpool() } })

  test('fails the update that waited with it, and the device stays as it is', async () => {
    const first = await startEmulator(pending)
    await push(first, nicImage, { '@Redfish.OperationApplyTime': 'OnReset' })
    await first.clock.advance(1_000)
    const second = await startWithout(first)
    await second.clock.advance(1)
    const { task, keys } = await outcome(second, '1')
    expect(keys.at(-1)).toBe('TransferFailed')
    expect(task).toMatchObject({ TaskState: 'Exception' })
    expect(await second.get(NIC)).toMatchObject({ Version: '22.41.1000', Status: { State: 'Enabled' } })
    await push(second, nicImage)
    await second.clock.advance(LONG_MS)
    expect(await second.get(NIC)).toMatchObject({ Version: '22.42.1' })
  })

  test('is not missed where it is on its device already', async () => {
    const first = await startEmulator(pending)
    await push(first, await bundleOf({ BIOS: '1.9.0' }))
    await first.clock.advance(LONG_MS)
    const second = await startWithout(first)
    await second.clock.advance(1)
    await post(second, uris.action(uris.system('1'), 'ComputerSystem.Reset'), { ResetType: 'ForceRestart' })
    await second.clock.advance(10 * LONG_MS)
    expect((await outcome(second, '1')).task).toMatchObject({ TaskState: 'Completed' })
    expect(await second.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.9.0' })
  })
})

test('a job that was suspended stays so, and goes on when it is resumed', async () => {
  const options = { adapted: { awaitReset: 'job', maxParallelFlashes: 1 } } as const
  const first = await startEmulator(options)
  await push(first, await bundleOf({ 'NIC-1': '22.42.1', CPLD: '3.1.0' }))
  await first.clock.advance(1)
  expect((await post(first, uris.action(uris.job('1'), 'Job.Suspend'))).status).toBe(204)
  // It does not know of it yet: it is in the middle of a stage.
  const second = await restart(first, options)
  await second.clock.advance(LONG_MS)
  expect(await second.get(uris.job('1'))).toMatchObject({ JobState: 'Suspended' })
  const third = await restart(second, options)
  await third.clock.advance(LONG_MS)
  expect(await third.get(uris.job('1'))).toMatchObject({ JobState: 'Suspended' })
  expect((await post(third, uris.action(uris.job('1'), 'Job.Resume'))).status).toBe(204)
  await third.clock.advance(LONG_MS)
  expect(await third.get(CPLD)).toMatchObject({ Version: '3.1.0' })
})

test('who was told that a task is cancelled finds nothing installed, whenever the service dies after it', async () => {
  const first = await startEmulator()
  await push(first, cpldImage)
  await first.clock.advance(100)
  const deaths = watchDeaths(first)
  expect((await first.send(uris.task('1'), { method: 'DELETE' })).status).toBeLessThan(300)
  await first.clock.advance(LONG_MS)
  expect(deaths.length).toBeGreaterThan(1)
  for (const death of deaths) {
    const second = await startEmulator({ after: await leftBy(death, new Map()) })
    await second.clock.advance(LONG_MS)
    expect(second.bmc.state.tasks.get('1')?.state ?? 'Cancelled').toBe('Cancelled')
    expect(await second.get(CPLD)).toMatchObject({
      Version: '3.0.4',
      Status: { State: 'Enabled', Health: 'OK' },
    })
    expect(second.bmc.state.operations.size).toBe(0)
  }
})

test('a dry run changes nothing and comes to its end, whenever the service dies', async () => {
  const first = await startEmulator()
  const deaths = watchDeaths(first)
  await push(first, cpldImage, { Oem: { Redflash: { DryRun: true } } })
  await first.clock.advance(LONG_MS)
  const digest = createHash('sha256').update(cpldImage).digest('hex')
  for (const death of deaths) {
    const second = await startEmulator({ after: await leftBy(death, new Map([[digest, cpldImage]])) })
    await second.clock.advance(LONG_MS)
    const ends = [...second.bmc.state.tasks.values()].map(({ messages }) => keysOf(messages).at(-1))
    expect(ends.filter((end) => end !== 'NothingChanged')).toEqual([])
    expect(await second.get(CPLD)).toMatchObject({ Version: '3.0.4' })
    expect(second.bmc.state.operations.size).toBe(0)
  }
})

test('what waited behind a task that was deleted does not begin again after a restart', async () => {
  const first = await startEmulator()
  const deaths = watchDeaths(first)
  await push(first, nicImage, { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' })
  await first.clock.advance(LONG_MS)
  expect(await first.get(uris.task('1'))).toMatchObject({ TaskState: 'Completed' })
  const before = deaths.length
  expect((await first.send(uris.task('1'), { method: 'DELETE' })).status).toBe(204)
  const answered = deaths[before]
  if (answered === undefined) throw new Error('nothing was committed')
  const { bmc } = await startEmulator({ after: await leftBy(answered, new Map()) })
  expect(bmc.state.operations.size).toBe(0)
})

test.each(['before', 'after'])(
  'numbers are not given twice, though what had them went %s a restart',
  async (when) => {
    const first = await startEmulator()
    await push(first, nicImage)
    await first.clock.advance(LONG_MS)
    const second = when === 'before' ? first : await restart(first)
    await second.send(uris.task('1'), { method: 'DELETE' })
    const { json } = await push(await restart(second), cpldImage)
    expect(json['Id']).toBe('2')
  },
)

test('what was staged stays, and is activated after a restart in the middle of its activation', async () => {
  const first = await startEmulator({ adapted: { awaitReset: 'job' } })
  const deaths = watchDeaths(first)
  await push(first, await bundleOf({ BIOS: '1.9.0' }), { Stage: true })
  await first.clock.advance(LONG_MS)
  const activate = uris.action(uris.firmware('BIOS-1.9.0'), 'SoftwareInventory.Activate')
  const answer = await post(first, activate)
  expect(answer.status).toBe(202)
  await first.clock.advance(LONG_MS)
  await post(first, uris.action(uris.system('1'), 'ComputerSystem.Reset'), { ResetType: 'ForceRestart' })
  await first.clock.advance(10 * LONG_MS)
  expect(await first.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.9.0' })
  const promised = deaths.filter(({ records }) =>
    records.some(({ table, key }) => table === 'tasks' && key === answer.json['Id']),
  )
  expect(promised.length).toBeGreaterThan(5)
  for (const death of promised) {
    const second = await startEmulator({
      adapted: { awaitReset: 'job' },
      after: await leftBy(death, new Map()),
    })
    await second.clock.advance(LONG_MS)
    await post(second, uris.action(uris.system('1'), 'ComputerSystem.Reset'), { ResetType: 'ForceRestart' })
    await second.clock.advance(10 * LONG_MS)
    expect(await second.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.9.0' })
    expect(messageKeys(await second.get(uris.job('1')))).toContain('UpdateSuccessful')
    expect(second.bmc.state.operations.size).toBe(0)
  }
})

test('of images that are activated together, those that are left keep their places after a restart', async () => {
  const options = { machine: 'bladed', adapted: { awaitReset: 'pending' } } as const
  const blades = ['Blade1', 'Blade2']
  const first = await startEmulator(options)
  await push(first, await imageFor(first, { 'Blade1-BIOS': '9.9.9' }), { Stage: true })
  await first.clock.advance(LONG_MS)
  const Targets = blades.map((blade) => ({ '@odata.id': uris.firmware(`${blade}-BIOS-9.9.9`) }))
  await post(first, uris.action(uris.updateService, 'UpdateService.Activate'), { Targets })
  await first.clock.advance(LONG_MS)
  await reset(first, uris.system('Blade1'), 'ForceRestart')
  await first.clock.advance(LONG_MS)
  const second = await restart(first, options)
  await second.clock.advance(1)
  const percents = [first, second].map(({ bmc }) => bmc.state.tasks.get('2')?.percent)
  expect(percents).toEqual([50, 50])
  await reset(second, uris.system('Blade2'), 'ForceRestart')
  await second.clock.advance(10 * LONG_MS)
  const { tasks } = second.bmc.state
  expect(['2', '2/1', '2/2'].map((key) => tasks.get(key)?.state)).toEqual(Array(3).fill('Completed'))
})

describe('of two devices, one after the other', () => {
  const options = { adapted: { awaitReset: 'job' } } as const
  const both = bundleOf({ BIOS: '1.9.0', 'BMC-Primary': '2.4.0' })
  /** The update of both has been let go on by word: one is written, the other waits for it. */
  const letOn = async (): Promise<TestEmulator> => {
    const emulator = await startEmulator(options)
    await push(emulator, await both, { '@Redfish.OperationApplyTime': 'OnTargetReset' })
    await emulator.clock.advance(1)
    const body = { JobState: 'Continue' }
    expect((await emulator.send(uris.job('1'), { method: 'PATCH', body })).status).toBe(200)
    return emulator
  }

  test('the second needs no other word after a restart, and is skipped when the first failed by that', async () => {
    const second = await restart(await letOn(), options)
    await second.clock.advance(LONG_MS)
    const keys = messageKeys(await second.get(uris.job('1')))
    expect(keys.filter((key) => key === 'TransferFailed')).toHaveLength(1)
    expect(keys).toContain('UpdateSkipped')
    expect(await second.get(uris.job('1'))).toMatchObject({ JobState: 'Exception' })
  })

  test('the second waits no more for a first that failed in an earlier run', async () => {
    const second = await restart(await letOn(), options)
    const deaths = watchDeaths(second)
    await second.clock.advance(LONG_MS)
    expect(deaths.length).toBeGreaterThan(0)
    for (const death of deaths) {
      const third = await startEmulator({ ...options, after: await leftBy(death, new Map()) })
      await third.clock.advance(LONG_MS)
      expect(await third.get(uris.job('1'))).toMatchObject({ JobState: 'Exception' })
      expect(third.bmc.state.operations.size).toBe(0)
    }
  })
})

test('an update of what the machine has no more fails, though nothing of it is left to do', async () => {
  const options = { adapted: { awaitReset: 'job' } } as const
  const first = await startEmulator(options)
  await push(first, await bundleOf({ BIOS: '1.9.0' }), { '@Redfish.OperationApplyTime': 'OnReset' })
  await first.clock.advance(1)
  const second = await startEmulator({ ...options, machine: 'bladed', after: first })
  await second.clock.advance(LONG_MS)
  expect(await second.get(uris.job('1'))).toMatchObject({ JobState: 'Exception' })
  expect(second.bmc.state.operations.size).toBe(0)
})

test('numbers of a log go on though it was cleared, and what was told last was never written', async () => {
  const first = await startEmulator()
  await push(first, nicImage)
  await first.clock.advance(LONG_MS)
  const last = Math.max(...[...first.bmc.state.log.keys()].map(Number))
  // Somebody took a number and had no use for it.
  nextNumber(first.bmc, 'log')
  commit(first.bmc, { log: [...first.bmc.state.log.keys()].map((key) => [key, undefined] as const) })
  const second = await restart(first)
  expect(nextNumber(second.bmc, 'log')).toBeGreaterThan(last)
})
