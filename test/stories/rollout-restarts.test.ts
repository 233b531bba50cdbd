import { describe, expect, test } from 'vitest'
import { imagesOf } from '../../src/data.ts'
import { uris } from '../../src/redfish/uris.ts'
import { leftBy, watchDeaths } from '../support/crashes.ts'
import { createHash } from 'node:crypto'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import { runs } from '../support/managed-devices.ts'
import { messageKeys, push } from '../support/multipart.ts'
import {
  bios,
  JOB,
  type Lab,
  LONG_MS,
  newLab,
  pushRollOut,
  type RolloutLab,
  startLab,
  statesOf,
  UPDATE_MS,
  versionsOf,
} from '../support/rollouts.ts'

const plan = {
  Waves: [{ Count: 1 }, { Count: 3 }],
  MaxParallel: 2,
  Retries: { MaxRetries: 1, Delay: 'PT1M' },
}

const restart = (emulator: RolloutLab): Promise<RolloutLab> =>
  startLab(emulator.lab.devices.length, { lab: emulator.lab, after: emulator })

describe('a restart', () => {
  test.each([
    ['before it began', 0],
    ['in its first wave', 0.5],
    ['between the waves', 1],
    ['in its second wave', 1.5],
    ['near its end', 2.9],
  ])('of the console %s ends nothing of a roll-out, and no device is written twice', async (_when, share) => {
    const first = await startLab(4)
    await pushRollOut(first, bios, plan)
    await first.clock.advance(share * UPDATE_MS)
    const second = await restart(first)
    await second.clock.advance(LONG_MS)
    expect(await second.get(JOB)).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
    expect(versionsOf(second)).toEqual(Array(4).fill('2.0.0'))
    expect(second.lab.written.toSorted()).toEqual(['1', '2', '3', '4'])
    expect(second.bmc.state.operations.size).toBe(0)
  })

  test('in the middle of a transfer is no failure of the device', async () => {
    const first = await startLab(2)
    await pushRollOut(first, bios, { MaxParallel: 1, FailureThreshold: { Count: 1 } })
    await first.clock.advance(0.5 * UPDATE_MS)
    const second = await restart(first)
    await second.clock.advance(LONG_MS)
    expect(await second.get(JOB)).toMatchObject({ JobState: 'Completed' })
    expect(second.lab.written).toEqual(['1', '2'])
  })

  test.each([
    ['while a device brings back what stands by on it fails where nobody can tell of that', 0.5, '2.0.0'],
    ['after that leaves it as it is', 1.5, '1.0.0'],
  ])('%s', async (_when, share, version) => {
    const first = await startLab(1)
    await pushRollOut(first, bios, {})
    await first.clock.advance(LONG_MS)
    const [device] = first.devices
    if (device === undefined) throw new Error('there is no device')
    const firmware = device.facts.firmware.map((one) => ({ ...one, standsBy: ['1.0.0'] }))
    device.facts = { ...device.facts, firmware }
    first.lab.plans.set('1', { activationMs: UPDATE_MS })
    await first.send(uris.action(JOB, 'Oem/RedflashJob.RollBack'), { method: 'POST', body: {} })
    await first.clock.advance(share * UPDATE_MS)
    const second = await restart(first)
    await second.clock.advance(LONG_MS)
    expect(versionsOf(second)).toEqual([version])
    const isBack = version === '1.0.0'
    const step = await second.get(uris.step('2', '1'))
    expect(messageKeys(step).at(-1)).toBe(isBack ? 'RolledBack' : 'DeviceFailed')
    expect(second.bmc.state.operations.size).toBe(0)
  })

  test('while a device says that it goes on although it was cancelled still waits for it', async () => {
    const first = await startLab(2)
    first.lab.plans.set('1', { persistsAfterMs: UPDATE_MS })
    await pushRollOut(first, bios, {})
    await first.clock.advance(UPDATE_MS / 2)
    await first.send(JOB, { method: 'DELETE' })
    await first.clock.advance(UPDATE_MS / 2)
    const second = await restart(first)
    await second.clock.advance(LONG_MS)
    expect(await second.get(JOB)).toMatchObject({ JobState: 'Cancelled' })
    expect(await statesOf(second, '2')).toEqual(['Completed', 'Cancelled'])
    expect(versionsOf(second)).toEqual(['2.0.0', '1.0.0'])
  })

  test('keeps a pause, its reason and what was told', async () => {
    const first = await startLab(4)
    first.lab.plans.set('1', { fails: 'verify' })
    await pushRollOut(first, bios, { Waves: [{ Count: 1 }], FailureThreshold: { Count: 1 } })
    await first.clock.advance(LONG_MS)
    const before = await first.get(JOB)
    const second = await restart(first)
    await second.clock.advance(LONG_MS)
    expect(await second.get(JOB)).toEqual(before)
    await second.send(JOB, { method: 'PATCH', body: { JobState: 'Continue' } })
    await second.clock.advance(LONG_MS)
    expect(versionsOf(second)).toEqual(['1.0.0', '2.0.0', '2.0.0', '2.0.0'])
  })

  test('without the image fails those devices that have not got it', async () => {
    const first = await startLab(3)
    await pushRollOut(first, bios, { MaxParallel: 1, FailureThreshold: { Percent: 100 } })
    await first.clock.advance(1.5 * UPDATE_MS)
    const after = { ...first, spool: createMemorySpool() }
    const second = await startLab(3, { lab: first.lab, after })
    await second.clock.advance(LONG_MS)
    expect(await statesOf(second, '2')).toEqual(['Completed', 'Exception', 'Exception'])
    expect(messageKeys(await second.get(uris.step('2', '3')))).toEqual(['TransferFailed'])
  })

  test.each([
    ['goes on', { asked: { StartTime: '2027-01-01T00:00:00Z' }, JobState: 'Pending', isKept: true }],
    ['has left one that may be tried again', { fails: 'verify', JobState: 'Exception', isKept: true }],
    ['has ended well', { JobState: 'Completed', isKept: false }],
  ] as const)('keeps the image of a roll-out that %s', async (_what, { JobState, isKept, ...given }) => {
    const first = await startLab(2)
    if ('fails' in given) first.lab.plans.set('1', given)
    await pushRollOut(first, bios, 'asked' in given ? given.asked : {})
    await first.clock.advance(LONG_MS)
    expect(await first.get(JOB)).toMatchObject({ JobState })
    const sha256 = createHash('sha256').update(bios).digest('hex')
    expect(imagesOf([...first.journal.read()])).toEqual(new Set(isKept ? [sha256] : []))
    expect(first.spool.find(sha256) !== undefined).toBe(isKept)
    const second = await restart(first)
    await second.clock.advance(1)
    await second.send(JOB, { method: 'DELETE' })
    await second.clock.advance(LONG_MS)
    expect(imagesOf([...second.journal.read()])).toEqual(new Set())
  })
})

/** The lab as it was when the console died: what its devices ran, and which of them had been written. */
function labAt(versions: readonly (string | undefined)[], written: readonly string[]): Lab {
  const lab = newLab(versions.length)
  lab.written.push(...written)
  for (const [index, device] of lab.devices.entries()) runs(device, 'BIOS', versions[index] ?? '')
  return lab
}

const times = (written: readonly string[], id: string): number => written.filter((one) => one === id).length

test('whenever the console dies, a roll-out goes on, and what is installed is not installed again', async () => {
  const first = await startLab(3)
  const images = new Map([[createHash('sha256').update(bios).digest('hex'), bios]])
  // Forced: that a device runs the image already keeps nobody from writing it.
  await push(first, bios, { Oem: { Redflash: { RollOut: plan } }, ForceUpdate: true })
  const deaths = watchDeaths(first)
  const labs: { readonly written: readonly string[]; readonly versions: (string | undefined)[] }[] = []
  first.bmc.listeners.add(() => labs.push({ written: [...first.lab.written], versions: versionsOf(first) }))
  await first.clock.advance(LONG_MS)
  expect(deaths.length).toBeGreaterThan(30)
  for (const [index, death] of deaths.entries()) {
    const { written = [], versions = [] } = labs[index] ?? {}
    const lab = labAt(versions, written)
    const second = await startLab(3, { lab, after: await leftBy(death, images) })
    await second.clock.advance(LONG_MS)
    const { JobState } = await second.get(JOB)
    const about = `death ${index}`
    expect({ about, JobState, now: versionsOf(second) }).toEqual({
      about,
      JobState: 'Completed',
      now: Array(3).fill('2.0.0'),
    })
    for (const [at, version] of versions.entries()) {
      const before = times(written, String(at + 1))
      // One that was being written may have to be written again: to it, its update had failed.
      const most = version === '2.0.0' ? before : before + 1
      expect({ about, at, times: times(lab.written, String(at + 1)) <= most }).toMatchObject({ times: true })
    }
  }
}, 60_000)
