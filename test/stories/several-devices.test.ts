import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { watchWork } from '../support/flows/watching.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { LONG_MS, messageArgs, reset, update } from '../support/updates.ts'
import { keysOf } from '../support/work.ts'

const asJob: TestOptions = { adapted: { awaitReset: 'job' } }
const bmcImage = await bundleOf({ 'BMC-Primary': '2.4.0' })
const bothBmcs = { Targets: [uris.firmware('BMC-Primary'), uris.firmware('BMC-Backup')] }
const ordered = await bundleOf({ BIOS: '1.9.0', 'BMC-Primary': '2.4.0' })

const version = async ({ get }: TestEmulator, id: string): Promise<unknown> =>
  (await get(uris.firmware(id)))['Version']

/** What each device was told to begin, in this order. */
function beginnings({ bmc }: TestEmulator): string[] {
  const begun: string[] = []
  const known = new Map<string, number>()
  bmc.listeners.add(({ tasks = [], jobs = [] }) => {
    for (const [key, record] of [...tasks, ...jobs]) {
      if (record?.parent === undefined) continue
      const news = record.messages.slice(known.get(key) ?? 0)
      known.set(key, record.messages.length)
      for (const one of news) begun.push(`${keysOf([one])[0]} ${String(one.MessageArgs[0]).split(' ')[0]}`)
    }
  })
  return begun
}

describe('one reset', () => {
  test('serves all steps that wait for it, and is asked for once, when nothing else goes on', async () => {
    const emulator = await startEmulator(asJob)
    const { look } = watchWork(emulator.bmc)
    await push(emulator, bmcImage, bothBmcs)
    await emulator.clock.advance(LONG_MS)
    const waits = 'UserIntervention: AwaitToActivate ResetRequired'
    expect(look().seen).toMatchObject({
      job: 'New → Running: TargetDetermined TargetDetermined AllTargetsDetermined → UserIntervention: ResetRequired',
      'step 1': expect.stringContaining(waits) as string,
      'step 2': expect.stringContaining(waits) as string,
    })
    const [target = '', ResetType = ''] =
      messageArgs(await emulator.get(uris.job('1')), 'ResetRequired') ?? []
    expect(target).toBe(uris.action(uris.manager('1'), 'Manager.Reset'))
    expect((await emulator.send(target, { method: 'POST', body: { ResetType } })).status).toBe(204)
    await emulator.clock.advance(LONG_MS)
    expect(look().seen).toMatchObject({ job: 'Running: UpdateSuccessful UpdateSuccessful → Completed' })
    expect([await version(emulator, 'BMC-Primary'), await version(emulator, 'BMC-Backup')]).toEqual([
      '2.4.0',
      '2.4.0',
    ])
  })

  test('of each kind is asked for where several are needed, and each activates what is its own', async () => {
    const emulator = await startEmulator(asJob)
    const { look } = watchWork(emulator.bmc)
    await push(emulator, ordered)
    await emulator.clock.advance(LONG_MS)
    expect(look().seen['job']).toMatch(/→ UserIntervention: ResetRequired ResetRequired$/)
    await reset(emulator, uris.system('1'), 'GracefulRestart')
    await emulator.clock.advance(LONG_MS)
    expect(look().seen['job']).toBe('Running: UpdateSuccessful → UserIntervention')
    expect([await version(emulator, 'BIOS'), await version(emulator, 'BMC-Primary')]).toEqual([
      '1.9.0',
      '2.3.1',
    ])
    await reset(emulator, uris.manager('1'), 'GracefulRestart')
    await emulator.clock.advance(LONG_MS)
    expect(look().seen['job']).toBe('Running: UpdateSuccessful → Completed')
    expect(await version(emulator, 'BMC-Primary')).toBe('2.4.0')
  })
})

describe('the BIOS, which comes after the BMC,', () => {
  test('is written when that is written, and not before', async () => {
    const emulator = await startEmulator(asJob)
    const begun = beginnings(emulator)
    await push(emulator, ordered)
    await emulator.clock.advance(LONG_MS)
    expect(begun.filter((one) => /^(Transferring|Await)/.test(one))).toEqual([
      'TransferringToComponent BMC-Primary',
      'AwaitToActivate BMC-Primary',
      'TransferringToComponent BIOS',
      'AwaitToActivate BIOS',
    ])
  })

  test('is left alone when that fails', async () => {
    const emulator = await startEmulator({
      ...asJob,
      devices: { 'BMC-Primary': { fail: { at: 'verify' } } },
    })
    const { look } = watchWork(emulator.bmc)
    await push(emulator, ordered)
    await emulator.clock.advance(LONG_MS)
    expect(look().seen).toMatchObject({
      job: expect.stringMatching(/VerificationFailed UpdateSkipped → Exception$/) as string,
      'step 1': expect.stringMatching(/UpdateSkipped → Exception$/) as string,
      'step 2': expect.stringMatching(/VerificationFailed → Exception$/) as string,
    })
    expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({
      Version: '1.8.0',
      Status: { State: 'Enabled', Health: 'OK' },
    })
  })

  test('is cancelled with that, and not skipped', async () => {
    const emulator = await startEmulator(asJob)
    const { look } = watchWork(emulator.bmc)
    await push(emulator, ordered)
    await emulator.clock.advance(2_000)
    expect((await emulator.send(uris.job('1'), { method: 'DELETE' })).status).toBe(202)
    await emulator.clock.advance(1)
    const { seen } = look()
    expect([seen['job'], seen['step 1'], seen['step 2']]).toEqual([
      expect.stringMatching(/→ Cancelled$/),
      'New → Running → Cancelled',
      'New → Running: TransferringToComponent VerifyingAtComponent → Cancelled',
    ])
    expect(emulator.spool.entries.size).toBe(0)
  })

  test('waits for nobody when the image holds no BMC', async () => {
    const emulator = await startEmulator(asJob)
    await update(emulator, await bundleOf({ BIOS: '1.9.0' }))
    expect(await emulator.get(uris.step('1', '1'))).toMatchObject({ JobState: 'UserIntervention' })
  })
})

test.each([
  [1, ['Transferring NIC-1', 'Installing NIC-1', 'Transferring NIC-2', 'Installing NIC-2']],
  [2, ['Transferring NIC-1', 'Transferring NIC-2', 'Installing NIC-2', 'Installing NIC-1']],
])('a machine that writes %i at a time lets its devices take turns', async (maxParallelFlashes, expected) => {
  const emulator = await startEmulator({ adapted: { maxParallelFlashes } })
  const begun = beginnings(emulator)
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1', 'NIC-2': '1000000' }))
  await emulator.clock.advance(LONG_MS)
  const told = begun.filter((one) => /^(Transferring|Installing)/.test(one))
  expect(told.map((one) => one.replace(/(To|On)Component/, ''))).toEqual(expected)
})

test('what waits for its turn can be cancelled, and gives it up to the next', async () => {
  const emulator = await startEmulator({ adapted: { maxParallelFlashes: 1 } })
  for (const image of [{ 'NIC-1': '22.42.1' }, { CPLD: '3.1.0' }, { 'NIC-2': '1000000' }])
    await push(emulator, await bundleOf(image))
  await emulator.clock.advance(1_000)
  expect((await emulator.send(uris.task('2'), { method: 'DELETE' })).status).toBe(202)
  await emulator.clock.advance(LONG_MS)
  expect([
    await version(emulator, 'NIC-1'),
    await version(emulator, 'CPLD'),
    await version(emulator, 'NIC-2'),
  ]).toEqual(['22.42.1', '3.0.4', '1000000'])
})

test('an update of one device does not keep another from its own, and a second of the same is refused', async () => {
  const emulator = await startEmulator()
  await push(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  await emulator.clock.advance(5_000)
  const refused = await push(emulator, await bundleOf({ 'NIC-1': '22.43.0', 'NIC-2': '1000000' }))
  expect({ status: refused.status, keys: messageKeys(refused.json) }).toMatchObject({ status: 503 })
  expect(messageKeys(refused.json)).toContain('ResourceInUse')
  expect((await push(emulator, await bundleOf({ 'NIC-2': '1000000' }))).status).toBe(202)
  await emulator.clock.advance(LONG_MS)
  expect([await version(emulator, 'NIC-1'), await version(emulator, 'NIC-2')]).toEqual(['22.42.1', '1000000'])
})
