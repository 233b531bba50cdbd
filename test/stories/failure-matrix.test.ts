import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { isUpdated } from '../support/device-stages.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { failingDevices } from '../support/failures/devices.ts'
import { ended } from '../support/failures/ended.ts'
import {
  type Begun,
  type Expected,
  messagesOf,
  ordinaryUntil,
  shownOf,
  unchanged,
} from '../support/failures/failure.ts'
import { noImage } from '../support/failures/no-image.ts'
import { noUse } from '../support/failures/no-use.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { logged, outcome } from '../support/updates.ts'
import { head, rawClient, startWire } from '../support/wire.ts'
import { contentType, expectPushWorks, nic } from '../support/wire-push.ts'

const failures = [...noImage, ...noUse, ...failingDevices, ...ended]

test.each(failures.map((failure) => [failure.what, failure] as const))('%s', async (_what, failure) => {
  const { options = {}, begin, until, expected } = failure
  const emulator = await startEmulator(options)
  const begun = await begin(emulator)
  await until(emulator, begun)
  await isTold(emulator, begun, expected)
  const components = Object.entries(expected.shown ?? unchanged)
  const shown = components.map(async ([id]) => [id, await shownOf(emulator, id)] as const)
  expect(await Promise.all(shown)).toEqual(components)
  // What a row says nothing of may be anything.
  const anything: unknown = expect.anything()
  expect(await logged(emulator)).toEqual(expected.log ?? anything)
  expect(begun.accepted?.() ?? 0).toEqual(expected.connections ?? anything)
  await expect.poll(() => emulator.spool.entries.size).toBe(0)
  await isUpdated(emulator)
})

test('a push whose client goes away half-way: there is no task, and nothing is left', async () => {
  const wire = await startWire()
  const { body } = multipartBody(pushParts(await bundleOf(nic)))
  const headers = { 'Content-Type': contentType, 'Content-Length': body.length }
  const client = rawClient(wire.port).send(
    head('POST', uris.multipartPush, headers),
    body.subarray(0, body.length / 2),
  )
  await expect.poll(wire.spooled).toHaveLength(1)
  client.socket.resetAndDestroy()
  await wire.spoolIsEmpty()
  expect(wire.bmc.state.tasks.size).toBe(0)
  expect((await wire.get(uris.firmware('NIC-1'))).json).toMatchObject({ Version: '22.41.1000' })
  await expectPushWorks(wire)
})

/** What the first task, its monitor, and the job that it may have become say. */
async function isTold(emulator: TestEmulator, begun: Begun, expected: Expected): Promise<void> {
  const { after, told, job } = expected
  const { task, keys, monitor } = await outcome(emulator, '1')
  expect(validateBody(task)).toEqual([])
  expect(JSON.stringify(task)).not.toContain('planted')
  const before = ordinaryUntil(after)
  expect(keys.slice(0, before.length)).toEqual(before)
  const { href = '', port = '' } = begun.uri ?? {}
  const filled = told.map((one) => one.replace('$URI', href).replace('$PORT', port))
  expect(messagesOf(task).slice(before.length)).toEqual(filled)
  const { TaskState, TaskStatus } = task
  expect({ state: [TaskState, TaskStatus], monitor }).toEqual({
    state: expected.task.split(' '),
    monitor: expected.monitor,
  })
  const { jobs } = emulator.bmc.state
  expect([...jobs.keys()]).toEqual(job ? ['1', ...job.steps.map((_step, index) => `1/${index + 1}`)] : [])
  const all = job ? [job, ...job.steps] : []
  for (const [index, one] of all.entries()) {
    const uri = index === 0 ? uris.job('1') : uris.step('1', String(index))
    const shown = await emulator.get(uri)
    expect(validateBody(shown)).toEqual([])
    const { JobState, JobStatus } = shown
    expect({ uri, state: [JobState, JobStatus] }).toEqual({ uri, state: one.state.split(' ') })
    // What the task told the job tells, too: it stands in the row once.
    const own = messagesOf(shown).filter((said) => index > 0 || !messagesOf(task).includes(said))
    expect({ uri, told: own }).toEqual({ uri, told: one.told })
  }
}
