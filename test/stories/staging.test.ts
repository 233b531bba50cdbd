import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from '../support/emulator.ts'
import { watchWork } from '../support/flows/watching.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, messageArgs, outcome, reset, untilInstalled, update } from '../support/updates.ts'

const NIC = uris.firmware('NIC-1')
const NIC_STAGED = uris.firmware('NIC-1-22.42.1')
const BIOS_STAGED = uris.firmware('BIOS-1.9.0')
const DEVICE = '/redfish/v1/Chassis/1/NetworkAdapters/NIC-1'
const nicImage = await bundleOf({ 'NIC-1': '22.42.1' })
const biosImage = await bundleOf({ BIOS: '1.9.0' })
const bothImage = await bundleOf({ BIOS: '1.9.0', 'NIC-1': '22.42.1' })
const ACTIVATE = uris.action(uris.updateService, 'UpdateService.Activate')
const activateOne = (uri: string): string => uris.action(uri, 'SoftwareInventory.Activate')

/** An emulator on which an image stands by. */
async function startStaged(image = nicImage, options: TestOptions = {}): Promise<TestEmulator> {
  const emulator = await startEmulator(options)
  await update(emulator, image, { Stage: true })
  return emulator
}

const post = ({ send }: TestEmulator, uri: string, body: JsonObject) => send(uri, { method: 'POST', body })
const membersOf = async ({ get }: TestEmulator): Promise<string> =>
  JSON.stringify((await get(uris.firmwareInventory))['Members'])

test('an image that is to be staged is installed and stops there, and its task says where it is', async () => {
  const emulator = await startEmulator()
  const { task, keys, monitor } = await update(emulator, nicImage, { Stage: true })
  expect({ keys, monitor }).toEqual({ keys: [...untilInstalled, 'AwaitToActivate'], monitor: 200 })
  expect(task).toMatchObject({
    TaskState: 'Completed',
    TaskStatus: 'OK',
    Links: { CreatedResources: [{ '@odata.id': NIC_STAGED }] },
  })
  expect(messageArgs(task, 'AwaitToActivate')).toEqual(['NIC-1 22.42.1', NIC_STAGED])
  expect(await emulator.get(NIC)).toMatchObject({ Version: '22.41.1000', Status: { State: 'Enabled' } })
  const { Actions, ...staged } = await emulator.get(NIC_STAGED)
  expect(validateBody(staged)).toEqual([])
  expect(staged).toMatchObject({
    Version: '22.42.1',
    Staged: true,
    Active: false,
    Status: { State: 'StandbySpare', Health: 'OK' },
    Links: { StagedTargets: [{ '@odata.id': DEVICE }], 'StagedTargets@odata.count': 1 },
  })
  expect(Actions).toEqual({ '#SoftwareInventory.Activate': { target: activateOne(NIC_STAGED) } })
  expect(await membersOf(emulator)).toContain(NIC_STAGED)
  expect(emulator.spool.entries.size).toBe(0)
})

test.each<[string, string, JsonObject]>([
  ['UpdateService.Activate with a link', ACTIVATE, { Targets: [{ '@odata.id': NIC_STAGED }] }],
  ['UpdateService.Activate with a string', ACTIVATE, { Targets: [NIC_STAGED] }],
  ['SoftwareInventory.Activate', activateOne(NIC_STAGED), {}],
  [
    'SoftwareInventory.Activate for its device',
    activateOne(NIC_STAGED),
    { Targets: [{ '@odata.id': DEVICE }] },
  ],
])('%s makes a staged image the one that runs', async (_how, target, body) => {
  const emulator = await startStaged()
  const accepted = await post(emulator, target, body)
  expect(accepted.status).toBe(202)
  expect(validateBody(accepted.json)).toEqual([])
  expect(accepted.json).toMatchObject({ Payload: { TargetUri: target } })
  await emulator.clock.advance(LONG_MS)
  const { task, keys, monitor } = await outcome(emulator, '2')
  expect({ keys, monitor }).toEqual({ keys: ['ApplyingOnComponent', 'UpdateSuccessful'], monitor: 200 })
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect(await emulator.get(NIC)).toMatchObject({ Version: '22.42.1' })
  expect((await emulator.send(NIC_STAGED)).status).toBe(404)
  expect(await membersOf(emulator)).not.toContain(NIC_STAGED)
})

test('staged images of several devices are activated together, by a job that asks for the reset that one needs', async () => {
  const emulator = await startStaged(bothImage, { adapted: { awaitReset: 'job' } })
  const { look } = watchWork(emulator.bmc)
  await post(emulator, ACTIVATE, { Targets: [BIOS_STAGED, NIC_STAGED, NIC_STAGED] })
  await emulator.clock.advance(LONG_MS)
  expect(look().seen).toMatchObject({
    task: 'New → Running: OperationTransitionedToJob → Completed',
    job: 'New → Running: UpdateSuccessful → UserIntervention: ResetRequired',
    'step 1': 'New → UserIntervention: AwaitToActivate ResetRequired',
    'step 2': 'New → Running: ApplyingOnComponent UpdateSuccessful → Completed',
  })
  await reset(emulator, uris.system('1'), 'GracefulRestart')
  await emulator.clock.advance(LONG_MS)
  expect(look().seen).toMatchObject({
    job: 'Running: UpdateSuccessful → Completed',
    'step 1': 'Running: ApplyingOnComponent UpdateSuccessful → Completed',
  })
  expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.9.0' })
})

test('a BIOS that keeps two images has the old one standing by afterwards, and goes back to it', async () => {
  const emulator = await startStaged(biosImage, { adapted: { awaitReset: 'pending' } })
  for (const [running, next] of [
    ['1.8.0', '1.9.0'],
    ['1.9.0', '1.8.0'],
  ] as const) {
    const standby = uris.firmware(`BIOS-${next}`)
    expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Version: running })
    expect((await post(emulator, ACTIVATE, { Targets: [{ '@odata.id': standby }] })).status).toBe(202)
    await emulator.clock.advance(1)
    await reset(emulator, uris.system('1'), 'ForceRestart')
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Version: next })
    expect((await emulator.send(standby)).status).toBe(404)
    expect(await emulator.get(uris.firmware(`BIOS-${running}`))).toMatchObject({ Staged: true })
  }
})

test.each<[string, string, JsonObject, string]>([
  ['an image that runs', ACTIVATE, { Targets: [{ '@odata.id': NIC }] }, 'ActionParameterValueConflict'],
  ['nothing that there is', ACTIVATE, { Targets: [uris.firmware('Nope')] }, 'ResourceMissingAtURI'],
  ['no target', ACTIVATE, { Targets: [] }, 'ActionParameterValueError'],
  ['no Targets', ACTIVATE, {}, 'ActionParameterMissing'],
  ['neither link nor string', ACTIVATE, { Targets: 5 }, 'ActionParameterValueTypeError'],
  [
    'a device where it does not stand by',
    activateOne(NIC_STAGED),
    { Targets: ['/redfish/v1/Chassis/1/NetworkAdapters/NIC-2'] },
    'ActionParameterValueConflict',
  ],
])('to activate %s is refused', async (_what, target, body, key) => {
  const emulator = await startStaged()
  const { status, json } = await post(emulator, target, body)
  expect({ status, keys: messageKeys(json) }).toEqual({ status: 400, keys: [key] })
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.get(NIC)).toMatchObject({ Version: '22.41.1000' })
})

test('a target that has no place for a second image cannot be staged, as its capabilities say', async () => {
  const emulator = await startEmulator()
  const capabilities = await emulator.get(uris.updateServiceCapabilities)
  expect(validateBody(capabilities)).toEqual([])
  const CPLD = uris.firmware('CPLD')
  const { AllowableTargets, AllowableStaging } = capabilities as {
    readonly AllowableTargets?: readonly string[]
    readonly AllowableStaging?: readonly string[]
  }
  expect(AllowableTargets).toContain(CPLD)
  expect(AllowableStaging).toContain(NIC)
  expect(AllowableStaging).not.toContain(CPLD)
  const refused = await push(emulator, await bundleOf({ CPLD: '3.1.0' }), { Stage: true, Targets: [CPLD] })
  expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
    status: 400,
    keys: ['PropertyValueConflict'],
  })
})

test('of an image for several devices, those that cannot be staged are left out', async () => {
  const emulator = await startEmulator()
  const { task, keys } = await update(emulator, await bundleOf({ CPLD: '3.1.0', 'NIC-1': '22.42.1' }), {
    Stage: true,
  })
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'Warning' })
  expect(keys).toContain('UpdateNotApplicable')
  expect(messageArgs(task, 'UpdateNotApplicable')).toEqual(['CPLD 3.1.0', uris.firmware('CPLD')])
  expect(await emulator.get(NIC_STAGED)).toMatchObject({ Staged: true })
  expect(await emulator.get(uris.firmware('CPLD'))).toMatchObject({ Version: '3.0.4' })
})

test('DELETE takes away an image that stands by, and leaves the one that runs', async () => {
  const emulator = await startStaged()
  expect((await emulator.send(NIC_STAGED, { method: 'DELETE' })).status).toBe(204)
  expect((await emulator.send(NIC_STAGED)).status).toBe(404)
  expect((await post(emulator, ACTIVATE, { Targets: [NIC_STAGED] })).status).toBe(400)
  const kept = await emulator.send(NIC, { method: 'DELETE' })
  expect({ status: kept.status, keys: messageKeys(kept.json) }).toEqual({
    status: 403,
    keys: ['ResourceCannotBeDeleted'],
  })
})

test('an image that is being activated is not taken away, nor activated twice', async () => {
  const emulator = await startStaged()
  await post(emulator, activateOne(NIC_STAGED), {})
  await emulator.clock.advance(1_000)
  const removed = await emulator.send(NIC_STAGED, { method: 'DELETE' })
  expect({ status: removed.status, keys: messageKeys(removed.json) }).toEqual({
    status: 409,
    keys: ['ResourceInUse'],
  })
  const again = await post(emulator, activateOne(NIC_STAGED), {})
  expect({ status: again.status, keys: messageKeys(again.json) }).toMatchObject({ status: 503 })
})

test('an image that only waits for its reset, its task having ended, is disarmed by DELETE', async () => {
  const emulator = await startStaged(biosImage)
  await post(emulator, ACTIVATE, { Targets: [BIOS_STAGED] })
  await emulator.clock.advance(1)
  expect(await outcome(emulator, '2')).toMatchObject({
    keys: ['AwaitToActivate', 'ResetRequired'],
    monitor: 200,
  })
  expect((await emulator.send(BIOS_STAGED, { method: 'DELETE' })).status).toBe(204)
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  const bios = await emulator.get(uris.firmware('BIOS'))
  expect(bios).toMatchObject({ Version: '1.8.0' })
  expect(bios['Status']).not.toHaveProperty('Conditions')
})

test('a newer image takes the place of one that is staged', async () => {
  const emulator = await startStaged()
  await update(emulator, await bundleOf({ 'NIC-1': '22.43.0' }), { Stage: true })
  expect((await emulator.send(NIC_STAGED)).status).toBe(404)
  expect(await emulator.get(uris.firmware('NIC-1-22.43.0'))).toMatchObject({ Staged: true })
})

test('Stage says whether an image is activated, the apply time when it is written', async () => {
  const emulator = await startEmulator({ adapted: { awaitReset: 'job' } })
  const { look } = watchWork(emulator.bmc)
  await push(emulator, biosImage, { Stage: true, '@Redfish.OperationApplyTime': 'OnReset' })
  await emulator.clock.advance(LONG_MS)
  expect(look().seen).toMatchObject({ 'step 1': 'New → UserIntervention: AwaitToUpdate ResetRequired' })
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  expect(look().seen).toMatchObject({
    job: 'Running → Completed',
    'step 1':
      'Running: TransferringToComponent VerifyingAtComponent InstallingOnComponent AwaitToActivate → Completed',
  })
  expect(await emulator.get(uris.firmware('BIOS'))).toMatchObject({ Version: '1.8.0' })
  expect(await emulator.get(BIOS_STAGED)).toMatchObject({ Staged: true })
})
