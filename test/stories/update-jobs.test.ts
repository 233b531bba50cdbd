import { describe, expect, test } from 'vitest'
import { type DeviceStageName, deviceStages } from '../../src/bmc/device-faults.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { rackmountWith } from '../support/behaviours.ts'
import { stages } from '../support/device-stages.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { watchWork } from '../support/flows/watching.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, messageArgs, reset, update } from '../support/updates.ts'

const [JOB, STEP] = [uris.job('1'), uris.step('1', '1')]
const [SYSTEM, MANAGER] = [uris.system('1'), uris.manager('1')]
const onReset: JsonObject = { '@Redfish.OperationApplyTime': 'OnReset' }
const asJob: TestOptions = { adapted: { awaitReset: 'job' } }
const nicImage = await bundleOf({ 'NIC-1': '22.42.1' })
const biosImage = await bundleOf({ BIOS: '1.9.0' })
const nicAndCpld = await bundleOf({ 'NIC-1': '22.42.1', CPLD: '3.1.0' })
const written = 'TransferringToComponent VerifyingAtComponent InstallingOnComponent'

const patch = ({ send }: TestEmulator, uri: string, body: JsonObject) => send(uri, { method: 'PATCH', body })

describe('Continue', () => {
  test('opens a wait for a reset before anything was written', async () => {
    const emulator = await startEmulator(asJob)
    await update(emulator, nicImage, onReset)
    const { look } = watchWork(emulator.bmc)
    expect((await patch(emulator, JOB, { JobState: 'Continue' })).status).toBe(200)
    await emulator.clock.advance(LONG_MS)
    expect(look().seen['job']).toMatch(/^Continue → Running: UpdateSuccessful → Completed$/)
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
  })

  test('is no reset: what one activates waits for it all the same', async () => {
    const emulator = await startEmulator(asJob)
    await update(emulator, biosImage, onReset)
    expect((await patch(emulator, JOB, { JobState: 'Continue' })).status).toBe(200)
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(STEP)).toMatchObject({ JobState: 'UserIntervention' })
    expect(messageKeys(await emulator.get(STEP)).slice(-2)).toEqual(['AwaitToActivate', 'ResetRequired'])
    const refused = await patch(emulator, JOB, { JobState: 'Continue' })
    expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
      status: 409,
      keys: ['PropertyValueResourceConflict'],
    })
    await reset(emulator, SYSTEM, 'ForceRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Completed' })
  })

  test('of one step leaves the others waiting', async () => {
    const emulator = await startEmulator(asJob)
    await update(emulator, nicAndCpld, onReset)
    expect((await patch(emulator, STEP, { JobState: 'Continue' })).status).toBe(200)
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(STEP)).toMatchObject({ JobState: 'Completed' })
    expect(await emulator.get(JOB)).toMatchObject({ JobState: 'UserIntervention' })
  })
})

test('OnReset is opened by the reset of anything, and activation waits for the right one', async () => {
  const emulator = await startEmulator(asJob)
  await update(emulator, biosImage, onReset)
  const { look } = watchWork(emulator.bmc)
  await reset(emulator, MANAGER, 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(look().seen['step 1']).toBe(`Running: ${written} → UserIntervention: AwaitToActivate ResetRequired`)
  await reset(emulator, SYSTEM, 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(look().seen['step 1']).toBe('Running: ApplyingOnComponent UpdateSuccessful → Completed')
})

test('OnTargetReset is opened by the reset of its own, and of nothing else', async () => {
  const emulator = await startEmulator(asJob)
  const when = { '@Redfish.OperationApplyTime': 'OnTargetReset' }
  await update(emulator, biosImage, when)
  const { look } = watchWork(emulator.bmc)
  await reset(emulator, MANAGER, 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(look().seen).toEqual({})
  await reset(emulator, SYSTEM, 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(look().seen['job']).toBe('Running: UpdateSuccessful → Completed')
})

test('what software of the host installs waits for a boot of the host, however soon it was wanted', async () => {
  const machine = rackmountWith({ 'NIC-1': { installer: 'software' } })
  const emulator = await startEmulator({ machine, ...asJob })
  const { look } = watchWork(emulator.bmc)
  await update(emulator, nicImage)
  expect(look().seen).toMatchObject({
    task: expect.stringMatching(/OperationTransitionedToJob → Completed$/) as string,
    'step 1': 'New → UserIntervention: AwaitToUpdate ResetRequired',
  })
  const [target = '', ResetType = ''] = messageArgs(await emulator.get(JOB), 'ResetRequired') ?? []
  expect(target).toBe(uris.action(SYSTEM, 'ComputerSystem.Reset'))
  expect((await emulator.send(target, { method: 'POST', body: { ResetType } })).status).toBe(204)
  await emulator.clock.advance(LONG_MS)
  expect(look().seen['step 1']).toBe(`Running: ${written} ApplyingOnComponent UpdateSuccessful → Completed`)
})

/** A job whose NIC hangs in a stage, with the CPLD updated beside it. */
async function startHanging(at: DeviceStageName): Promise<TestEmulator> {
  const emulator = await startEmulator({
    ...asJob,
    devices: { 'NIC-1': { fail: { at, how: 'hangs', after: '40%', times: 1 } } },
  })
  await push(emulator, nicAndCpld)
  await emulator.clock.advance(1_000)
  expect((await patch(emulator, JOB, { MaxExecutionTime: 'PT10M' })).status).toBe(200)
  return emulator
}

test.each(deviceStages)('a device that hangs in %s is ended by MaxExecutionTime', async (at) => {
  const emulator = await startHanging(at)
  await emulator.clock.advance(600_000 - 2_000)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Running' })
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Status: { State: 'Updating' } })
  await emulator.clock.advance(2_000)
  const job = await emulator.get(JOB)
  expect(validateBody(job)).toEqual([])
  expect(job).toMatchObject({ JobState: 'Exception', JobStatus: 'Critical' })
  expect(messageKeys(job).at(-1)).toBe('OperationTimeout')
  expect(await emulator.get(STEP)).toMatchObject({ JobState: 'Cancelled' })
  expect(await emulator.get(uris.step('1', '2'))).toMatchObject({ JobState: 'Completed' })
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({
    Version: '22.41.1000',
    Status: { State: 'Enabled', Health: stages[at].damages === true ? 'Critical' : 'OK' },
  })
  expect(emulator.spool.entries.size).toBe(0)
  await update(emulator, nicImage)
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({
    Version: '22.42.1',
    Status: { Health: 'OK' },
  })
})

test('a device that hangs while its reset activates it is ended by MaxExecutionTime, and the system boots', async () => {
  const emulator = await startEmulator({
    ...asJob,
    devices: { BIOS: { fail: { at: 'activate', how: 'hangs', times: 1 } } },
  })
  await update(emulator, biosImage)
  await patch(emulator, JOB, { MaxExecutionTime: 'PT10M' })
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(SYSTEM)).toMatchObject({ PowerState: 'PoweringOn' })
  await emulator.clock.advance(600_000)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Exception' })
  expect(await emulator.get(SYSTEM)).toMatchObject({ PowerState: 'On', BiosVersion: '1.8.0' })
  expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Status: { State: 'Enabled' } })
})

test('a job that waits for a user is ended by MaxExecutionTime, too', async () => {
  const emulator = await startEmulator(asJob)
  await update(emulator, biosImage)
  await patch(emulator, JOB, { MaxExecutionTime: 'PT10M' })
  await emulator.clock.advance(600_000)
  expect(await emulator.get(JOB)).toMatchObject({ JobState: 'Exception' })
  const bios = await emulator.get(uris.firmware('BIOS'))
  expect(bios['Status']).not.toHaveProperty('Conditions')
  await reset(emulator, SYSTEM, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(SYSTEM)).toMatchObject({ BiosVersion: '1.8.0' })
})

describe('a component that is write-protected', () => {
  const NIC = uris.firmware('NIC-1')

  test('is left as it is by an image that is for it among others, until it is free again', async () => {
    const emulator = await startEmulator()
    const answer = await patch(emulator, NIC, { WriteProtected: true })
    expect(answer).toMatchObject({ status: 200, json: { WriteProtected: true } })
    expect(validateBody(answer.json)).toEqual([])
    const { task, keys } = await update(emulator, nicAndCpld)
    expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'Warning' })
    expect(keys).toContain('UpdateNotApplicable')
    expect(messageArgs(task, 'UpdateNotApplicable')).toEqual(['NIC-1 22.42.1', NIC])
    expect(await emulator.get(NIC)).toMatchObject({ Version: '22.41.1000' })
    expect(await emulator.get(uris.firmware('CPLD'))).toMatchObject({ Version: '3.1.0' })
    await patch(emulator, NIC, { WriteProtected: false })
    await update(emulator, nicImage)
    expect(await emulator.get(NIC)).toMatchObject({ Version: '22.42.1', WriteProtected: false })
  })

  test('refuses an update that names it, even by force', async () => {
    const emulator = await startEmulator()
    await patch(emulator, NIC, { WriteProtected: true })
    const refused = await push(emulator, nicImage, { Targets: [NIC], ForceUpdate: true })
    expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
      status: 400,
      keys: ['PropertyValueResourceConflict'],
    })
    expect(emulator.spool.entries.size).toBe(0)
  })
})
