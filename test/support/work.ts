import { onTestFinished } from 'vitest'
import { type Bmc, createBmc } from '../../src/bmc/bmc.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { type Message, message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import { TaskEngine, type TaskLimits, type TaskWork } from '../../src/tasks/engine.ts'
import { JobEngine, type JobWork } from '../../src/tasks/job-engine.ts'
import type { Ending, Waiting, WorkHandle } from '../../src/tasks/work.ts'
import { ourMachine } from './machines.ts'

export const COMPLETED: Ending = { state: 'Completed', status: 200 }
export const CANCELLED: Ending = { state: 'Cancelled', status: 200 }
export const FAILED: Ending = { state: 'Exception', status: 500 }

const machine = ourMachine('rackmount')

/** Both engines beside one BMC on a virtual clock, and what was said of every task and job. */
export function startEngines(limits: TaskLimits = {}) {
  const clock = new VirtualClock()
  const bugs: unknown[] = []
  const failed = (error: unknown): void => void bugs.push(error)
  const tasks = new TaskEngine(clock, failed, limits)
  const jobs = new JobEngine(clock, failed)
  onTestFinished(async () => {
    await tasks.close()
    await jobs.close()
  })
  const bmc = createBmc('1', machine, new Map())
  return { clock, bugs, bmc, tasks, jobs, states: statesOf(bmc) }
}

/** The states that each task (`12/1`) and job (`J3/1`) went through. */
function statesOf(bmc: Bmc): (key: string) => string[] {
  const seen = new Map<string, string[]>()
  bmc.listeners.add(({ tasks = [], jobs = [] }) => {
    const jobEntries = jobs.map(([key, job]) => [`J${key}`, job] as const)
    for (const [key, record] of [...tasks, ...jobEntries]) {
      const states = seen.get(key) ?? []
      const state = record?.state ?? 'gone'
      if (states.at(-1) !== state) seen.set(key, [...states, state])
    }
  })
  return (key) => seen.get(key) ?? []
}

type Run = (handle: WorkHandle) => Promise<Ending>

export function taskWork(run: Run, more: Partial<TaskWork> = {}): TaskWork {
  const payload = { targetUri: uris.multipartPush, httpHeaders: [], jsonBody: '{}' }
  return { name: 'Work', description: 'Work of a test', payload, run, ...more }
}

export function jobWork(run: Run, more: Partial<JobWork> = {}): JobWork {
  return { name: 'Work', type: 'ServiceGenerated', exposes: () => true, run, ...more }
}

/** Something that work waits for until the test opens it. */
export function createGate<T = void>(
  waitsFor: Waiting['for'] = 'condition',
  messages: readonly Message[] = [],
) {
  const { promise: opened, resolve: open, reject: refuse } = Promise.withResolvers<T>()
  const waiting: Waiting = { for: waitsFor, messages }
  return { opened, open, refuse, waiting }
}

export function resetOf(system: string): Message {
  return message('Base.ResetRequired', uris.action(uris.system(system), 'ComputerSystem.Reset'), 'On')
}

/** The keys of messages, without their registries. */
export function keysOf(messages: readonly Message[] | undefined): string[] {
  return (messages ?? []).map(({ MessageId }) => MessageId.split('.').at(-1) ?? '')
}
