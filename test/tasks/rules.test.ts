import { expect, test } from 'vitest'
import type { Job, JobState, Task, TaskState } from '../../src/bmc/state.ts'
import { message, withSeverity } from '../../src/redfish/messages/message.ts'
import { endedJob, jobStatus, progressedJob, toldOfSteps } from '../../src/tasks/job.ts'
import { type Phase, phaseOfWhole } from '../../src/tasks/phase.ts'
import { told } from '../../src/tasks/progress.ts'
import { ended, progressed } from '../../src/tasks/task.ts'
import { COMPLETED, keysOf, resetOf } from '../support/work.ts'

const task: Task = {
  id: '4',
  name: '',
  description: '',
  state: 'Running',
  percent: 0,
  messages: [],
  startTime: 0,
  endTime: undefined,
  payload: { targetUri: '', httpHeaders: [], jsonBody: '' },
  finalStatus: undefined,
}
const job: Job = {
  id: '3',
  name: '',
  type: 'ServiceGenerated',
  state: 'Running',
  percent: 0,
  messages: [],
  createdAt: 0,
  startTime: 0,
  endTime: undefined,
}
const taskStates: readonly TaskState[] = [
  'New',
  'Running',
  'Pending',
  'Cancelling',
  'Completed',
  'Exception',
  'Cancelled',
]
const phases: readonly Phase[] = ['running', 'continuing', 'held', 'user', 'condition', 'cancelling']

function stateOrError(move: () => { readonly state: string }): string {
  try {
    return move().state
  } catch {
    return '-'
  }
}

test.each<[TaskState, string[]]>([
  ['New', ['Running', 'Running', 'Running', 'Pending', 'Pending', '-']],
  ['Running', ['Running', 'Running', 'Running', 'Pending', 'Pending', 'Cancelling']],
  ['Pending', ['Running', 'Running', 'Running', 'Pending', 'Pending', 'Cancelling']],
  ['Cancelling', ['-', '-', '-', '-', '-', 'Cancelling']],
  ['Completed', ['-', '-', '-', '-', '-', '-']],
  ['Exception', ['-', '-', '-', '-', '-', '-']],
  ['Cancelled', ['-', '-', '-', '-', '-', '-']],
])('a task that is %s goes where its work leads it and no other way', (state, expected) => {
  const reached = phases.map((phase) => stateOrError(() => progressed({ ...task, state }, phase, {})))
  expect(reached).toEqual(expected)
})

test.each<[string, string[]]>([
  ['Completed', ['-', 'Completed', 'Completed', 'Completed', 'Completed', '-', '-']],
  ['Exception', ['Exception', 'Exception', 'Exception', 'Exception', '-', 'Exception', '-']],
  ['Cancelled', ['-', 'Cancelled', 'Cancelled', 'Cancelled', '-', '-', 'Cancelled']],
])('a task can end as %s before it has ended, and not another way again', (state, expected) => {
  const ending = { state: state as 'Completed', status: 200 }
  const reached = taskStates.map((from) => stateOrError(() => ended({ ...task, state: from }, ending, 7)))
  expect(reached).toEqual(expected)
})

test.each<[JobState, string[]]>([
  ['New', ['Running', 'Continue', 'Suspended', 'UserIntervention', 'Pending', 'New']],
  ['Running', ['Running', 'Continue', 'Suspended', 'UserIntervention', 'Pending', 'Running']],
  [
    'UserIntervention',
    ['Running', 'Continue', 'Suspended', 'UserIntervention', 'Pending', 'UserIntervention'],
  ],
  ['Completed', ['-', '-', '-', '-', '-', 'Completed']],
  ['Exception', ['-', '-', '-', '-', '-', 'Exception']],
  ['Cancelled', ['-', '-', '-', '-', '-', 'Cancelled']],
])('a job that is %s shows what its work does until it has ended', (state, expected) => {
  const reached = phases.map((phase) => stateOrError(() => progressedJob({ ...job, state }, phase, {})))
  expect(reached).toEqual(expected)
})

test.each<[readonly Phase[], Phase]>([
  [['running', 'user', 'condition'], 'running'],
  [['user', 'cancelling'], 'running'],
  [['continuing', 'user', 'held'], 'continuing'],
  [['held', 'user'], 'held'],
  [['condition', 'user', 'condition'], 'user'],
  [['condition', 'condition'], 'condition'],
  [[], 'running'],
])('a whole whose parts are %j is %s', (parts, whole) => {
  expect(phaseOfWhole(parts)).toBe(whole)
})

test.each<[Ending: 'Completed' | 'Exception' | 'Cancelled', steps: readonly JobState[], JobState]>([
  ['Completed', [], 'Completed'],
  ['Cancelled', [], 'Cancelled'],
  ['Exception', [], 'Exception'],
  ['Completed', ['Completed', 'Exception', 'Cancelled'], 'Exception'],
  ['Completed', ['Completed', 'Cancelled'], 'Completed'],
  ['Completed', ['Cancelled', 'Cancelled'], 'Cancelled'],
  ['Cancelled', ['Completed', 'Cancelled'], 'Cancelled'],
  ['Cancelled', ['Exception', 'Cancelled'], 'Exception'],
  ['Exception', ['Completed'], 'Exception'],
])('a job whose work is %s and whose steps are %j ends as %s', (state, states, final) => {
  const steps = states.map((one): Job => ({ ...job, parent: '3', state: one }))
  const reached = endedJob(job, steps, { state, status: 200 }, 7)
  expect(reached).toMatchObject({ state: final, endTime: 7, percent: final === 'Completed' ? 100 : 0 })
})

test('percent never goes back, is whole, and only what is new makes a new record', () => {
  const at = (percent: number): number => told({ ...task, percent: 40 }, { percent }).percent
  expect([12, 40, 40.9, 41.9, 250].map(at)).toEqual([40, 40, 40, 41, 100])
  expect(told(task, { percent: 0, messages: [], created: [] })).toBe(task)
  expect(progressed(task, 'running', {})).toBe(task)
})

test('a resource that was created twice is linked to once', () => {
  const once = told(task, { created: ['/a', '/b'] })
  expect(told(once, { created: ['/b', '/c'] }).createdResources).toEqual(['/a', '/b', '/c'])
})

test.each<[string, JobState, string[]]>([
  ['at once what is to be seen there', 'Running', ['UpdateSuccessful']],
  ['resets only when nothing else goes on', 'UserIntervention', ['UpdateSuccessful', 'ResetRequired']],
])('a job tells of its steps %s', (_what, state, expected) => {
  const news = [
    message('Update.UpdateSuccessful', 'a', 'b'),
    message('Update.UpdateInProgress'),
    message('Update.AwaitToActivate', 'a', 'b'),
    resetOf('1'),
  ]
  const isExposed = ({ MessageId }: { readonly MessageId: string }) => MessageId.endsWith('UpdateSuccessful')
  expect(keysOf(toldOfSteps({ ...job, state }, { news, waited: () => [resetOf('1')] }, isExposed))).toEqual(
    expected,
  )
})

test('one reset that several steps wait for is told once, and one that was told is not told again', () => {
  const waited = [resetOf('1'), resetOf('2'), resetOf('1'), resetOf('3')]
  const waiting: Job = { ...job, state: 'UserIntervention', messages: [resetOf('2')] }
  const resets = toldOfSteps(waiting, { news: [], waited: () => waited }, () => true)
  expect(resets.map(({ MessageArgs }) => MessageArgs)).toEqual(
    [resetOf('1'), resetOf('3')].map((one) => one.MessageArgs),
  )
})

test('the status of a job is the worst of its messages, and Critical when it failed', () => {
  const warned: Job = { ...job, messages: [withSeverity(message('Update.UpdateInProgress'), 'Warning')] }
  expect([job, warned, { ...job, state: 'Exception' as const }].map(jobStatus)).toEqual([
    'OK',
    'Warning',
    'Critical',
  ])
  expect(ended(task, COMPLETED, 1).finalStatus).toBe(200)
})
