import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { messageKeys, push } from '../support/multipart.ts'
import {
  bios,
  JOB,
  labImage,
  LONG_MS,
  pushRollOut,
  startLab,
  UPDATE_MS,
  versionsOf,
} from '../support/rollouts.ts'

describe('a device on which another operation works', () => {
  test('waits until that has ended, and is not written twice', async () => {
    const emulator = await startLab(3)
    await push(emulator, bios, { Targets: [uris.system('3')] })
    await pushRollOut(emulator, bios, { MaxParallel: 1 })
    await pushRollOut(emulator, bios, {})
    await emulator.clock.advance(LONG_MS)
    expect(emulator.lab.written.toSorted()).toEqual(['1', '2', '3'])
    for (const job of [JOB, uris.job('3')])
      expect(await emulator.get(job)).toMatchObject({ JobState: 'Completed', JobStatus: 'OK' })
  })

  test('is skipped where it runs something later by then', async () => {
    const emulator = await startLab(2)
    await pushRollOut(emulator, await labImage({ BIOS: '3.0.0' }), { Targets: [uris.system('1')] })
    await pushRollOut(emulator, bios, {})
    await emulator.clock.advance(LONG_MS)
    expect(versionsOf(emulator)).toEqual(['3.0.0', '2.0.0'])
    const ended = await emulator.get(uris.job('3'))
    expect(ended).toMatchObject({ JobState: 'Completed', JobStatus: 'OK' })
    expect(messageKeys(ended)).not.toContain('RollOutMissedWindows')
    expect(messageKeys(await emulator.get(uris.step('4', '1')))).toEqual(['UpdateSkipped'])
  })

  test.each([
    ['is cancelled with its roll-out', 'Cancelled', 'Cancelled', []],
    ['has waited in vain when its time is over', 'Running', 'Exception', ['OperationTimeout']],
  ])('%s', async (_how, JobState, state, told) => {
    const emulator = await startLab(1)
    emulator.lab.plans.set('1', { ms: LONG_MS })
    await pushRollOut(emulator, bios, {})
    await pushRollOut(emulator, bios, { DeviceTimeout: 'PT1M' })
    await emulator.clock.advance(UPDATE_MS)
    await emulator.send(uris.job('3'), { method: 'PATCH', body: { JobState } })
    await emulator.clock.advance(6 * UPDATE_MS)
    expect(await emulator.get(uris.job('3'))).toMatchObject({ JobState: state })
    expect(messageKeys(await emulator.get(uris.step('4', '1')))).toEqual(told)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Running' })
    await emulator.clock.advance(LONG_MS)
    expect(emulator.lab.written).toEqual(['1'])
  })
})

test.each([
  ['of all', { MaxParallel: 1 }, 1],
  ['of a group', { MaxParallelPerGroup: 1 }, 1],
  ['of a source', { MaxParallel: 3, MaxParallelPerSource: 2 }, 2],
  ['unless given', {}, 4],
])('limits hold for what several roll-outs do at the same time: %s', async (_what, limits, most) => {
  const emulator = await startLab(4)
  const Elements = ['1', '2', '3', '4'].map((id) => ({ '@odata.id': uris.system(id) }))
  await emulator.send(uris.aggregates, { method: 'POST', body: { Elements } })
  for (const two of [
    ['1', '2'],
    ['3', '4'],
  ])
    await pushRollOut(emulator, bios, { ...limits, Targets: two.map(uris.system) })
  await emulator.clock.advance(LONG_MS)
  expect(emulator.lab.busiest).toBe(most)
  expect(versionsOf(emulator)).toEqual(Array(4).fill('2.0.0'))
})
