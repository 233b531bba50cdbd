import { describe, expect, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import type { Change, Job, Task } from '../../src/bmc/state.ts'
import type { Occurrence } from '../../src/events/occurrence.ts'
import { occurrencesOf } from '../../src/events/occurrences.ts'
import { message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import { createGate, jobWork, resetOf, startEngines, COMPLETED } from '../support/work.ts'

const machine = loadMachine('rackmount')
const whole: Task = {
  id: '12',
  name: 'Update of BIOS',
  description: '',
  state: 'Running',
  percent: 12,
  messages: [],
  startTime: 0,
  endTime: undefined,
  payload: { targetUri: uris.multipartPush, httpHeaders: [], jsonBody: '{}' },
  finalStatus: undefined,
}
const task: Task = { ...whole, id: '1', parent: '12' }
const job: Job = {
  id: '3',
  name: 'Update 3',
  type: 'ServiceGenerated',
  state: 'Running',
  percent: 12,
  messages: [],
  createdAt: 0,
  startTime: 0,
  endTime: undefined,
  group: 12,
}
const step: Job = { ...job, id: '1', parent: '3' }
const success = message('Update.UpdateSuccessful', uris.firmware('BIOS'), 'image')

/** What a BMC where `first` was committed makes of `then`. */
function occurrences(first: Change, then: Change): Occurrence[] {
  const bmc = createBmc('1', machine, new Map())
  commit(bmc, first)
  const heard: Occurrence[] = []
  bmc.listeners.add((change, before) => heard.push(...occurrencesOf(bmc, change, before)))
  commit(bmc, then)
  return heard
}

/** Registry and key, where it comes from below the service root, and arguments. */
function line({ message: { MessageId, MessageArgs }, origin, isGone = false }: Occurrence): string {
  const key = MessageId.replace(/\.\d+\.\d+\./, '.').replace('ResourceEvent.', '')
  return [key, origin.replace(`${uris.root}/`, ''), ...MessageArgs, ...(isGone ? ['gone'] : [])].join(' ')
}

const told = (first: Change, then: Change): string[] => occurrences(first, then).map(line)

describe('a sub-task', () => {
  const SUB = 'TaskService/Tasks/12/SubTasks/1'
  const changed = (was: Partial<Task> | undefined, now: Partial<Task> | undefined): string[] =>
    told(was ? { tasks: [['12/1', { ...task, ...was }]] } : {}, {
      tasks: [['12/1', now && { ...task, ...now }]],
    })

  test.each<[string, Partial<Task> | undefined, Partial<Task> | undefined, string[]]>([
    ['that is new', undefined, { state: 'New', percent: 0 }, [`ResourceCreated ${SUB}`]],
    ['that starts', { state: 'New' }, {}, [`TaskEvent.TaskStarted ${SUB} 12/1`]],
    ['that waits', {}, { state: 'Pending' }, [`TaskEvent.TaskPaused ${SUB} 12/1`]],
    ['that waits first', { state: 'New' }, { state: 'Pending' }, [`TaskEvent.TaskPaused ${SUB} 12/1`]],
    ['that goes on waiting', { state: 'Pending' }, { state: 'Pending', parts: 2 }, []],
    ['that goes on', { state: 'Pending' }, {}, [`TaskEvent.TaskResumed ${SUB} 12/1`]],
    ['that gets further', {}, { percent: 31 }, [`TaskEvent.TaskProgressChanged ${SUB} 12/1 31`]],
    ['that is done', {}, { state: 'Completed' }, [`TaskEvent.TaskCompletedOK ${SUB} 12/1`]],
    [
      'that goes',
      { state: 'Completed' },
      undefined,
      [`TaskEvent.TaskRemoved ${SUB} 12/1 gone`, `ResourceRemoved ${SUB} gone`],
    ],
  ])('%s', (_what, was, now, expected) => {
    expect(changed(was, now)).toEqual(expected)
  })

  test('belongs to the operation of its task', () => {
    const [first] = occurrences({}, { tasks: [['12/1', task]] })
    expect(first?.group).toBe(12)
  })

  test('and its task tell once what both say', () => {
    const then: Change = {
      tasks: [
        ['12/1', { ...task, messages: [success] }],
        ['12', { ...whole, parts: 1, messages: [success] }],
      ],
    }
    const first: Change = {
      tasks: [
        ['12/1', task],
        ['12', { ...whole, parts: 1 }],
      ],
    }
    expect(told(first, then).map((one) => one.split(' ')[0])).toEqual(['Update.UpdateSuccessful'])
  })
})

describe('a job', () => {
  const JOB = 'JobService/Jobs/3'
  const changed = (was: Partial<Job> | undefined, now: Partial<Job> | undefined): string[] =>
    told(was ? { jobs: [['3', { ...job, ...was }]] } : {}, { jobs: [['3', now && { ...job, ...now }]] })

  test.each<[string, Partial<Job> | undefined, Partial<Job> | undefined, string[]]>([
    ['that is new', undefined, { state: 'New', percent: 0 }, [`ResourceCreated ${JOB}`]],
    ['that starts', { state: 'New' }, {}, [`JobEvent.JobStarted ${JOB} 3`]],
    ['that waits for its time first', { state: 'New' }, { state: 'Pending' }, []],
    ['that waits for its time', {}, { state: 'Pending' }, [`JobEvent.JobSuspended ${JOB} 3`]],
    ['that waits for a user', {}, { state: 'UserIntervention' }, [`JobEvent.JobSuspended ${JOB} 3`]],
    [
      'that waits for a user now',
      { state: 'Pending' },
      { state: 'UserIntervention' },
      [`JobEvent.JobSuspended ${JOB} 3`],
    ],
    ['that waits on for less', { state: 'UserIntervention' }, { state: 'Pending' }, []],
    ['that is held', {}, { state: 'Suspended' }, [`JobEvent.JobSuspended ${JOB} 3`]],
    ['that is no longer held', { state: 'Suspended' }, {}, [`JobEvent.JobResumed ${JOB} 3`]],
    [
      'that is told to go on',
      { state: 'UserIntervention' },
      { state: 'Continue' },
      [`JobEvent.JobResumed ${JOB} 3`],
    ],
    ['that does so', { state: 'Continue' }, {}, []],
    ['that goes on', { state: 'Pending' }, {}, [`JobEvent.JobResumed ${JOB} 3`]],
    [
      'whose time has come',
      { state: 'Pending', type: 'UserSpecified' },
      { type: 'UserSpecified' },
      [`JobEvent.JobStarted ${JOB} 3`],
    ],
    ['at 19 %', {}, { percent: 19 }, []],
    ['at 20 %', { percent: 19 }, { percent: 20 }, [`JobEvent.JobProgressChanged ${JOB} 3 20`]],
    ['that is done', {}, { state: 'Completed', percent: 100 }, [`JobEvent.JobCompletedOK ${JOB} 3`]],
    ['that failed', {}, { state: 'Exception' }, [`JobEvent.JobCompletedException ${JOB} 3`]],
    ['that was cancelled', {}, { state: 'Cancelled' }, [`JobEvent.JobCancelled ${JOB} 3`]],
    [
      'that says something',
      {},
      { messages: [success] },
      [`Update.UpdateSuccessful UpdateService/FirmwareInventory/BIOS ${uris.firmware('BIOS')} image`],
    ],
    [
      'that goes',
      { state: 'Completed' },
      undefined,
      [`JobEvent.JobRemoved ${JOB} 3 gone`, `ResourceRemoved ${JOB} gone`],
    ],
    ['that never was', undefined, undefined, []],
  ])('%s', (_what, was, now, expected) => {
    expect(changed(was, now)).toEqual(expected)
  })

  test('names its steps by their URIs, and they belong to the operation that it goes on with', () => {
    const heard = occurrences({ jobs: [['3/1', { ...step, state: 'New' }]] }, { jobs: [['3/1', step]] })
    expect(heard.map(line)).toEqual([`JobEvent.JobStarted ${JOB}/Steps/1 3/1`])
    expect(heard[0]?.group).toBe(12)
  })

  test('does not say again what a step said, at once or later', () => {
    const { messages, ...rest } = { ...step, messages: [success] }
    const root = { ...job, parts: 1 }
    const first: Change = {
      jobs: [
        ['3', root],
        ['3/1', step],
      ],
    }
    const atOnce: Change = {
      jobs: [
        ['3/1', { ...rest, messages }],
        ['3', { ...root, messages }],
      ],
    }
    expect(told(first, atOnce).map((one) => one.split(' ')[0])).toEqual(['Update.UpdateSuccessful'])
    const stepFirst: Change = {
      jobs: [
        ['3', root],
        ['3/1', { ...rest, messages }],
      ],
    }
    expect(told(stepFirst, { jobs: [['3', { ...root, messages }]] })).toEqual([])
  })
})

describe('a job of a user', () => {
  const users = { ...job, type: 'UserSpecified' } as const

  test('is what its own messages speak of, whatever its request was about', () => {
    const said: Change = { jobs: [['3', { ...users, messages: [message('Base.Success')] }]] }
    expect(told({ jobs: [['3', users]] }, said)).toEqual(['Base.Success JobService/Jobs/3'])
  })

  test('does not say again what the task that it follows said', () => {
    const begun: Change = { tasks: [['12', { ...task, messages: [success] }]], jobs: [['3', users]] }
    expect(told(begun, { jobs: [['3', { ...users, messages: [success] }]] })).toEqual([])
  })
})

test('of a job that waits for one reset subscribers hear of the reset once, and of the job that waits', async () => {
  const { jobs, bmc, clock } = startEngines()
  const heard: string[] = []
  bmc.listeners.add((change, before) => heard.push(...occurrencesOf(bmc, change, before).map(line)))
  const reset = resetOf('1')
  const gate = createGate('user', [reset])
  const run = async (one: Parameters<Parameters<typeof jobWork>[0]>[0]) => {
    return one.part({
      name: '',
      target: uris.firmware('BIOS'),
      run: async (part) => (await part.wait(gate.waiting, gate.opened), COMPLETED),
    })
  }
  jobs.start(bmc, jobWork(run))
  await clock.advance(1)
  expect(heard.filter((one) => one.startsWith('Base.ResetRequired'))).toHaveLength(1)
  expect(heard.filter((one) => one.includes('JobSuspended'))).toEqual([
    'JobEvent.JobSuspended JobService/Jobs/1/Steps/1 1/1',
    'JobEvent.JobSuspended JobService/Jobs/1 1',
  ])
})
