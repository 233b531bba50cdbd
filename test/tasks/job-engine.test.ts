import { expect, test } from 'vitest'
import { message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import { MAX_JOBS } from '../../src/tasks/job-engine.ts'
import type { WorkHandle } from '../../src/tasks/work.ts'
import {
  CANCELLED,
  COMPLETED,
  createGate,
  FAILED,
  jobWork,
  keysOf,
  resetOf,
  startEngines,
} from '../support/work.ts'

const target = uris.firmware('BIOS')
const run = (...runs: ((step: WorkHandle) => Promise<typeof COMPLETED>)[]) => {
  return async (work: WorkHandle) => {
    await Promise.all(runs.map((one) => work.part({ name: 'Step', target, run: one })))
    return COMPLETED
  }
}

test('a job and its steps go their ways, and the job tells what is to be seen there', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const success = message('Update.UpdateSuccessful', target, 'image')
  const step = async (work: WorkHandle) => {
    work.report({ messages: [message('Update.UpdateInProgress')], percent: 50 })
    await clock.sleep(10)
    work.report({ messages: [success], created: [target] })
    return COMPLETED
  }
  const exposes = ({ MessageId }: { readonly MessageId: string }) => MessageId.endsWith('UpdateSuccessful')
  const started = jobs.start(
    bmc,
    jobWork(
      run(step, async () => COMPLETED),
      { exposes, group: 12, name: 'Update' },
    ),
  )
  expect(started).toMatchObject({ id: '1', name: 'Update 1', state: 'New', createdAt: clock.now() })
  await clock.advance(5)
  expect(bmc.state.jobs.get('1')).toMatchObject({ percent: 75, parts: 2 })
  await clock.advance(5)
  expect(states('J1')).toEqual(['New', 'Running', 'Completed'])
  expect(bmc.state.jobs.get('1/1')).toMatchObject({ id: '1', parent: '1', state: 'Completed', group: 12 })
  expect(keysOf(bmc.state.jobs.get('1/1')?.messages)).toEqual(['UpdateInProgress', 'UpdateSuccessful'])
  expect(bmc.state.jobs.get('1')).toMatchObject({ messages: [success], createdResources: [target] })
})

test('one reset serves two steps: the job asks for it when nothing else goes on', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const gates = [createGate('user', [resetOf('1')]), createGate('user', [resetOf('1')])]
  const waits = gates.map(({ waiting, opened }, index) => async (step: WorkHandle) => {
    await clock.sleep(index * 100)
    await step.wait(waiting, opened)
    return COMPLETED
  })
  jobs.start(bmc, jobWork(run(...waits), { exposes: () => false }))
  await clock.advance(50)
  expect([states('J1').at(-1), states('J1/1').at(-1)]).toEqual(['Running', 'UserIntervention'])
  expect(keysOf(bmc.state.jobs.get('1/1')?.messages)).toEqual(['ResetRequired'])
  expect(bmc.state.jobs.get('1')?.messages).toEqual([])
  await clock.advance(50)
  expect(states('J1').at(-1)).toBe('UserIntervention')
  expect(bmc.state.jobs.get('1')?.messages).toEqual([resetOf('1')])
  for (const { open } of gates) open()
  await clock.advance(1)
  expect(states('J1')).toEqual(['New', 'Running', 'UserIntervention', 'Running', 'Completed'])
})

test('a reset that an earlier wait asked for is not asked for by a later one', async () => {
  const { jobs, bmc, clock } = startEngines()
  const [first, second] = [createGate('user', [resetOf('1')]), createGate('user', [resetOf('2')])]
  const step = async (work: WorkHandle) => {
    await work.wait(first.waiting, first.opened)
    await work.wait(second.waiting, second.opened)
    return COMPLETED
  }
  const other = async () => (await clock.sleep(100), COMPLETED)
  jobs.start(bmc, jobWork(run(step, other)))
  await clock.advance(50)
  first.open()
  await clock.advance(100)
  expect(bmc.state.jobs.get('1')?.messages).toEqual([resetOf('2')])
})

test('Continue opens what waits for a user and may go on by word, and what only a deed opens stays shut', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const [byWord, byDeed] = [createGate('user'), createGate('user')]
  const goesOn = { ...byWord.waiting, goOn: () => byWord.open() }
  const first = async (step: WorkHandle) => (await step.wait(goesOn, byWord.opened), COMPLETED)
  const second = async (step: WorkHandle) => (await step.wait(byDeed.waiting, byDeed.opened), COMPLETED)
  jobs.start(bmc, jobWork(run(first, second)))
  await clock.advance(1)
  expect(jobs.goOn(bmc, '1')).toBe(true)
  await clock.advance(1)
  expect(states('J1/1')).toEqual(['New', 'UserIntervention', 'Continue', 'Running', 'Completed'])
  expect(states('J1')).toEqual([
    'New',
    'Running',
    'UserIntervention',
    'Continue',
    'Running',
    'UserIntervention',
  ])
  expect(jobs.goOn(bmc, '1')).toBe(false)
})

test('ForceStart opens what waits for its time', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const work = async (handle: WorkHandle) => {
    const { promise: forced, resolve: goOn } = Promise.withResolvers<void>()
    const waiting = { for: 'condition', messages: [], goOn } as const
    await handle.wait(waiting, Promise.race([forced, clock.sleep(10_000, handle.signal)]))
    return COMPLETED
  }
  jobs.start(bmc, jobWork(work, { type: 'UserSpecified', startTime: clock.now() + 10_000 }))
  await clock.advance(1)
  expect([jobs.goOn(bmc, '1'), bmc.state.jobs.get('1')?.startTime]).toEqual([true, clock.now() + 9_999])
  await clock.advance(1)
  expect(states('J1')).toEqual(['New', 'Pending', 'Running', 'Completed'])
  expect(bmc.state.jobs.get('1')).toMatchObject({ name: 'Work', startTime: clock.now() - 1 })
})

test('a suspended job is held at the next checkpoint, and goes on when it is resumed', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const step = (ms: number) => async (work: WorkHandle) => {
    await clock.sleep(ms)
    await work.checkpoint()
    await clock.sleep(ms)
    return COMPLETED
  }
  jobs.start(bmc, jobWork(run(step(10), step(20))))
  await clock.advance(1)
  expect([jobs.resume(bmc, '1'), jobs.suspend(bmc, '1')]).toEqual([false, true])
  await clock.advance(10)
  expect([states('J1').at(-1), states('J1/1').at(-1)]).toEqual(['Running', 'Suspended'])
  await clock.advance(1_000)
  expect([states('J1').at(-1), states('J1/2').at(-1)]).toEqual(['Suspended', 'Suspended'])
  expect([jobs.suspend(bmc, '1'), jobs.resume(bmc, '1')]).toEqual([false, true])
  await clock.advance(20)
  for (const key of ['J1', 'J1/1', 'J1/2']) {
    expect(states(key)).toEqual(['New', 'Running', 'Suspended', 'Running', 'Completed'])
  }
})

test('a job that is suspended can be cancelled', async () => {
  const { jobs, bmc, clock, states, bugs } = startEngines()
  jobs.start(bmc, jobWork(run(async (step) => (await clock.sleep(10), await step.checkpoint(), COMPLETED))))
  await clock.advance(1)
  jobs.suspend(bmc, '1')
  await clock.advance(20)
  expect(jobs.cancel(bmc, '1')).toBe(true)
  await clock.advance(1)
  expect([states('J1').at(-1), states('J1/1').at(-1), bugs]).toEqual(['Cancelled', 'Cancelled', []])
})

test('steps that are finished stay finished when their job is cancelled', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const gate = createGate('user')
  const steps = run(
    async () => COMPLETED,
    async (step) => (await step.wait(gate.waiting, gate.opened), COMPLETED),
  )
  jobs.start(
    bmc,
    jobWork(async (work) => (await steps(work), CANCELLED)),
  )
  await clock.advance(1)
  expect(jobs.cancel(bmc, '1')).toBe(true)
  await clock.advance(1)
  expect(['J1', 'J1/1', 'J1/2'].map((key) => states(key).at(-1))).toEqual([
    'Cancelled',
    'Completed',
    'Cancelled',
  ])
  expect([jobs.cancel(bmc, '1'), jobs.remove(bmc, '1'), bmc.state.jobs.size]).toEqual([false, true, 0])
})

test('a stage that refuses keeps its job from being cancelled', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const step = async (work: WorkHandle) => {
    work.allowCancel(false)
    await clock.sleep(10, work.signal)
    return COMPLETED
  }
  jobs.start(bmc, jobWork(run(step)))
  await clock.advance(1)
  expect([jobs.cancel(bmc, '1'), jobs.remove(bmc, '1')]).toEqual([false, false])
  await clock.advance(10)
  expect(states('J1').at(-1)).toBe('Completed')
})

test.each([
  ['at its start', { maxExecutionMs: 1_000 }, undefined],
  ['later', {}, 1_000],
])('MaxExecutionTime given %s ends a job by the clock', async (_when, given, later) => {
  const { jobs, bmc, clock, states } = startEngines()
  const step = async ({ signal }: WorkHandle) => (await clock.sleep(9_000, signal), COMPLETED)
  jobs.start(bmc, jobWork(run(step), given))
  await clock.advance(1)
  if (later !== undefined) jobs.setMaxExecution(bmc, '1', later)
  await clock.advance(998)
  expect(states('J1').at(-1)).toBe('Running')
  await clock.advance(1)
  expect([states('J1').at(-1), states('J1/1').at(-1)]).toEqual(['Exception', 'Cancelled'])
  expect(keysOf(bmc.state.jobs.get('1')?.messages)).toEqual(['OperationTimeout'])
  expect(bmc.state.jobs.get('1')).toMatchObject({ maxExecutionMs: 1_000, endTime: clock.now() })
})

test('MaxExecutionTime that is taken back ends nothing, and neither does one that was kept', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const sleeper = async ({ signal }: WorkHandle) => (await clock.sleep(900, signal), COMPLETED)
  for (const maxExecutionMs of [100, 1_000]) jobs.start(bmc, jobWork(sleeper, { maxExecutionMs }))
  await clock.advance(50)
  jobs.setMaxExecution(bmc, '1', undefined)
  await clock.advance(10_000)
  expect([states('J1').at(-1), states('J2').at(-1)]).toEqual(['Completed', 'Completed'])
})

test('the time that a scheduled job waits is none of its MaxExecutionTime', async () => {
  const { jobs, bmc, clock, states } = startEngines()
  const work = async (handle: WorkHandle) => {
    for (const _ of [1, 2]) {
      await handle.wait({ for: 'condition', messages: [] }, clock.sleep(5_000, handle.signal))
      await clock.sleep(600, handle.signal)
    }
    return COMPLETED
  }
  jobs.start(bmc, jobWork(work, { type: 'UserSpecified', maxExecutionMs: 1_000 }))
  await clock.advance(11_200)
  expect(states('J1')).toEqual(['New', 'Pending', 'Running', 'Pending', 'Running', 'Completed'])
})

test('a job that fails says so in the audit log, and a bug in it is told to those who mend it', async () => {
  const { jobs, bmc, clock, states, bugs } = startEngines()
  jobs.start(
    bmc,
    jobWork(async () => FAILED),
  )
  jobs.start(
    bmc,
    jobWork(async () => Promise.reject(new Error('a bug'))),
  )
  await clock.advance(1)
  expect([states('J1').at(-1), states('J2').at(-1), bugs]).toEqual([
    'Exception',
    'Exception',
    [new Error('a bug')],
  ])
  const audited = [...bmc.state.auditLog.values()].filter(({ origin }) => origin === uris.job('1'))
  expect(keysOf(audited.map((one) => one.message))).toEqual(['JobStarted', 'JobCompletedException'])
})

test('of too many jobs the oldest that has ended gives way, with its steps', async () => {
  const { jobs, bmc, clock } = startEngines()
  const gate = createGate()
  jobs.start(
    bmc,
    jobWork(async (work) => (await work.wait(gate.waiting, gate.opened), COMPLETED)),
  )
  for (let count = 1; count < MAX_JOBS; count++) jobs.start(bmc, jobWork(run(async () => COMPLETED)))
  expect(jobs.hasRoom(bmc)).toBe(false)
  await clock.advance(1)
  expect(jobs.hasRoom(bmc)).toBe(true)
  jobs.start(
    bmc,
    jobWork(async () => COMPLETED),
  )
  const has = (key: string): boolean => bmc.state.jobs.has(key)
  expect(['1', '2', '2/1', '3', '3/1', String(MAX_JOBS + 1)].map(has)).toEqual([
    true,
    false,
    false,
    true,
    true,
    true,
  ])
})
