import { expect, test } from 'vitest'
import type { ComponentOrder } from '../../src/image/build/builder.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageArgs, untilInstalled, update } from '../support/updates.ts'
import { validateBody } from '../support/schemas.ts'

const NIC_1 = uris.firmware('NIC-1')
const FORCE = { ForceUpdate: true }
const updated = [...untilInstalled, 'ApplyingOnComponent', 'UpdateSuccessful']
const skipped = (key: string): string[] => ['UpdateInProgress', key, 'AllTargetsDetermined']

/** rackmount's NIC-1 is at 22.41.1000 and supports nothing below 22.36.1000. */
test.each<[string, string, JsonObject, string[], string]>([
  ['a newer version', '22.41.1001', {}, updated, '22.41.1001'],
  ['the same version', '22.41.1000', {}, skipped('UpdateSkippedSameVersion'), '22.41.1000'],
  ['the same version by force', '22.41.1000', FORCE, updated, '22.41.1000'],
  ['an older version', '22.41.999', {}, skipped('UpdateSkipped'), '22.41.1000'],
  ['an older version by force', '22.41.999', FORCE, updated, '22.41.999'],
  ['the lowest version by force', '22.36.1000', FORCE, updated, '22.36.1000'],
  ['a version too low', '22.36.999', {}, skipped('UpdateSkippedVersionTooLow'), '22.41.1000'],
  ['a version too low by force', '22.36.999', FORCE, skipped('UpdateSkippedVersionTooLow'), '22.41.1000'],
])('%s for NIC-1', async (...row) => {
  const [, version, parameters, expected, becomes] = row
  const emulator = await startEmulator()
  const { task, keys, monitor } = await update(emulator, await bundleOf({ 'NIC-1': version }), parameters)
  expect({ keys, monitor }).toEqual({ keys: expected, monitor: 200 })
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK', PercentComplete: 100 })
  expect(validateBody(task)).toEqual([])
  expect(await emulator.get(NIC_1)).toMatchObject({
    Version: becomes,
    Status: { State: 'Enabled', Health: 'OK' },
  })
})

const good = await bundleOf({ 'NIC-1': '22.42.1' })
/** The last byte of firmware stands before the two empty blocks that end a tar. */
const tampered = Buffer.from(good)
tampered.writeUInt8(255 - good.readUInt8(good.length - 1_025), good.length - 1_025)

test.each([
  ['no bundle at all', Buffer.from('this is no firmware'), 'ImageMalformed'],
  ['a tar without a manifest', good.subarray(1_536), 'ImageMalformed'],
  ['a bundle cut short', good.subarray(0, good.length / 2), 'ImageMalformed'],
  ['firmware with another digest', tampered, 'ImageDigestMismatch'],
])('%s is not used', async (_what, image, why) => {
  const emulator = await startEmulator()
  const { task, keys, monitor } = await update(emulator, image)
  expect({ keys, monitor }).toEqual({ keys: ['UpdateInProgress', 'VerificationFailed', why], monitor: 400 })
  expect(messageArgs(task, 'VerificationFailed')).toEqual(['update.tar', uris.updateService])
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  expect(validateBody(task)).toEqual([])
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.41.1000' })
  expect(emulator.spool.entries.size).toBe(0)
})

test.each<[string, Record<string, string>, JsonObject]>([
  ['a component that is not here', { 'NIC-9': '1.0.0' }, {}],
  ['a component that the request excludes', { 'NIC-1': '22.42.1' }, { ExcludeTargets: [NIC_1] }],
])('an image for %s finds no target', async (_what, versions, parameters) => {
  const emulator = await startEmulator()
  const { task, keys, monitor } = await update(emulator, await bundleOf(versions), parameters)
  expect({ keys, monitor }).toEqual({ keys: ['UpdateInProgress', 'NoTargetsDetermined'], monitor: 400 })
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
})

test('an image is not applicable to a target that it is not for', async () => {
  const emulator = await startEmulator()
  const Targets = [uris.firmware('NIC-2')]
  const { task, keys, monitor } = await update(emulator, good, { Targets })
  expect({ keys, monitor }).toEqual({ keys: skipped('UpdateNotApplicable'), monitor: 200 })
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'Warning' })
  expect(messageArgs(task, 'UpdateNotApplicable')).toEqual(['NIC-1 22.42.1', Targets[0]])
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.41.1000' })
})

const BIOS_ID = '836316da-220a-5e17-a67a-81e88c36b2e6'

test.each<[string, ComponentOrder['requires'], boolean]>([
  ['the BIOS as it is', [{ component: 'BIOS', min: '1.8.0' }], true],
  ['the BIOS by its SoftwareId', [{ component: BIOS_ID, min: '1.8.0' }], true],
  ['a newer BIOS', [{ component: 'BIOS', min: '1.8.1' }], false],
  [
    'one that is met and one that is not',
    [
      { component: 'BIOS', min: '1.0.0' },
      { component: 'CPLD', min: '9' },
    ],
    false,
  ],
  ['something that is not here', [{ component: 'GPU-1', min: '0' }], false],
])('firmware that requires %s', async (_what, requires = [], isMet) => {
  const emulator = await startEmulator()
  const { task, keys } = await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }, { requires }), FORCE)
  const unmet = ['UpdateInProgress', 'UpdateNotApplicable', 'RequirementNotMet', 'AllTargetsDetermined']
  expect(keys).toEqual(isMet ? updated : unmet)
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: isMet ? 'OK' : 'Warning' })
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: isMet ? '22.42.1' : '22.41.1000' })
})

test('a requirement that an update has met lets the next one pass', async () => {
  const emulator = await startEmulator()
  const needy = await bundleOf({ 'NIC-1': '22.42.1' }, { requires: [{ component: 'CPLD', min: '3.1.0' }] })
  expect((await update(emulator, needy)).keys).toContain('UpdateNotApplicable')
  await update(emulator, await bundleOf({ CPLD: '3.1.0' }))
  expect((await update(emulator, needy)).keys).toContain('UpdateSuccessful')
})

test('a bundle is as good for each component as it is for that one alone', async () => {
  const emulator = await startEmulator()
  const image = await bundleOf({ 'NIC-1': '22.42.1', 'NIC-2': '1.0.0', CPLD: '3.0.4', 'GPU-1': '1.0.0' })
  const { task, keys, monitor } = await update(emulator, image)
  expect(monitor).toBe(200)
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'Warning' })
  expect(keys.filter((key) => !/ing(On|At|To)Component$/.test(key))).toEqual([
    'UpdateInProgress',
    'TargetDetermined',
    'UpdateSkippedVersionTooLow',
    'UpdateSkippedSameVersion',
    'NoTargetsDetermined',
    'AllTargetsDetermined',
    'UpdateSuccessful',
  ])
  expect(messageArgs(task, 'TargetDetermined')).toEqual([NIC_1, 'NIC-1 22.42.1'])
  expect(messageArgs(task, 'UpdateSuccessful')).toEqual([NIC_1, 'NIC-1 22.42.1'])
})

test('what an image brings shows in its component: version, date and size', async () => {
  const emulator = await startEmulator()
  const extra = { releaseDate: '2026-02-03T04:05:06Z', sizeBytes: 70_000 }
  await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }, extra))
  const component = await emulator.get(NIC_1)
  expect(component).toMatchObject({
    Version: '22.42.1',
    ReleaseDate: '2026-02-03T04:05:06Z',
    SizeBytes: 70_000,
    SoftwareId: '00063bf5-2250-5d9b-977d-59cf8e4b9bb0',
    LowestSupportedVersion: '22.36.1000',
  })
  expect(validateBody(component)).toEqual([])
})
