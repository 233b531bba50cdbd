import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { LONG_MS, reset } from '../support/updates.ts'
import { pushVersions } from '../support/versions.ts'

test('a suspended job lets others be written, is shown as suspended, and can be resumed', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job', maxParallelFlashes: 1 } })
  const { get, send, clock } = emulator
  await pushVersions(emulator, { 'NIC-1': '22.42.1', CPLD: '3.1.0' })
  await clock.advance(1_000)
  const job = uris.job('1')
  expect((await send(uris.action(job, 'Job.Suspend'), { method: 'POST', body: {} })).status).toBe(204)
  await pushVersions(emulator, { 'NIC-2': '7.14.0' })
  await clock.advance(LONG_MS)
  expect(await get(job)).toMatchObject({ JobState: 'Suspended' })
  expect(await get(uris.firmware('NIC-2'))).toMatchObject({ Version: '7.14.0' })
  expect((await send(uris.action(job, 'Job.Resume'), { method: 'POST', body: {} })).status).toBe(204)
  await clock.advance(LONG_MS)
  expect(await get(job)).toMatchObject({ JobState: 'Completed', JobStatus: 'OK' })
  expect(await get(uris.firmware('CPLD'))).toMatchObject({ Version: '3.1.0' })
})

test('a job is suspended, too, while one of its devices only waits for another that is held', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  const { get, send, clock } = emulator
  await pushVersions(emulator, { BIOS: '1.9.0', 'BMC-Primary': '2.4.0' })
  await clock.advance(1_000)
  const job = uris.job('1')
  await send(uris.action(job, 'Job.Suspend'), { method: 'POST', body: {} })
  await clock.advance(LONG_MS)
  expect(await get(job)).toMatchObject({ JobState: 'Suspended' })
  expect((await send(uris.action(job, 'Job.Resume'), { method: 'POST', body: {} })).status).toBe(204)
  await clock.advance(LONG_MS)
  expect(await get(job)).toMatchObject({ JobState: 'UserIntervention' })
})

test('a manager boots, though what waited for that is held by then, and its image waits for another reset', async () => {
  const emulator = await startEmulator({ machine: 'bladed', adapted: { awaitReset: 'job' } })
  const { get, send, clock, bmc } = emulator
  const { manager } = bmc.machine
  const ask = {
    '@Redfish.OperationApplyTime': 'OnTargetReset',
    Targets: ['Blade1-BIOS', 'EnclosureManager'].map(uris.firmware),
  }
  await pushVersions(emulator, { 'Blade1-BIOS': '1.5.0', EnclosureManager: '4.3.0' }, ask)
  await clock.advance(1)
  await reset(emulator, uris.system('Blade1'), 'ForceRestart')
  const job = uris.job('1')
  await send(uris.action(job, 'Job.Suspend'), { method: 'POST', body: {} })
  await reset(emulator, manager)
  await clock.advance(LONG_MS)
  expect(await get(job)).toMatchObject({ JobState: 'Suspended' })
  await send(uris.action(job, 'Job.Resume'), { method: 'POST', body: {} })
  await clock.advance(LONG_MS)
  await reset(emulator, manager)
  await clock.advance(LONG_MS)
  expect(await get(manager)).toMatchObject({ FirmwareVersion: '4.3.0', Status: { State: 'Enabled' } })
})
