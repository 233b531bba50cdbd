import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount } from '../support/accounts.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'

const TASK = uris.task('1')
const [FIRST, SECOND] = [uris.subTask('1', '1'), uris.subTask('1', '2')]
const sizeBytes = 8 * 2 ** 20
const both = await bundleOf({ 'NIC-1': '22.42.1', 'NIC-2': '1000000' }, { sizeBytes })
const DURING_TRANSFER_MS = 1_000
const DURING_INSTALL_MS = 10_000
const AFTER_END_MS = 60_000

/** An update of two devices in one task, pushed by an Operator. */
async function startBoth() {
  const emulator = await startEmulator()
  for (const name of ['one', 'other']) await addAccount(emulator, name, { RoleId: 'Operator' })
  const accepted = await push(emulator, both, {}, { user: 'one' })
  expect(accepted.status).toBe(202)
  return { ...emulator, accepted }
}

test('a task of several devices links to a sub-task for each, and a task of one has none', async () => {
  const emulator = await startBoth()
  const { get, clock, accepted } = emulator
  expect(accepted.json['SubTasks']).toBeUndefined()
  await clock.advance(DURING_TRANSFER_MS)
  expect(await get(TASK)).toMatchObject({ SubTasks: { '@odata.id': uris.subTasks('1') } })
  const collection = await get(uris.subTasks('1'))
  expect(collection).toMatchObject({ Members: [{ '@odata.id': FIRST }, { '@odata.id': SECOND }] })
  expect(await get(uris.tasks)).toMatchObject({ Members: [{ '@odata.id': TASK }] })
  const bodies = [await get(TASK), collection, await get(FIRST), await get(SECOND)]
  expect(bodies.flatMap(validateBody)).toEqual([])

  await clock.advance(AFTER_END_MS)
  await push(emulator, await bundleOf({ 'NIC-1': '22.43.1' }))
  await clock.advance(DURING_TRANSFER_MS)
  expect((await get(uris.task('2')))['SubTasks']).toBeUndefined()
  expect((await emulator.send(uris.subTasks('2'))).status).toBe(404)
})

test('a sub-task shows its own device and has neither sub-tasks nor a monitor nor a payload', async () => {
  const { get, send, clock } = await startBoth()
  await clock.advance(DURING_TRANSFER_MS)
  const first = await get(FIRST)
  expect(first).toMatchObject({ '@odata.id': FIRST, Id: '1', TaskState: 'Running' })
  expect(messageKeys(first)).toEqual(['TransferringToComponent'])
  const absent = [first['SubTasks'], first['TaskMonitor'], first['Payload'], first['HidePayload']]
  expect(absent).toEqual([undefined, undefined, undefined, undefined])
  const others = [`${FIRST}/SubTasks`, uris.taskMonitor('1%2F1'), uris.task('1%2F1'), uris.subTask('1', '3')]
  for (const uri of others) expect({ uri, status: (await send(uri)).status }).toEqual({ uri, status: 404 })
})

test('the task tells what its parts tell, has done what they have on average, and ends with the last', async () => {
  const { get, clock } = await startBoth()
  await clock.advance(DURING_INSTALL_MS)
  const [task, ...parts] = [await get(TASK), await get(FIRST), await get(SECOND)]
  const mean = parts.reduce((sum, { PercentComplete }) => sum + Number(PercentComplete), 0) / 2
  expect(Math.abs(Number(task['PercentComplete']) - mean)).toBeLessThanOrEqual(1)
  expect(messageKeys(task)).toEqual(expect.arrayContaining(parts.flatMap(messageKeys)))
  await clock.advance(AFTER_END_MS)
  const ended = [await get(TASK), await get(FIRST), await get(SECOND)]
  for (const one of ended)
    expect(one).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK', PercentComplete: 100 })
  const times = ended.map(({ EndTime }) => EndTime as string)
  expect(times[0]).toBe(times.slice(1).toSorted().at(-1))
})

test('DELETE of a task cancels its parts with it', async () => {
  const { send, get, clock } = await startBoth()
  await clock.advance(DURING_TRANSFER_MS)
  expect(await send(TASK, { method: 'DELETE' })).toMatchObject({
    status: 202,
    json: { TaskState: 'Cancelling' },
  })
  await clock.advance(1)
  for (const uri of [TASK, FIRST, SECOND]) expect(await get(uri)).toMatchObject({ TaskState: 'Cancelled' })
  expect(await send(TASK, { method: 'DELETE' })).toMatchObject({ status: 204 })
  for (const uri of [TASK, FIRST, uris.subTasks('1')]) expect((await send(uri)).status).toBe(404)
})

test('DELETE of a sub-task cancels one device and leaves the other', async () => {
  const { send, get, clock } = await startBoth()
  await clock.advance(DURING_TRANSFER_MS)
  const cancelled = await send(SECOND, { method: 'DELETE' })
  expect(cancelled).toMatchObject({ status: 202, json: { '@odata.id': SECOND, TaskState: 'Cancelling' } })
  await clock.advance(1)
  expect([(await get(TASK))['TaskState'], (await get(SECOND))['TaskState']]).toEqual(['Running', 'Cancelled'])
  await clock.advance(AFTER_END_MS)
  expect(await get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
  expect(await get(FIRST)).toMatchObject({ TaskState: 'Completed' })
  const kept = await send(FIRST, { method: 'DELETE' })
  expect({ status: kept.status, keys: messageKeys(kept.json) }).toEqual({
    status: 409,
    keys: ['ResourceCannotBeDeleted'],
  })
})

test.each([TASK, SECOND])('DELETE of %s is refused while that device writes', async (uri) => {
  const { send, get, clock } = await startBoth()
  await clock.advance(DURING_INSTALL_MS)
  const refused = await send(uri, { method: 'DELETE' })
  expect({ status: refused.status, keys: messageKeys(refused.json) }).toEqual({
    status: 409,
    keys: ['ResourceInUse'],
  })
  await clock.advance(AFTER_END_MS)
  expect(await get(uri)).toMatchObject({ TaskState: 'Completed' })
})

test('a sub-task is its task’s owner’s to cancel and nobody else’s', async () => {
  const { send, clock } = await startBoth()
  await clock.advance(DURING_TRANSFER_MS)
  expect((await send(FIRST, { method: 'DELETE', user: 'other' })).status).toBe(403)
  expect((await send(FIRST, { method: 'DELETE', user: 'one' })).status).toBe(202)
})

test('old tasks go with their parts', async () => {
  const { bmc, clock, get } = await startBoth()
  await clock.advance(AFTER_END_MS + 1_440 * 60_000)
  expect([...bmc.state.tasks.keys()]).toEqual([])
  const { Members } = (await get(uris.tasks)) as { readonly Members: readonly JsonObject[] }
  expect(Members).toEqual([])
})
