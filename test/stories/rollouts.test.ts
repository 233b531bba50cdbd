import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { DEVICE_PASSWORD, labDevice, runs } from '../support/managed-devices.ts'
import { messageKeys, mistakesIn, push } from '../support/multipart.ts'
import {
  bios,
  JOB,
  type Lab,
  labImage,
  LONG_MS,
  newLab,
  pushRollOut,
  serving,
  type RolloutLab,
  startLab,
  statesOf,
  UPDATE_MS,
  versionsOf,
} from '../support/rollouts.ts'

describe('a roll-out', () => {
  test('brings its image to devices wave by wave, and shows each wave as a job and each device as a step', async () => {
    const emulator = await startLab(5)
    const { status } = await pushRollOut(emulator, bios, { Waves: [{ Count: 1 }, { Percent: 100 }] })
    expect(status).toBe(202)
    await emulator.clock.advance(UPDATE_MS / 2)
    const task = await emulator.get(uris.task('1'))
    expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(messageKeys(task)).toEqual(['UpdateInProgress', 'OperationTransitionedToJob'])
    const job = await emulator.get(JOB)
    expect(job).toMatchObject({
      JobState: 'Running',
      CreationTime: '2026-01-01T00:00:00Z',
      PercentComplete: 0,
      Links: { SubsidiaryJobs: [{ '@odata.id': uris.job('2') }, { '@odata.id': uris.job('3') }] },
    })
    expect(await statesOf(emulator, '2')).toEqual(['Running'])
    expect(await statesOf(emulator, '3')).toEqual(['New', 'New', 'New', 'New'])
    await emulator.clock.advance(UPDATE_MS)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Running', PercentComplete: 20 })
    expect(await emulator.get(uris.job('2'))).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
    expect(await statesOf(emulator, '3')).toEqual(['Running', 'Running', 'Running', 'Running'])
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(JOB)).toMatchObject({
      JobState: 'Completed',
      JobStatus: 'OK',
      PercentComplete: 100,
    })
    expect(messageKeys(await emulator.get(uris.step('3', '1')))).toEqual(['UpdateSuccessful'])
    expect(versionsOf(emulator)).toEqual(Array(5).fill('2.0.0'))
    expect(emulator.lab.written).toEqual(['1', '2', '3', '4', '5'])
  })
})

/** Three devices, of which the second runs what the image brings. */
function labWithOneUpToDate(): Lab {
  const lab = newLab(3)
  for (const device of lab.devices.slice(1, 2)) runs(device, 'BIOS', '2.0.0')
  return lab
}

describe('a device', () => {
  test('that has the version already is skipped, and its step says so', async () => {
    const emulator = await startLab(3, { lab: labWithOneUpToDate() })
    await pushRollOut(emulator, bios, {})
    await emulator.clock.advance(LONG_MS)
    expect(emulator.lab.written).toEqual(['1', '3'])
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
    const step = await emulator.get(uris.step('1', '1'))
    expect(step).toMatchObject({ JobState: 'Completed', Name: 'Update of lab-2' })
    expect(messageKeys(step)).toEqual(['UpdateSkippedSameVersion'])
  })

  test('that fails is tried again as the plan says, and tells of every failure', async () => {
    const emulator = await startLab(2)
    emulator.lab.plans.set('1', { fails: 'verify', times: 2 })
    await pushRollOut(emulator, bios, { Retries: { MaxRetries: 2, Delay: 'PT1M' } })
    await emulator.clock.advance(LONG_MS)
    const step = await emulator.get(uris.step('2', '1'))
    expect(step).toMatchObject({ JobState: 'Completed' })
    expect(messageKeys(step)).toEqual(['VerificationFailed', 'VerificationFailed', 'UpdateSuccessful'])
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed' })
  })

  test('that hangs is cancelled when its time is over, and the others go on', async () => {
    const emulator = await startLab(3)
    emulator.lab.plans.set('2', { ms: 1_000 * UPDATE_MS })
    await pushRollOut(emulator, bios, { MaxParallel: 1, DeviceTimeout: 'PT1M' })
    await emulator.clock.advance(LONG_MS)
    expect(await statesOf(emulator, '2')).toEqual(['Completed', 'Exception', 'Completed'])
    expect(messageKeys(await emulator.get(uris.step('2', '2')))).toEqual(['OperationTimeout'])
    expect(await emulator.get(uris.firmware('2-BIOS'))).toMatchObject({ Status: { State: 'Enabled' } })
  })
})

describe('thresholds', () => {
  const plan = { Waves: [{ Count: 2 }, { Count: 8 }], MaxParallel: 1 }
  const fail = (emulator: RolloutLab, ...ids: readonly string[]): void => {
    for (const id of ids) emulator.lab.plans.set(id, { fails: 'install' })
  }

  test('hold a roll-out whose canaries fail, before any other device', async () => {
    const emulator = await startLab(10)
    fail(emulator, '1')
    await pushRollOut(emulator, bios, { ...plan, FailureThreshold: { Count: 1 } })
    await emulator.clock.advance(LONG_MS)
    const job = await emulator.get(JOB)
    expect(job).toMatchObject({ JobState: 'Suspended', JobStatus: 'Warning' })
    expect(messageKeys(job)).toEqual(['RollOutThresholdReached'])
    expect(await statesOf(emulator, '2')).toEqual(['Exception', 'New'])
    expect(versionsOf(emulator)).toEqual(Array(10).fill('1.0.0'))
  })

  test('stop it just when so many have failed', async () => {
    const emulator = await startLab(10)
    fail(emulator, '4', '6', '8')
    await pushRollOut(emulator, bios, { ...plan, FailureThreshold: { Count: 2, Action: 'Stop' } })
    await emulator.clock.advance(LONG_MS)
    const job = await emulator.get(JOB)
    expect(job).toMatchObject({ JobState: 'Exception' })
    expect(messageKeys(job)).toEqual(['RollOutThresholdReached', 'RollOutEnded'])
    const skipped = ['Cancelled', 'Cancelled', 'Cancelled', 'Cancelled']
    expect(await statesOf(emulator, '3')).toEqual([
      'Completed',
      'Exception',
      'Completed',
      'Exception',
      ...skipped,
    ])
  })

  test('are not reached by one failure less', async () => {
    const emulator = await startLab(10)
    fail(emulator, '4')
    await pushRollOut(emulator, bios, { ...plan, FailureThreshold: { Count: 2, Action: 'Stop' } })
    await emulator.clock.advance(LONG_MS)
    expect(versionsOf(emulator).filter((version) => version === '2.0.0')).toHaveLength(9)
  })

  test('bring devices back to the image of before, where that is kept, or say that it is not', async () => {
    const emulator = await startLab(4)
    await push(emulator, await labImage({ BIOS: '1.5.0' }), { LocalImage: true, Targets: [uris.system('1')] })
    await emulator.clock.advance(LONG_MS)
    fail(emulator, '3')
    const Waves = [{ Count: 3 }, { Count: 1 }]
    const FailureThreshold = { Count: 1, Action: 'RollBackAll' }
    await pushRollOut(emulator, bios, { Waves, MaxParallel: 1, FailureThreshold })
    await emulator.clock.advance(LONG_MS)
    expect(versionsOf(emulator)).toEqual(['1.5.0', '2.0.0', '1.0.0', '1.0.0'])
    expect(await statesOf(emulator, '2')).toEqual(['Cancelled', 'Exception', 'Exception'])
    expect(messageKeys(await emulator.get(uris.step('2', '1')))).toEqual(['UpdateSuccessful', 'RolledBack'])
    expect(messageKeys(await emulator.get(uris.step('2', '2'))).at(-1)).toBe('PreviousImageMissing')
    const job = await emulator.get(JOB)
    expect(job).toMatchObject({ JobState: 'Exception' })
    // The failures that were too many are those of the wave.
    const name = 'Roll-out of update.tar'
    const args = [
      ['Wave 1', '3', '1'],
      [name, '4', '0', '1'],
      [name, '2', '1'],
    ]
    expect(job).toMatchObject({ Messages: args.map((MessageArgs) => ({ MessageArgs })) })
    expect(messageKeys(job)).toEqual(['RollOutThresholdReached', 'RollOutEnded', 'RollOutBroughtBack'])
  })
})

test('a device is brought back by an image that stands by on it, as the device says when it is asked', async () => {
  const emulator = await startLab(3)
  emulator.lab.plans.set('3', { fails: 'install' })
  const FailureThreshold = { Count: 1, Action: 'RollBackAll' }
  await pushRollOut(emulator, bios, { Waves: [{ Count: 3 }], MaxParallel: 1, FailureThreshold })
  await emulator.clock.advance(1.5 * UPDATE_MS)
  for (const [index, version] of ['1.0.0', '0.9.0', '0.9.0'].entries()) {
    const device = emulator.devices[index]
    if (device === undefined) throw new Error('no such device')
    const firmware = device.facts.firmware.map((one) => ({ ...one, standsBy: [version] }))
    device.facts = { ...device.facts, firmware }
  }
  await emulator.clock.advance(LONG_MS)
  expect(versionsOf(emulator)).toEqual(['1.0.0', '2.0.0', '1.0.0'])
  expect(emulator.lab.written).toEqual(['1', '2'])
  expect(messageKeys(await emulator.get(uris.step('2', '1')))).toEqual(['UpdateSuccessful', 'RolledBack'])
  expect(messageKeys(await emulator.get(uris.step('2', '2'))).at(-1)).toBe('PreviousImageMissing')
})

describe('a device that is attached while a roll-out goes on', () => {
  test.each([
    ['joins its last wave where the plan wants that', { Dynamic: true }, '2.0.0'],
    ['stays as it is where it does not', {}, '1.0.0'],
  ])('%s', async (_what, more, version) => {
    const emulator = await startLab(3)
    emulator.reach(labDevice('late'))
    await pushRollOut(emulator, bios, { ...more, Waves: [{ Count: 1 }, { Count: 2 }], MaxParallel: 1 })
    await emulator.clock.advance(1.5 * UPDATE_MS)
    const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod('Lab') } }
    const body = { HostName: 'late', Password: DEVICE_PASSWORD, Links }
    const attached = await emulator.send(uris.aggregationSources, { method: 'POST', body })
    expect(attached.status).toBe(201)
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(uris.firmware('4-BIOS'))).toMatchObject({ Version: version })
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed', PercentComplete: 100 })
    const states = ['Completed', 'Completed', ...(version === '2.0.0' ? ['Completed'] : [])]
    expect(await statesOf(emulator, '3')).toEqual(states)
  })
})

test('an image that the console fetches may be rolled out, too', async () => {
  const emulator = await startLab(2, { fetcher: serving(bios) })
  const uri = uris.action(uris.updateService, 'Oem/RedflashUpdateService.SimpleUpdate')
  const ask = (RollOut: JsonObject) =>
    emulator.send(uri, { method: 'POST', body: { ImageURI: 'http://images.example/bios.tar', RollOut } })
  expect((await ask({ MaxParallel: 0 })).status).toBe(400)
  expect((await ask({ MaxParallel: 1 })).status).toBe(202)
  await emulator.clock.advance(LONG_MS)
  expect(emulator.lab).toMatchObject({ written: ['1', '2'], busiest: 1 })
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed', Name: 'Roll-out of bios.tar' })
})

test('a window that is closed is waited for', async () => {
  const emulator = await startLab(2)
  const MaintenanceWindows = [{ Cron: '0 2 * * *', Duration: 'PT1H' }]
  await pushRollOut(emulator, bios, { MaintenanceWindows })
  await emulator.clock.advance(3_600_000)
  expect(await statesOf(emulator, '2')).toEqual(['Pending', 'Pending'])
  await emulator.clock.advance(3_600_000 + 2 * UPDATE_MS)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed' })
})

test('devices whose last window is over are skipped, and the roll-out says that it did not reach them', async () => {
  const emulator = await startLab(2)
  const Schedule = { InitialStartTime: '2026-01-01T00:01:00Z' }
  await pushRollOut(emulator, bios, { MaxParallel: 1, MaintenanceWindows: [{ Schedule, Duration: 'PT5S' }] })
  await emulator.clock.advance(LONG_MS)
  expect(versionsOf(emulator)).toEqual(['2.0.0', '1.0.0'])
  const job = await emulator.get(JOB)
  expect(job).toMatchObject({ JobState: 'Completed', JobStatus: 'Warning' })
  expect(messageKeys(job)).toEqual(['RollOutEnded', 'RollOutMissedWindows'])
})

test.each([
  ['as this service writes it', (uri: string) => uri],
  ['with a last slash', (uri: string) => `${uri}/`],
  ['as a whole URL', (uri: string) => `http://127.0.0.1:8000${uri}`],
])('a window is for the group that is named %s', async (_how, named) => {
  const emulator = await startLab(2)
  await emulator.send(uris.aggregates, {
    method: 'POST',
    body: { Elements: [{ '@odata.id': uris.system('1') }] },
  })
  const Groups = [named(uris.aggregate('1'))]
  await pushRollOut(emulator, bios, {
    MaintenanceWindows: [{ Groups, Cron: '0 2 * * *', Duration: 'PT1H' }],
  })
  await emulator.clock.advance(3 * UPDATE_MS)
  expect(versionsOf(emulator)).toEqual(['1.0.0', '2.0.0'])
})

test('a dry run tells the waves, and who would be skipped, and nothing begins', async () => {
  const emulator = await startLab(3, { lab: labWithOneUpToDate() })
  await pushRollOut(emulator, bios, { Waves: [{ Count: 1 }] }, { DryRun: true })
  await emulator.clock.advance(LONG_MS)
  const task = await emulator.get(uris.task('1'))
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect(messageKeys(task).slice(1)).toEqual([
    'UpdateSkippedSameVersion',
    'WouldBeginWave',
    'WouldUpdate',
    'WouldBeginWave',
    'WouldUpdate',
    'NothingChanged',
  ])
  expect(emulator.lab.written).toEqual([])
  expect((await emulator.get(uris.jobs))['Members']).toEqual([])
})

describe('a plan that is wrong', () => {
  test('is refused with all of its mistakes, and where they are', async () => {
    const emulator = await startLab(1)
    const plan = { Waves: [{ Count: 0 }], Targets: [uris.system('9')], DeviceTimeout: 'PT0S' }
    const { status, json } = await pushRollOut(emulator, bios, plan, { DryRun: 'no' })
    expect(status).toBe(400)
    const at = '/Oem/Redflash'
    expect(mistakesIn(json).toSorted()).toEqual([
      `PropertyValueOutOfRange ${at}/RollOut/DeviceTimeout`,
      `PropertyValueOutOfRange ${at}/RollOut/Waves/0/Count`,
      `PropertyValueTypeError ${at}/DryRun`,
      `ResourceMissingAtURI ${at}/RollOut/Targets/0`,
    ])
  })

  test('is one for nobody: that is not for all', async () => {
    const emulator = await startLab(1)
    const { status, json } = await pushRollOut(emulator, bios, { Targets: [] })
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['ArraySizeTooShort'] })
    expect(emulator.bmc.state.tasks.size).toBe(0)
  })

  test.each([
    ['targets', { Targets: [uris.systems] }, '/Targets/0'],
    ['excluded targets', { ExcludeTargets: [uris.systems] }, '/ExcludeTargets/0'],
    ['tags', { Filter: { Tags: [uris.aggregate('9')] } }, '/Filter/Tags/0'],
    [
      'groups of a window',
      { MaintenanceWindows: [{ Groups: [uris.system('1')], Cron: '0 2 * * *', Duration: 'PT1H' }] },
      '/MaintenanceWindows/0/Groups/0',
    ],
  ])('names %s that are nobody there', async (_what, plan, at) => {
    const emulator = await startLab(1)
    const { status, json } = await pushRollOut(emulator, bios, plan)
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['ResourceMissingAtURI'] })
    expect(JSON.stringify(json)).toContain(`"/Oem/Redflash/RollOut${at}"`)
  })

  test.each([
    ['targets beside it', { Targets: [uris.system('1')] }],
    ['an apply time', { '@Redfish.OperationApplyTime': 'OnReset' }],
  ])('is %s', async (_what, beside) => {
    const emulator = await startLab(1)
    const { status, json } = await push(emulator, bios, { ...beside, Oem: { Redflash: { RollOut: {} } } })
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['PropertyValueConflict'] })
  })

  test('is any, for what is no console', async () => {
    const emulator = await startEmulator()
    const { status, json } = await pushRollOut(emulator, bios, {})
    expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: ['PropertyUnknown'] })
  })
})
