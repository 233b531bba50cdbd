import { describe, expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import type { ManagedDevice } from '../../src/bmc/managed-device.ts'
import { lastSegment, rolloutReportId, uris } from '../../src/redfish/uris.ts'
import { DEVICE_PASSWORD, labDevice, labMethod } from '../support/managed-devices.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { labImage, newLab, pushRollOut, type RolloutLab, startLab, UPDATE_MS } from '../support/rollouts.ts'

const bios = await labImage({ BIOS: '2.0.0' })
const REPORT = uris.metricReport(rolloutReportId('1'))
const VERSIONS = uris.metricReport('Versions')

interface Value {
  readonly MetricId: string
  readonly MetricValue: string
  readonly Oem?: { readonly Redflash: Readonly<Record<string, string>> }
}

/** What a report shows. */
async function shownBy({ get }: Pick<TestEmulator, 'get'>, report: string): Promise<readonly Value[]> {
  const { MetricValues = [] } = await get(report)
  return MetricValues as unknown as readonly Value[]
}

/** That as lines, without values that are 0: what each is about, and the number. */
async function valuesOf(emulator: Pick<TestEmulator, 'get'>, report = REPORT): Promise<string[]> {
  const values = await shownBy(emulator, report)
  return values.flatMap(({ MetricId, MetricValue, Oem }) => {
    const { '@odata.type': _type, ...about } = Oem?.Redflash ?? {}
    return MetricValue === '0' ? [] : [[MetricId, ...Object.values(about), MetricValue].join(' ')]
  })
}

/** Four devices, one of which fails for good and one once; the last waits for approval. */
async function startMixed(): Promise<RolloutLab> {
  const lab = newLab(4)
  const emulator = await startLab(4, { lab })
  lab.plans.set('1', { ms: 2 * UPDATE_MS })
  lab.plans.set('2', { fails: 'install' })
  lab.plans.set('3', { ms: 3 * UPDATE_MS, fails: 'verify', times: 1 })
  await emulator.clock.advance(1_000)
  await pushRollOut(emulator, bios, {
    Name: 'Autumn',
    Waves: [{ Count: 3 }, { Count: 1, ApprovalRequired: true }],
    FailureThreshold: { Count: 3 },
    Retries: { MaxRetries: 1, Delay: 'PT1M', Stages: ['Verify'] },
  })
  return emulator
}

describe('the report of a roll-out', () => {
  test('follows it, with figures of what has ended', async () => {
    const emulator = await startMixed()
    await emulator.clock.advance(1_000)
    expect(await valuesOf(emulator)).toEqual(['Devices Flashing 3', 'Devices Pending 1'])
    await emulator.clock.advance(2.5 * UPDATE_MS)
    expect(await valuesOf(emulator)).toEqual([
      'Devices Succeeded 1',
      'Devices Failed 1',
      'Devices Flashing 1',
      'Devices Pending 1',
      'SuccessRate 50',
      ...percentiles('20'),
      'FailuresByStage Install 1',
      'FailuresByMessage Update.ApplyFailed 1',
      `BytesSent ${2 * bios.byteLength}`,
    ])
    await emulator.clock.advance(100 * UPDATE_MS)
    expect(await valuesOf(emulator)).toEqual([
      'Devices Succeeded 2',
      'Devices Failed 1',
      'Devices Pending 1',
      'SuccessRate 66.667',
      'UpdateDurationMinimum 10',
      'UpdateDurationAverage 15',
      'UpdateDurationP50 10',
      'UpdateDurationP90 20',
      'UpdateDurationP95 20',
      'UpdateDurationP99 20',
      'UpdateDurationMaximum 20',
      'FailuresByStage Install 1',
      'FailuresByStage Verify 1',
      'FailuresByMessage Update.ApplyFailed 1',
      'FailuresByMessage Update.VerificationFailed 1',
      'Retries 1',
      `BytesSent ${4 * bios.byteLength}`,
    ])
  })

  test('is found from its job, says where its numbers are, and what they mean', async () => {
    const emulator = await startMixed()
    const { get } = emulator
    await emulator.clock.advance(100 * UPDATE_MS)
    expect(await get(uris.job('1'))).toMatchObject({
      Oem: { Redflash: { MetricReport: { '@odata.id': REPORT } } },
    })
    const report = await get(REPORT)
    expect(report).toMatchObject({ Name: 'Figures of Autumn', Timestamp: '2026-01-01T00:01:41Z' })
    const values = await shownBy(emulator, REPORT)
    expect(values[0]).toMatchObject({
      MetricProperty: `${uris.job('1')}#/Oem/Redflash/Devices/Succeeded`,
      Timestamp: '2026-01-01T00:01:41Z',
    })
    const definition = await get(uris.metricReportDefinition(lastSegment(REPORT)))
    expect(definition['MetricReport']).toEqual({ '@odata.id': REPORT })
    const told = (definition['Metrics'] as unknown as readonly Value[]).map(({ MetricId }) => MetricId)
    expect(told).toEqual(expect.arrayContaining(values.map(({ MetricId }) => MetricId)))
    for (const id of told) expect((await get(uris.metricDefinition(id)))['Units']).toBeDefined()
  })

  test('stays as it was after a restart, and goes with the job', async () => {
    const before = await startMixed()
    await before.clock.advance(100 * UPDATE_MS)
    const stop = { method: 'PATCH', body: { JobState: 'Cancelled' } } as const
    expect((await before.send(uris.job('1'), stop)).status).toBe(200)
    await before.clock.advance(1_000)
    const was = [await before.get(REPORT), await before.get(VERSIONS)]
    const after = await startLab(0, { lab: before.lab, after: before })
    await after.clock.advance(1_000)
    expect([await after.get(REPORT), await after.get(VERSIONS)]).toEqual(was)
    await after.send(uris.job('1'), { method: 'DELETE' })
    expect((await after.send(REPORT)).status).toBe(404)
    expect(await after.get(uris.metricReports)).toMatchObject({ Members: [{ '@odata.id': VERSIONS }] })
  })
})

test('a device that took too long has failed by that', async () => {
  const emulator = await startLab(1)
  emulator.lab.plans.set('1', { ms: 10 * UPDATE_MS })
  await pushRollOut(emulator, bios, { DeviceTimeout: 'PT20S' })
  await emulator.clock.advance(100 * UPDATE_MS)
  expect(await valuesOf(emulator)).toEqual(['Devices TimedOut 1', 'FailuresByStage Timeout 1'])
  expect(await emulator.get(REPORT)).toMatchObject({
    MetricValues: expect.arrayContaining([
      expect.objectContaining({ MetricId: 'SuccessRate', MetricValue: '0' }),
    ]) as unknown,
  })
})

test('a roll-back for which nothing was sent adds no bytes', async () => {
  const emulator = await startLab(1)
  emulator.lab.plans.set('1', { fails: 'verify' })
  await pushRollOut(emulator, bios, { RollBackFailed: true })
  await emulator.clock.advance(100 * UPDATE_MS)
  expect(await valuesOf(emulator)).toEqual([
    'Devices RolledBack 1',
    'FailuresByStage Verify 1',
    'FailuresByMessage Update.VerificationFailed 1',
    'RollBacksSucceeded 1',
    `BytesSent ${bios.byteLength}`,
  ])
})

test('the versions in the field tell what every device ran, and since when', async () => {
  const emulator = await startMixed()
  await emulator.clock.advance(100 * UPDATE_MS)
  expect(await valuesOf(emulator, VERSIONS)).toEqual([
    'VersionsInField BMC lab-bmc 1.0.0 4',
    'VersionsInField BIOS lab-bios 1.0.0 4',
    'VersionsInField BIOS lab-bios 1.0.0 3',
    'VersionsInField BIOS lab-bios 2.0.0 1',
    'VersionsInField BIOS lab-bios 1.0.0 2',
    'VersionsInField BIOS lab-bios 2.0.0 2',
  ])
  const [device, lab] = [emulator.bmc.state.devices.get('1') as ManagedDevice, emulator.devices[0]]
  // As it is seen from now on.
  commit(emulator.bmc, { devices: [['1', { ...device, facts: lab?.facts ?? device.facts }]] })
  const { Versions } = await emulator.get(uris.firmwareHistory('1-BIOS'))
  expect(Versions).toMatchObject([{ Version: '1.0.0' }, { Version: '2.0.0' }])
})

test('a device is in the field from the moment when it was attached', async () => {
  const methods = [labMethod({ 'lab-1': labDevice('lab-1') })]
  const emulator = await startEmulator({ machine: 'console', methods })
  expect(await emulator.get(VERSIONS)).toMatchObject({ MetricValues: [] })
  await emulator.clock.advance(5_000)
  const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod('Lab') } }
  const body = { HostName: 'lab-1', UserName: 'me', Password: DEVICE_PASSWORD, Links }
  expect((await emulator.send(uris.aggregationSources, { method: 'POST', body })).status).toBe(201)
  expect(await emulator.get(VERSIONS)).toMatchObject({ Timestamp: '2026-01-01T00:00:05Z' })
})

test('only a console has a TelemetryService', async () => {
  const { get, send } = await startEmulator()
  expect(await get(uris.root)).not.toHaveProperty('TelemetryService')
  expect((await send(uris.telemetryService)).status).toBe(404)
})

const percentiles = (value: string): string[] =>
  ['Minimum', 'Average', 'P50', 'P90', 'P95', 'P99', 'Maximum'].map((one) => `UpdateDuration${one} ${value}`)
