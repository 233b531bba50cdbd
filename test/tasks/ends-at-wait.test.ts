import { expect, test } from 'vitest'
import { message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { WorkHandle } from '../../src/tasks/work.ts'
import {
  CANCELLED,
  COMPLETED,
  createGate,
  FAILED,
  keysOf,
  resetOf,
  startEngines,
  taskWork,
} from '../support/work.ts'

const target = uris.firmware('BIOS')

/** Work with a part that ends as given and one that waits for a reset, after which it changes the BIOS's overlay. */
function startWaiting(first = COMPLETED) {
  const engines = startEngines()
  const { tasks, bmc, clock } = engines
  const gate = createGate('user', [resetOf('1')])
  const work = taskWork(
    async (handle) => {
      const ends = async () => (await clock.sleep(50), first)
      const waits = async (part: WorkHandle) => {
        await part.wait(gate.waiting, gate.opened)
        part.report(
          { messages: [message('Update.UpdateInProgress')] },
          { overlays: [[target, { Version: '2' }]] },
        )
        await part.part({ name: 'late', target, run: async () => COMPLETED })
        return FAILED
      }
      await Promise.all([ends, waits].map((run) => handle.part({ name: '', target, run })))
      return FAILED
    },
    { endsAtWait: true },
  )
  tasks.start(bmc, work)
  return { ...engines, gate }
}

test.each([
  [COMPLETED, 'Completed'],
  [FAILED, 'Exception'],
])(
  'a task of which a part is %j and another waits has ended, where waiting ends it',
  async (first, final) => {
    const { clock, bmc, states } = startWaiting(first)
    await clock.advance(49)
    expect(states('1')).toEqual(['New', 'Running'])
    await clock.advance(1)
    expect(bmc.state.tasks.get('1')).toMatchObject({ state: final, finalStatus: 200, endTime: clock.now() })
    expect(states('1/2')).toEqual(['New', 'Pending', 'Completed'])
    expect(keysOf(bmc.state.tasks.get('1')?.messages)).toEqual(['ResetRequired'])
    expect(keysOf([...bmc.state.auditLog.values()].map((one) => one.message)).at(-1)).toMatch(
      /^Task(Completed|Aborted)/,
    )
  },
)

test('work behind a task that has ended goes on unseen, and changes what it changes', async () => {
  const { clock, bmc, gate, bugs } = startWaiting()
  await clock.advance(50)
  const before = [...bmc.state.tasks]
  gate.open()
  await clock.advance(1)
  expect([...bmc.state.tasks]).toEqual(before)
  expect(bmc.state.overlays.get(target)).toEqual({ Version: '2' })
  expect(bugs).toEqual([])
})

test('a task whose own work waits has ended without being Pending, where waiting ends it', async () => {
  const { tasks, bmc, clock, states } = startEngines()
  const gate = createGate('user', [resetOf('1')])
  const run = async (work: WorkHandle) => {
    work.report({ percent: 85 })
    await work.wait({ ...gate.waiting, also: { overlays: [[target, { Version: '2' }]] } }, gate.opened)
    return COMPLETED
  }
  tasks.start(bmc, taskWork(run, { endsAtWait: true }))
  await clock.advance(1)
  expect(states('1')).toEqual(['New', 'Running', 'Completed'])
  expect(bmc.state.tasks.get('1')).toMatchObject({ percent: 100 })
  expect(bmc.state.overlays.get(target)).toEqual({ Version: '2' })
})

test('removing an ended task ends the work that waits behind it', async () => {
  const { clock, bmc, gate, tasks } = startWaiting()
  await clock.advance(50)
  expect(tasks.remove(bmc, '1')).toBe(true)
  expect(bmc.state.tasks.size).toBe(0)
  gate.open()
  await clock.advance(1)
  expect(bmc.state.overlays.size).toBe(0)
})

test('removing all completed tasks, and their age, leave the work that waits behind them', async () => {
  const { clock, bmc, gate, tasks } = startWaiting()
  await clock.advance(50)
  tasks.removeCompleted(bmc)
  expect(bmc.state.tasks.size).toBe(0)
  gate.open()
  await clock.advance(1)
  expect(bmc.state.overlays.get(target)).toEqual({ Version: '2' })

  const aged = startWaiting()
  await aged.clock.advance(50 + 1_440 * 60_000)
  expect(aged.bmc.state.tasks.size).toBe(0)
  aged.gate.open()
  await aged.clock.advance(1)
  expect(aged.bmc.state.overlays.get(target)).toEqual({ Version: '2' })
})

test('an ended task is not removed while a part behind it is past stopping, and is when that has ended', async () => {
  const { tasks, bmc, clock } = startEngines()
  const [gate, shut] = [createGate('user'), createGate('user')]
  const writes = async (part: WorkHandle) => {
    await part.wait(gate.waiting, gate.opened)
    part.allowCancel(false)
    await clock.sleep(100)
    return COMPLETED
  }
  const waits = async (part: WorkHandle) => (await part.wait(shut.waiting, shut.opened), COMPLETED)
  const run = async (work: WorkHandle) => {
    await Promise.all([writes, waits].map((one) => work.part({ name: '', target, run: one })))
    return COMPLETED
  }
  tasks.start(bmc, taskWork(run, { endsAtWait: true }))
  await clock.advance(1)
  gate.open()
  await clock.advance(1)
  expect(tasks.remove(bmc, '1')).toBe(false)
  await clock.advance(100)
  expect(tasks.remove(bmc, '1')).toBe(true)
})

test('a task that is cancelled has not ended well because a part of it waits', async () => {
  const { tasks, bmc, clock, states } = startEngines()
  const gate = createGate()
  const stops = ({ signal }: WorkHandle) =>
    new Promise<typeof CANCELLED>((resolve) => signal.addEventListener('abort', () => resolve(CANCELLED)))
  const waits = async (part: WorkHandle) => (await part.wait(gate.waiting, gate.opened), COMPLETED)
  const run = async (work: WorkHandle) => {
    await Promise.all([stops, waits].map((one) => work.part({ name: '', target, run: one })))
    return CANCELLED
  }
  tasks.start(bmc, taskWork(run, { endsAtWait: true }))
  await clock.advance(1)
  tasks.cancel(bmc, '1')
  await clock.advance(1)
  expect(['1', '1/1', '1/2'].map((key) => states(key).at(-1))).toEqual([
    'Cancelled',
    'Cancelled',
    'Cancelled',
  ])
})
