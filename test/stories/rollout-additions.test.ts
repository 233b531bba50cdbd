import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { messageKeys } from '../support/multipart.ts'
import {
  bios,
  JOB,
  LONG_MS,
  pushRollOut,
  type RolloutLab,
  startLab,
  UPDATE_MS,
  versionsOf,
} from '../support/rollouts.ts'

/** Of five devices two are of the roll-out, and the fifth is left out by its plan. */
const plan = {
  Targets: [uris.system('1'), uris.system('2')],
  ExcludeTargets: [uris.system('5')],
  Waves: [{ Count: 1 }],
}

async function startFew(more: JsonObject = {}): Promise<RolloutLab> {
  const emulator = await startLab(5)
  await pushRollOut(emulator, bios, { ...plan, ...more })
  await emulator.clock.advance(UPDATE_MS / 2)
  return emulator
}

const add = ({ send }: RolloutLab, Targets: readonly (string | number)[]) =>
  send(uris.action(JOB, 'Oem/RedflashJob.AddDevices'), { method: 'POST', body: { Targets: [...Targets] } })
const move = ({ send }: RolloutLab, JobState: string) => send(JOB, { method: 'PATCH', body: { JobState } })
const group = async ({ send }: RolloutLab, ...ids: readonly string[]): Promise<string> => {
  const body = { Elements: ids.map((id) => ({ '@odata.id': uris.system(id) })) }
  return String((await send(uris.aggregates, { method: 'POST', body })).headers['location'])
}

describe('a device that is added', () => {
  test.each<readonly [string, JsonObject, (emulator: RolloutLab) => Promise<unknown>]>([
    ['while others are updated', {}, async () => undefined],
    ['to one that is paused', {}, (emulator) => move(emulator, 'Suspended')],
    ['to one that has not begun', { StartTime: '2026-01-01T00:01:00Z' }, async () => undefined],
  ])('%s comes with its last wave', async (_when, more, before) => {
    const emulator = await startFew(more)
    await before(emulator)
    expect((await add(emulator, [uris.manager('3')])).status).toBe(204)
    const added = [...emulator.bmc.state.auditLog.values()].find(({ message }) =>
      message.MessageId.endsWith('RollOutDevicesAdded'),
    )
    expect(added).toMatchObject({ actor: { username: 'admin' }, related: [JOB, uris.system('3')] })
    await move(emulator, 'Continue')
    await emulator.clock.advance(LONG_MS)
    expect(versionsOf(emulator)).toEqual(['2.0.0', '2.0.0', '2.0.0', '1.0.0', '1.0.0'])
    expect(await emulator.get(uris.step('3', '2'))).toMatchObject({ JobState: 'Completed' })
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
  })

  test('stays added when the console is restarted', async () => {
    const first = await startFew()
    await move(first, 'Suspended')
    expect((await add(first, [await group(first, '3', '4')])).status).toBe(204)
    await first.clock.advance(LONG_MS)
    const second = await startLab(5, { lab: first.lab, after: first })
    await move(second, 'Continue')
    await second.clock.advance(LONG_MS)
    expect(versionsOf(second)).toEqual(['2.0.0', '2.0.0', '2.0.0', '2.0.0', '1.0.0'])
    expect(second.lab.written.toSorted()).toEqual(['1', '2', '3', '4'])
  })
})

test('of a group, those that are of the roll-out already, or that its plan leaves out, are told of', async () => {
  const emulator = await startFew()
  const { status, json } = await add(emulator, [await group(emulator, '1', '4', '5')])
  expect({ status, told: messageKeys(json) }).toEqual({
    status: 200,
    told: ['RollOutHasDevice', 'RollOutLeavesOut'],
  })
  await emulator.clock.advance(LONG_MS)
  expect(emulator.lab.written).toEqual(['1', '2', '4'])
})

test.each<readonly [string, readonly (string | number)[], number, readonly string[]]>([
  ['one that is of it already', [uris.system('1')], 409, ['RollOutHasDevice']],
  ['one that its plan leaves out', [uris.system('5')], 409, ['RollOutLeavesOut']],
  ['one that is not there', [uris.system('3'), uris.system('9')], 400, ['ResourceMissingAtURI']],
  ['nobody', [], 400, ['ArraySizeTooShort']],
  [
    'somebody who is none',
    [7, uris.system('9')],
    400,
    ['ActionParameterValueTypeError', 'ResourceMissingAtURI'],
  ],
])('%s cannot be added, and nothing is changed', async (_who, targets, status, told) => {
  const emulator = await startFew()
  const answer = await add(emulator, targets)
  expect({ status: answer.status, told: messageKeys(answer.json) }).toEqual({ status, told })
  await emulator.clock.advance(LONG_MS)
  expect(emulator.lab.written).toEqual(['1', '2'])
})

test.each<readonly [string, (emulator: RolloutLab) => Promise<unknown>]>([
  ['that has ended', (emulator) => emulator.clock.advance(LONG_MS)],
  ['that is being cancelled', (emulator) => move(emulator, 'Cancelled')],
])('a roll-out %s takes no devices', async (_when, before) => {
  const emulator = await startFew()
  await before(emulator)
  const { status, json } = await add(emulator, [uris.system('3')])
  expect({ status, told: messageKeys(json) }).toEqual({
    status: 409,
    told: ['ActionNotSupported', 'RollOutOver'],
  })
})
